"""Exceptions: signed and in force they take away the match they name, and nothing more."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import ConfigError, ListFormatError, SourceError, TrustError
from protech.lists.exceptions import (
    Exceptions,
    open_exceptions,
    pinned_keys,
    sign_exceptions,
)
from protech.lists.formats.exceptions import (
    RADIUS_BITS,
    ExceptionEntry,
    ExceptionHeader,
    content_of,
)
from protech.lists.note import NoteKey, SignatureKind
from protech.signing import Key
from protech.types import (
    Digests,
    Findings,
    Frame,
    Kind,
    ListRef,
    Match,
    MatchKind,
    PdqHash,
    Scores,
)

NOW = datetime(2026, 7, 1, tzinfo=UTC)
NATIONAL = frozenset({"national"})

CHANCE = random.Random(3)
SHA256, SHA1, MD5 = (CHANCE.randbytes(width) for width in (32, 20, 16))
PICTURE, OTHER_PICTURE = CHANCE.randbytes(32), CHANCE.randbytes(32)

HEADER = ExceptionHeader(
    name="own mistakes",
    version=3,
    author="An examiner",
    created_at=NOW,
    expires_at=NOW + timedelta(days=30),
    lists=frozenset({"national", "other"}),
)


def exception(**fields: object) -> ExceptionEntry:
    given: dict[str, object] = {
        "lists": NATIONAL,
        "reason": "a landscape",
        "author": "An examiner",
        **fields,
    }
    return ExceptionEntry(**given)  # type: ignore[arg-type] # each test names its own


def applied(
    *entries: ExceptionEntry, to: Findings, header: ExceptionHeader = HEADER
) -> Findings:
    content = content_of(header, entries)
    return Exceptions(content, application="triage", clock=lambda: NOW).apply(to)


def match(kind: MatchKind, name: str = "national", **others: object) -> Match:
    source = ListRef(name=name, version=1)
    return replace(Match(source=source, kind=kind), **others)  # type: ignore[arg-type] # as above


def findings(*matches: Match, frames: tuple[bytes, ...] = (PICTURE,)) -> Findings:
    return Findings(
        kind=Kind.IMAGE,
        digests=Digests(md5=MD5, sha1=SHA1, sha256=SHA256),
        frames=tuple(
            Frame(hashes=(PdqHash(bits=bits, quality=100),), scores=Scores(explicit=0.9))
            for bits in frames
        ),
        matches=matches,
    )


def away(picture: bytes, bits: int) -> bytes:
    """Return a hash that differs in the first so many bits."""
    return (int.from_bytes(picture) ^ (1 << bits) - 1).to_bytes(32)


ALL = tuple(match(kind) for kind in MatchKind)


def test_a_file_that_is_excepted_by_its_sha256_matches_nothing_of_the_list() -> None:
    other = match(MatchKind.SHA256, "other")
    found = applied(exception(sha256=SHA256), to=findings(*ALL, other))
    assert found.matches == (other,)
    assert found.excepted == ALL


@pytest.mark.parametrize(
    ("digests", "gone"),
    [
        ({"md5": MD5}, {MatchKind.MD5}),
        ({"sha1": SHA1}, {MatchKind.SHA1}),
        ({"md5": MD5, "sha1": SHA1}, {MatchKind.MD5, MatchKind.SHA1}),
        ({"md5": MD5, "sha1": SHA1, "sha256": SHA256}, set(MatchKind)),
        ({"md5": MD5, "sha256": bytes(32)}, set()),
        ({"md5": bytes(16), "sha256": SHA256}, set()),
        ({"sha1": SHA1, "md5": bytes(16)}, set()),
        ({"sha256": bytes(32)}, set()),
    ],
)
def test_a_weak_digest_excepts_only_its_own_match_and_all_that_are_named_must_be_the_file_s(
    digests: dict[str, bytes], gone: set[MatchKind]
) -> None:
    found = applied(exception(**digests), to=findings(*ALL))
    assert {one.kind for one in found.excepted} == gone
    assert {one.kind for one in found.matches} == set(MatchKind) - gone


@given(st.integers(0, RADIUS_BITS), st.integers(0, 31))
def test_a_picture_is_excepted_within_the_radius_and_not_beyond(
    radius_bits: int, bits: int
) -> None:
    one = exception(pdq=(OTHER_PICTURE, away(PICTURE, bits)), radius_bits=radius_bits)
    found = applied(one, to=findings(*ALL))
    expected = {MatchKind.PDQ} if bits <= radius_bits else set()
    assert {one.kind for one in found.excepted} == expected


def test_a_picture_does_not_hide_another_in_the_same_animation() -> None:
    seen = findings(match(MatchKind.PDQ), frames=(PICTURE, OTHER_PICTURE, PICTURE))
    assert not applied(exception(pdq=(PICTURE,), radius_bits=10), to=seen).excepted
    both = (exception(pdq=(PICTURE,)), exception(pdq=(OTHER_PICTURE,)))
    assert applied(*both, to=seen).excepted == seen.matches


def test_where_no_picture_was_hashed_none_is_excepted() -> None:
    seen = findings(match(MatchKind.PDQ), frames=())
    assert applied(exception(pdq=(PICTURE,)), to=seen) == seen


def test_without_digests_no_file_is_excepted() -> None:
    seen = replace(findings(*ALL), digests=None)
    assert applied(exception(sha256=SHA256), to=seen) == seen


def test_another_list_is_not_silenced() -> None:
    seen = findings(*(match(kind, "other") for kind in MatchKind))
    assert applied(exception(sha256=SHA256, pdq=(PICTURE,)), to=seen) == seen


def test_a_list_of_harmless_files_is_left_as_it_is() -> None:
    seen = findings(match(MatchKind.SHA256, is_known_good=True))
    assert applied(exception(sha256=SHA256), to=seen) == seen


def test_what_is_excepted_is_not_said_twice() -> None:
    once = applied(exception(sha256=SHA256), to=findings(*ALL))
    assert applied(exception(sha256=SHA256), to=once) == once
    more = replace(once, matches=ALL[:1])
    assert applied(exception(sha256=SHA256), to=more).excepted == (*ALL, ALL[0])


MATCHES = st.lists(
    st.builds(
        match,
        st.sampled_from(MatchKind),
        st.sampled_from(["national", "other", "third"]),
        is_known_good=st.booleans(),
    ),
    max_size=8,
)
EXCEPTIONS = st.lists(
    st.builds(
        exception,
        sha256=st.sampled_from([SHA256, bytes(32)]),
        md5=st.sampled_from([None, MD5, bytes(16)]),
        pdq=st.sampled_from([(), (PICTURE,), (OTHER_PICTURE,)]),
        lists=st.sampled_from([NATIONAL, HEADER.lists]),
        expires_at=st.sampled_from([None, NOW, NOW + timedelta(days=1)]),
    ),
    max_size=3,
)


@given(MATCHES, EXCEPTIONS)
def test_nothing_is_lost_and_nothing_but_matches_changes(
    matches: list[Match], entries: list[ExceptionEntry]
) -> None:
    before = findings(*matches)
    after = applied(*entries, to=before)
    assert sorted(map(repr, after.matches + after.excepted)) == sorted(map(repr, matches))
    assert replace(after, matches=before.matches, excepted=()) == before
    assert all(one.source.name in HEADER.lists for one in after.excepted)


@given(MATCHES, MATCHES, EXCEPTIONS)
def test_a_further_match_never_takes_another_one_away(
    matches: list[Match], more: list[Match], entries: list[ExceptionEntry]
) -> None:
    before = applied(*entries, to=findings(*matches)).matches
    after = applied(*entries, to=findings(*matches, *more)).matches
    assert set(before) <= set(after)


@given(MATCHES, EXCEPTIONS, st.binary(min_size=32, max_size=32))
def test_a_further_frame_never_takes_a_match_away(
    matches: list[Match], entries: list[ExceptionEntry], picture: bytes
) -> None:
    before = applied(*entries, to=findings(*matches)).matches
    after = applied(*entries, to=findings(*matches, frames=(PICTURE, picture))).matches
    assert set(before) <= set(after)


@pytest.mark.parametrize(
    ("list_ends", "entry_ends", "works"),
    [
        (timedelta(seconds=1), None, True),
        (timedelta(0), None, False),
        (timedelta(seconds=1), timedelta(seconds=1), True),
        (timedelta(seconds=1), timedelta(0), False),
        (timedelta(0), timedelta(days=1), False),
    ],
)
def test_what_has_expired_silences_nothing_and_says_so(
    list_ends: timedelta, entry_ends: timedelta | None, works: bool
) -> None:
    header = replace(HEADER, expires_at=NOW + list_ends)
    ends = None if entry_ends is None else NOW + entry_ends
    one = exception(sha256=SHA256, pdq=(PICTURE,), expires_at=ends)
    in_use = Exceptions(content_of(header, [one]), application="triage", clock=lambda: NOW)
    assert bool(in_use.apply(findings(*ALL)).excepted) is works
    assert in_use.in_force == works
    assert in_use.state == ("own mistakes", 3, int(works))
    assert any("silence" in warning for warning in in_use.warnings) is not works


def test_the_clock_is_the_machine_s_where_no_other_is_given() -> None:
    header = replace(HEADER, expires_at=datetime(9999, 1, 1, tzinfo=UTC))
    content = content_of(header, [exception(sha256=SHA256)])
    assert Exceptions(content, application="triage").in_force == 1


def test_a_bad_line_is_told_of() -> None:
    content = content_of(HEADER, [exception(sha256=SHA256)]) + b"{}\n"
    in_use = Exceptions(content, application="triage", clock=lambda: NOW)
    assert in_use.in_force == 1
    assert in_use.warnings[0].startswith("The exception list own mistakes, line 3, is none:")


KEY = Key.of_seed(b"k" * 32)
OTHER_KEY = Key.of_seed(b"o" * 32)


def named(key: Key, name: str = "examiner") -> NoteKey:
    return NoteKey(name=name, kind=SignatureKind.ED25519, public=key.public)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "mistakes.exceptions"
    place.write_bytes(content_of(HEADER, [exception(sha256=SHA256)]))
    return place


def opened(path: Path, *keys: NoteKey, application: str = "triage") -> Exceptions:
    return open_exceptions(path, application=application, keys=keys, clock=lambda: NOW)


def test_a_list_that_a_pinned_key_signed_is_used(path: Path) -> None:
    assert sign_exceptions(path, name="examiner", key=KEY) == named(KEY)
    for keys in ([named(KEY)], [named(OTHER_KEY, "other"), named(KEY)]):
        assert opened(path, *keys).apply(findings(*ALL)).excepted == ALL


def test_a_list_that_is_not_signed_is_refused(path: Path) -> None:
    with pytest.raises(TrustError, match="is not signed"):
        opened(path, named(KEY))


@pytest.mark.parametrize(
    "keys", [[], [named(OTHER_KEY)], [named(KEY, "other")], [named(OTHER_KEY, "other")]]
)
def test_a_list_that_no_pinned_key_signed_is_refused(path: Path, keys: list[NoteKey]) -> None:
    sign_exceptions(path, name="examiner", key=KEY)
    with pytest.raises(TrustError, match="not signed by a key that the settings pin"):
        opened(path, *keys)


def test_a_list_that_changed_after_it_was_signed_is_refused(path: Path) -> None:
    sign_exceptions(path, name="examiner", key=KEY)
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(TrustError, match="was changed since"):
        opened(path, named(KEY))


def test_a_forged_signature_is_refused(path: Path) -> None:
    sign_exceptions(path, name="examiner", key=KEY)
    signature = path.with_name(path.name + ".sig")
    text = signature.read_text()
    signature.write_text(text.replace("protech exceptions v1", "protech exceptions v2"))
    with pytest.raises(TrustError, match="does not hold"):
        opened(path, named(KEY))


def test_nothing_of_an_unsigned_list_is_read(path: Path) -> None:
    path.write_bytes(b"\xff no list at all")
    with pytest.raises(TrustError, match="is not signed"):
        opened(path, named(KEY))
    with pytest.raises(ListFormatError):
        sign_exceptions(path, name="examiner", key=KEY)


def test_a_list_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no exception list"):
        opened(tmp_path / "none", named(KEY))
    with pytest.raises(SourceError, match="no exception list"):
        sign_exceptions(tmp_path / "none", name="examiner", key=KEY)


def test_nothing_is_excepted_on_a_guarded_person_s_device(path: Path) -> None:
    sign_exceptions(path, name="examiner", key=KEY)
    with pytest.raises(ConfigError, match="guarded person"):
        opened(path, named(KEY), application="guard")
    with pytest.raises(ConfigError, match="guarded person"):
        Exceptions(path.read_bytes(), application="guard")


def test_settings_pin_keys() -> None:
    assert pinned_keys({}) == []
    assert pinned_keys({"exception_keys": [named(KEY).text]}) == [named(KEY)]
    for wrong in ("text", ["no key"], [1]):
        with pytest.raises(ConfigError, match="exception_keys"):
            pinned_keys({"exception_keys": wrong})
