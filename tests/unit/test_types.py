"""Values refuse what makes no sense and show nothing private."""

import pytest

from protech.types import Decision, Digests, ListRef, Match, MatchKind, Media, PdqHash


def test_media_takes_one_source() -> None:
    with pytest.raises(ValueError, match="either"):
        Media(size_bytes=1)
    with pytest.raises(ValueError, match="either"):
        Media(content=b"x", descriptor=3, size_bytes=1)


def test_severity_orders_decisions() -> None:
    ranked = sorted(Decision, key=lambda decision: decision.severity)
    assert ranked == [Decision.ALLOW, Decision.REVIEW, Decision.BLOCK]


def test_repr_shows_no_content_digest_hash_or_entry() -> None:
    source = ListRef(name="own", version=1)
    values = (
        Media(content=b"secret", size_bytes=6),
        Digests(md5=b"secret", sha1=b"secret", sha256=b"secret"),
        PdqHash(bits=b"secret", quality=100),
        Match(source=source, kind=MatchKind.PDQ, entry="secret"),
    )
    assert all("secret" not in repr(value) for value in values)
