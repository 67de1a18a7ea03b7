"""Many files at once: in order, bounded, and stopped when nobody wants more."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.salus.batch import AHEAD, in_order, judged, verdict
from protech.salus.policy import TRIAGE, Policy
from protech.salus.walk import Found
from protech.types import Findings, Kind, Media, Unscannable, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Judges an item by reading it."""

    seen: list[int] = field(default_factory=list)

    def inspect(self, source: Media) -> Verdict:
        assert source.descriptor is not None
        self.seen.append(len(os.read(source.descriptor, 99)))
        return Policy(settings=TRIAGE).decide(Findings(kind=Kind.IMAGE))

    def unscannable(self, why: Unscannable, *, kind: Kind) -> Verdict:
        return Policy(settings=TRIAGE).decide(Findings(kind=kind, unscannable=why))


@given(st.lists(st.integers(), max_size=200), st.integers(1, 4))
def test_results_come_in_order(items: list[int], threads: int) -> None:
    results = list(in_order(lambda item: item * 2, items, threads=threads))
    assert results == [(item, item * 2) for item in items]


def test_items_are_read_a_bounded_way_ahead() -> None:
    begun = threading.Event()
    read = 0

    def items() -> Iterator[int]:
        nonlocal read
        for number in range(10_000):
            read += 1
            yield number

    results = in_order(lambda item: begun.wait() and item, items(), threads=2)
    threading.Timer(0.1, begun.set).start()
    assert next(results) == (0, 0)
    assert read <= 2 * AHEAD
    results.close()


def test_when_the_caller_stops_the_rest_is_dropped() -> None:
    done: list[int] = []
    results = in_order(done.append, range(100_000), threads=1)
    next(results)
    results.close()
    assert len(done) <= AHEAD + 1


def test_an_error_of_one_item_ends_the_batch() -> None:
    def act(item: int) -> int:
        return 1 // item

    with pytest.raises(ZeroDivisionError):
        list(in_order(act, [1, 0, 1], threads=2))


def test_each_file_gets_its_verdict(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"abc")
    found = [Found(path=tmp_path / "a.jpg"), Found(path=tmp_path / "none.jpg")]
    reader = Reader()
    (_, first), (_, second) = judged(reader, found, workers=1)
    assert reader.seen == [3]
    assert first.findings.unscannable is None
    assert second.findings.unscannable is Unscannable.UNREADABLE
    assert second.findings.kind is Kind.IMAGE


def test_what_the_walk_could_not_read_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    reader = Reader()
    given_up = Found(path=tmp_path / "a", unscannable=Unscannable.UNREADABLE)
    assert verdict(reader, given_up).findings.unscannable is Unscannable.UNREADABLE
    assert reader.seen == []
