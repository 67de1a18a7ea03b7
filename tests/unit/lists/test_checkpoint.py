"""Checkpoints: they count with their log's signature and enough witnesses, and only then."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import TrustError
from protech.lists.checkpoint import (
    CLOCKS_APART,
    LARGEST_SIZE,
    Checkpoint,
    cosign,
    log_key,
    parse,
    signed,
    verify,
    verify_log,
    witness_key,
)
from protech.lists.note import NoteKey, parse_note, with_signature
from protech.signing import Key
from protech.signing import verify as verify_signature

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
ORIGIN = "lists.example/log"

LOG = Key.of_seed(b"l" * 32)
LOG_KEY = log_key(ORIGIN, LOG.public)
WITNESSES = [Key.of_seed(bytes([number]) * 32) for number in range(5)]
WITNESS_KEYS = [
    witness_key(f"witness.example/{number}", key.public) for number, key in enumerate(WITNESSES)
]

CHECKPOINT = Checkpoint(origin=ORIGIN, size=7, root=b"r" * 32)
SIGNED = signed(CHECKPOINT, key=LOG_KEY, sign=LOG.sign)

CHECKPOINTS = st.builds(
    Checkpoint,
    origin=st.text(
        st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=30
    ),
    size=st.integers(0, LARGEST_SIZE),
    root=st.binary(min_size=32, max_size=32),
)


def cosigned_by(*numbers: int, content: bytes = SIGNED, at: datetime = NOW) -> bytes:
    for number in numbers:
        content = cosign(content, key=WITNESS_KEYS[number], sign=WITNESSES[number].sign, now=at)
    return content


def verified(
    content: bytes,
    *,
    quorum: int = 3,
    key: NoteKey = LOG_KEY,
    witnesses: list[NoteKey] = WITNESS_KEYS,
) -> Checkpoint:
    return verify(
        content,
        log_key=key,
        witnesses=witnesses,
        quorum=quorum,
        now=NOW,
        verify_signature=verify_signature,
    )


@given(CHECKPOINTS)
def test_what_a_log_signs_is_read_back(checkpoint: Checkpoint) -> None:
    key = Key.generate()
    own = log_key(checkpoint.origin.replace("+", "-"), key.public)
    checkpoint = replace(checkpoint, origin=own.name)
    content = signed(checkpoint, key=own, sign=key.sign)
    assert parse(content) == checkpoint
    assert verify_log(content, log_key=own, verify_signature=verify_signature) == checkpoint


@given(st.sets(st.integers(0, 4)), st.integers(3, 5))
def test_a_checkpoint_counts_with_a_quorum_of_witnesses_and_never_with_fewer(
    who: set[int], quorum: int
) -> None:
    content = cosigned_by(*who)
    if len(who) >= quorum:
        assert verified(content, quorum=quorum) == CHECKPOINT
    else:
        with pytest.raises(TrustError, match=f"cosigned by {len(who)} of the {quorum}"):
            verified(content, quorum=quorum)


@given(st.data())
def test_no_byte_of_a_checkpoint_can_change(data: st.DataObject) -> None:
    content = bytearray(cosigned_by(0, 1, 2))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(TrustError):
        verified(bytes(content))


@given(st.data())
def test_no_part_of_a_checkpoint_is_enough(data: st.DataObject) -> None:
    content = cosigned_by(0, 1, 2)
    cut = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(TrustError):
        verified(content[:cut])


def test_a_witness_that_cosigns_twice_counts_once() -> None:
    content = cosigned_by(0, 1, 0, 1)
    again = cosigned_by(0, at=NOW - timedelta(hours=1))
    doubled = content + again.splitlines(keepends=True)[-1]
    assert len(parse_note(doubled, what="It").signatures) == 4
    with pytest.raises(TrustError, match="cosigned by 2 of the 3"):
        verified(doubled)


def test_one_key_under_two_names_counts_once() -> None:
    twice = [*WITNESS_KEYS[:2], witness_key("other.example", WITNESSES[0].public)]
    content = cosign(cosigned_by(0), key=twice[2], sign=WITNESSES[0].sign, now=NOW)
    with pytest.raises(TrustError, match="cosigned by 1 of the 2"):
        verified(content, quorum=2, witnesses=twice)
    with pytest.raises(TrustError, match="3 of 2 witnesses, which cannot be"):
        verified(content, quorum=3, witnesses=twice)


def test_the_log_is_no_witness_of_itself() -> None:
    itself = witness_key("other.example", LOG.public)
    content = cosign(cosigned_by(0), key=itself, sign=LOG.sign, now=NOW)
    with pytest.raises(TrustError, match="cosigned by 1 of the 2"):
        verified(content, quorum=2, witnesses=[*WITNESS_KEYS[:3], itself])


@pytest.mark.parametrize("quorum", [-1, 0, 1, 2, 6])
def test_a_quorum_that_cannot_be_lets_nothing_through(quorum: int) -> None:
    with pytest.raises(TrustError, match="cannot be"):
        verified(cosigned_by(*range(5)), quorum=quorum)


def test_a_witness_that_is_not_pinned_counts_for_nothing() -> None:
    with pytest.raises(TrustError, match="cosigned by 0 of the 1"):
        verified(cosigned_by(3, 4), quorum=1, witnesses=WITNESS_KEYS[:1])


@pytest.mark.parametrize(
    ("ahead", "counts"),
    [
        (-timedelta(days=4000), True),
        (CLOCKS_APART, True),
        (CLOCKS_APART + timedelta(seconds=1), False),
    ],
)
def test_a_cosignature_from_the_future_is_not_counted(ahead: timedelta, counts: bool) -> None:
    content = cosigned_by(0, at=NOW + ahead)
    if counts:
        assert verified(content, quorum=1, witnesses=WITNESS_KEYS[:1]) == CHECKPOINT
    else:
        with pytest.raises(TrustError, match="cosigned by 0 of the 1"):
            verified(content, quorum=1, witnesses=WITNESS_KEYS[:1])


def test_a_forged_cosignature_spoils_the_checkpoint() -> None:
    content = with_signature(
        parse_note(cosigned_by(0, 1, 2), what="It"),
        WITNESS_KEYS[3],
        WITNESSES[4].sign,
        time_s=1,
    ).content
    with pytest.raises(TrustError, match="does not hold"):
        verified(content)


def test_cosignatures_of_another_checkpoint_do_not_hold_for_this_one() -> None:
    other = signed(replace(CHECKPOINT, size=8), key=LOG_KEY, sign=LOG.sign)
    text, _, _ = SIGNED.partition(b"\n\n")
    lines = cosigned_by(0, 1, 2, content=other).partition(b"\n\n")[2]
    with pytest.raises(TrustError, match="does not hold"):
        verified(text + b"\n\n" + lines)


def test_witnesses_alone_are_not_enough() -> None:
    text, _, lines = cosigned_by(0, 1, 2).partition(b"\n\n")
    without = text + b"\n\n" + lines.partition(b"\n")[2]
    with pytest.raises(TrustError, match="not signed by its log"):
        verified(without)


def test_another_log_s_checkpoint_is_refused() -> None:
    with pytest.raises(TrustError, match="another log"):
        verified(cosigned_by(0, 1, 2), key=log_key("other.example", LOG.public))


def test_a_log_of_the_same_name_with_another_key_is_refused() -> None:
    with pytest.raises(TrustError, match="not signed by its log"):
        verified(cosigned_by(0, 1, 2), key=log_key(ORIGIN, WITNESSES[0].public))


ROOT = "cnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnI="


@pytest.mark.parametrize(
    "text",
    [
        "log\n7\n",
        f"\n7\n{ROOT}\n",
        f"log\n\n{ROOT}\n",
        f"log\n07\n{ROOT}\n",
        f"log\n-7\n{ROOT}\n",
        f"log\n+7\n{ROOT}\n",
        f"log\n7 \n{ROOT}\n",
        f"log\n\N{ARABIC-INDIC DIGIT SEVEN}\n{ROOT}\n",
        f"log\n{LARGEST_SIZE + 1}\n{ROOT}\n",
        f"log\n99999999999999999999\n{ROOT}\n",
        "log\n7\nYmFuYW5hcw==\n",
        f"log\n7\n{ROOT[:-2]}J=\n",
        "log\n7\nThisIsn'tBase64\n",
        f"log\n7\n{ROOT}\n\nextension\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    lines = SIGNED.partition(b"\n\n")[2]
    with pytest.raises(TrustError, match=r"is none|no signed note"):
        parse(text.encode() + b"\n" + lines)


def test_extensions_are_kept_and_signed() -> None:
    longer = replace(CHECKPOINT, extensions=("one", "two"))
    content = cosigned_by(0, content=signed(longer, key=LOG_KEY, sign=LOG.sign))
    assert verified(content, quorum=1, witnesses=WITNESS_KEYS[:1]) == longer
    with pytest.raises(TrustError, match="does not hold"):
        verified(content.replace(b"two", b"twO"), quorum=1, witnesses=WITNESS_KEYS[:1])


def test_each_kind_of_key_signs_what_it_is_for() -> None:
    with pytest.raises(ValueError, match="own log"):
        signed(CHECKPOINT, key=WITNESS_KEYS[0], sign=WITNESSES[0].sign)
    with pytest.raises(ValueError, match="own log"):
        signed(CHECKPOINT, key=log_key("other", LOG.public), sign=LOG.sign)
    with pytest.raises(ValueError, match="of a witness"):
        cosign(SIGNED, key=LOG_KEY, sign=LOG.sign, now=NOW)
