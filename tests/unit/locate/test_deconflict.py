"""Whether two units work on the same peer."""

import json
from datetime import date
from ipaddress import ip_address

import pytest

from protech.errors import ConfigError, TrustError
from protech.locate.deconflict import PEERS, make_export, overlap

KEY = bytes(range(32))
MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)
A, B, C = (ip_address(text) for text in ("198.18.0.1", "198.18.0.2", "2001:db8::1"))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make tokens cheap; what they are made of stays."""
    monkeypatch.setattr("protech.locate.deconflict.SCRYPT_N", 2)


def test_two_units_learn_whom_both_saw_on_the_same_day() -> None:
    ours = make_export([(MONDAY, A), (TUESDAY, A), (TUESDAY, C), (MONDAY, B)], KEY)
    theirs = make_export([(TUESDAY, C), (MONDAY, A), (TUESDAY, B)], KEY)
    assert overlap(ours, theirs.content, KEY) == [(MONDAY, A), (TUESDAY, C)]
    assert overlap(theirs, ours.content, KEY) == [(MONDAY, A), (TUESDAY, C)]


def test_ipv4_inside_ipv6_is_the_same_address_and_counts_once() -> None:
    inside = ip_address("::ffff:198.18.0.1")
    assert len(make_export([(MONDAY, A), (MONDAY, inside)], KEY).tokens) == 1


def test_the_file_holds_no_address_and_no_day() -> None:
    export = make_export([(MONDAY, A), (MONDAY, C)], KEY)
    for clear in (b"198.18", b"2001", b"2026", A.packed.hex().encode()):
        assert clear not in export.content
    assert "198.18" not in repr(export)
    assert set(json.loads(export.content)) == {"v", "kind", "key", "tokens"}


def test_a_token_says_nothing_under_another_key() -> None:
    ours, other = make_export([(MONDAY, A)], KEY), make_export([(MONDAY, A)], bytes(32))
    assert not set(ours.tokens) & set(other.tokens)
    with pytest.raises(TrustError, match="another key"):
        overlap(ours, other.content, KEY)


def test_the_preview_says_what_the_file_tells() -> None:
    preview = make_export([(MONDAY, A), (MONDAY, B), (TUESDAY, A)], KEY).preview
    assert "2026-11-23  2 peers\n2026-11-24  1 peers" in preview
    assert "198.18" not in preview


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[" * 100_000,
        b"null",
        b'{"v":2}',
        b'{"v":1,"kind":"other","tokens":[],"key":""}',
        b'{"v":1,"kind":"locate-deconfliction","tokens":"ab","key":""}',
        b"\xff",
        b" " * 3_000_000,
    ],
)
def test_what_is_no_such_file_is_refused(content: bytes) -> None:
    with pytest.raises(TrustError, match="The file of the partner"):
        overlap(make_export([], KEY), content, KEY)


@pytest.mark.parametrize("token", [1, "zz", "ab", None, "00" * 17])
def test_a_token_that_is_none_is_refused(token: object) -> None:
    made = json.loads(make_export([], KEY).content)
    content = json.dumps({**made, "tokens": [token]}).encode()
    with pytest.raises(TrustError, match="token that is none"):
        overlap(make_export([], KEY), content, KEY)


def test_too_many_and_a_wrong_key_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protech.locate.deconflict.PEERS", 2)
    assert PEERS > 2
    make_export([(MONDAY, A), (MONDAY, B)], KEY)
    with pytest.raises(ConfigError, match="fewer days"):
        make_export([(MONDAY, A), (MONDAY, B), (MONDAY, C)], KEY)
    with pytest.raises(ConfigError, match="32 bytes"):
        make_export([], b"short")
