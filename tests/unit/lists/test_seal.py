import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protech.errors import ConfigError, TrustError
from protech.lists.seal import (
    check_recipient,
    new_identity,
    recipient_of,
    seal,
    unseal,
)

ONE, TWO, OTHER = (new_identity() for _ in range(3))
CONTENT = random.Random(3).randbytes(200_000)


def sealed(content: bytes = CONTENT, *identities: str) -> bytes:
    out = io.BytesIO()
    seal(io.BytesIO(content), out, [recipient_of(one) for one in identities or (ONE, TWO)])
    return out.getvalue()


def unsealed(content: bytes, identity: str = ONE) -> bytes:
    out = io.BytesIO()
    unseal(io.BytesIO(content), out, identity)
    return out.getvalue()


@settings(max_examples=20)
@given(st.binary(max_size=300))
def test_each_recipient_reads_what_was_sealed(content: bytes) -> None:
    both = sealed(content)
    assert unsealed(both, ONE) == unsealed(both, TWO) == content


def test_no_one_else_reads_it() -> None:
    with pytest.raises(TrustError, match="not among those"):
        unsealed(sealed(), OTHER)


def test_the_file_names_no_recipient() -> None:
    content = sealed(CONTENT, ONE)
    assert recipient_of(ONE).encode() not in content
    assert CONTENT[:32] not in content


@pytest.mark.parametrize("kept", [0, 5, 100, 70_000, -1, -16])
def test_a_file_that_was_cut_is_refused(kept: int) -> None:
    with pytest.raises(TrustError):
        unsealed(sealed()[:kept])


@pytest.mark.parametrize("place", [30, 200, 400, 100_000, -1])
def test_a_file_with_one_changed_bit_is_refused(place: int) -> None:
    content = bytearray(sealed())
    content[place] ^= 1
    with pytest.raises(TrustError):
        unsealed(bytes(content))


def test_what_is_added_behind_is_refused() -> None:
    with pytest.raises(TrustError):
        unsealed(sealed() + b"more")


def test_two_of_one_recipient_are_one() -> None:
    once, twice = sealed(CONTENT, ONE), sealed(CONTENT, ONE, ONE)
    assert twice.count(b"-> X25519 ") == once.count(b"-> X25519 ") == 1
    assert unsealed(twice) == CONTENT


@pytest.mark.parametrize(
    "text",
    ["", "age1", "ssh-ed25519 AAAA", pytest.param(new_identity(), id="an identity")],
)
def test_what_is_no_recipient_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(TrustError, match="recipient is none") as refused:
        check_recipient(text)
    assert len(text) < 5 or text not in str(refused.value)


def test_a_list_for_nobody_is_refused() -> None:
    with pytest.raises(TrustError, match="name one device"):
        seal(io.BytesIO(), io.BytesIO(), [])


def test_a_key_that_is_none_is_refused_and_not_repeated() -> None:
    with pytest.raises(TrustError, match="key is none") as refused:
        recipient_of("AGE-SECRET-KEY-1WRONG")
    assert "WRONG" not in str(refused.value)


class Full(io.BytesIO):
    def write(self, piece: object) -> int:
        raise OSError(28, "No space left on device")


def test_a_full_disk_is_no_fault_of_the_file() -> None:
    with pytest.raises(ConfigError, match="make room"):
        seal(io.BytesIO(CONTENT), Full(), [recipient_of(ONE)])
    with pytest.raises(OSError, match="No space left"):
        unseal(io.BytesIO(sealed()), Full(), ONE)
