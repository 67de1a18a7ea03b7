"""What a case keeps beside its log."""

import pytest

from protech.errors import TrustError
from protech.evidence.ciphers import KEY_BYTES
from protech.locate.vault import Vault

KEY = bytes(range(KEY_BYTES))


def test_what_is_sealed_is_opened_under_its_name() -> None:
    vault = Vault(KEY, purpose="a")
    assert vault.open(vault.seal({"x": [1, "é"]}, b"n"), b"n") == {"x": [1, "é"]}
    assert vault.open_bytes(vault.seal_bytes(b"raw", b"n"), b"n") == b"raw"


def test_names_are_the_same_for_the_same_parts_and_no_others() -> None:
    vault = Vault(KEY, purpose="a")
    names = [vault.name(b"ab", b"c"), vault.name(b"a", b"bc"), vault.name(b"abc")]
    names += [Vault(KEY, purpose="b").name(b"abc"), Vault(bytes(32), purpose="a").name(b"abc")]
    assert len(set(names)) == 5
    assert Vault(KEY, purpose="a").name(b"abc") == names[2]


def test_what_was_changed_or_moved_or_is_of_another_case_is_refused() -> None:
    vault = Vault(KEY, purpose="a")
    sealed = vault.seal({"x": 1}, b"n")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(TrustError):
            vault.open(bytes(changed), b"n")
    for other, name in ((vault, b"m"), (Vault(KEY, purpose="b"), b"n")):
        with pytest.raises(TrustError):
            other.open(sealed, name)


def test_what_is_no_object_is_refused() -> None:
    vault = Vault(KEY, purpose="a")
    with pytest.raises(TrustError, match="another form"):
        vault.open(vault.seal_bytes(b"[]", b"n"), b"n")


def test_it_shows_nothing_of_its_key() -> None:
    assert repr(Vault(KEY, purpose="a")) == "Vault()"
