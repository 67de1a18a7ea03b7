"""What a signed paper tells of itself."""

from datetime import UTC, datetime
from hashlib import sha256

from protech.locate.papers import ClockReading, Quorum
from tests.authorised import MAGISTRATE, OPERATORS, authorisation, request


def test_a_paper_is_called_by_the_digest_of_its_text() -> None:
    paper = authorisation()
    assert paper.sha256 == sha256(paper.text.encode()).digest()


def test_a_paper_knows_its_signers() -> None:
    paper = authorisation()
    assert paper.signers == {MAGISTRATE.public}
    assert request(paper).signers == {one.public for one in OPERATORS[:2]}


def test_a_quorum_counts_its_own_keys_alone() -> None:
    quorum = Quorum(keys=frozenset({b"a", b"b"}), threshold=2)
    assert [quorum.count(frozenset(keys)) for keys in ([], [b"a", b"c"], [b"b", b"a"])] == [
        0,
        1,
        2,
    ]


def test_neither_keys_nor_texts_are_shown() -> None:
    shown = repr(authorisation())
    assert "public" not in shown
    assert '"case"' not in shown


def test_a_reading_tells_records_the_time_and_its_error() -> None:
    at = datetime(2026, 11, 28, 13, 26, 0, 123999, tzinfo=UTC)
    reading = ClockReading(at=at, is_synchronised=True, error_ms=2.5)
    assert reading.fields == {
        "at": "2026-11-28T13:26:00.123Z",
        "clock": {"synchronised": True, "error_ms": 2.5},
    }
