"""The verdict cache: bounded, keyed by what verdicts rest on, silent about passing trouble."""

import pytest

from protech.salus.cache import PASSING, Key, VerdictCache
from protech.types import Decision, Findings, Kind, Reason, Unscannable, Verdict


def verdict(unscannable: Unscannable | None = None) -> Verdict:
    return Verdict(
        decision=Decision.ALLOW,
        reason=Reason.NONE,
        rule=8,
        policy="guard-1/test",
        findings=Findings(kind=Kind.IMAGE, unscannable=unscannable),
    )


def key(digest: bytes, *, policy: str = "guard-1/test") -> Key:
    return (digest, None, (), (), policy, ())


def test_finds_what_was_kept_under_the_same_policy_only() -> None:
    cache = VerdictCache()
    kept = verdict()
    cache.keep(key(b"a"), kept)
    assert cache.find(key(b"a")) is kept
    assert cache.find(key(b"a", policy="guard-2/test")) is None


def test_least_recently_used_leaves_first() -> None:
    cache = VerdictCache(entries=2)
    for name in (b"a", b"b"):
        cache.keep(key(name), verdict())
    assert cache.find(key(b"a"))
    cache.keep(key(b"c"), verdict())
    assert cache.find(key(b"b")) is None
    assert cache.find(key(b"a"))
    assert len(cache) == 2


@pytest.mark.parametrize("why", sorted(PASSING))
def test_passing_trouble_is_measured_again(why: Unscannable) -> None:
    cache = VerdictCache()
    cache.keep(key(b"a"), verdict(why))
    assert cache.find(key(b"a")) is None


def test_lasting_trouble_is_kept() -> None:
    cache = VerdictCache()
    cache.keep(key(b"a"), verdict(Unscannable.CORRUPT))
    assert cache.find(key(b"a"))
