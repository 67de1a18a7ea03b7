"""The limit of a proof request holds, whoever counts."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.db import Database
from protech.evidence.canonical import canonical
from protech.locate.ledger import (
    FORMAT_VERSION,
    SQLITE_SCHEMA,
    Ledger,
    SharedTally,
    Tally,
    spent_in,
)
from protech.locate.vault import Vault

REQUEST, OTHER = bytes(32), bytes(range(32))
VAULT = Vault(bytes(32), purpose="pieces")


def opened(folder: Path) -> Database:
    return Database.open(folder / "pieces.db", schema=SQLITE_SCHEMA, version=FORMAT_VERSION)


@pytest.fixture(params=["own", "shared"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "own":
        yield Tally()
        return
    with opened(tmp_path) as store:
        yield SharedTally(store, vault=VAULT)


def test_a_limit_is_kept_and_each_request_has_its_own(ledger: Ledger) -> None:
    assert [ledger.take(REQUEST, limit=2) for _ in range(3)] == [True, True, False]
    assert ledger.take(OTHER, limit=1)
    ledger.give_back(REQUEST)
    assert [ledger.take(REQUEST, limit=2) for _ in range(2)] == [True, False]
    assert not ledger.take(OTHER, limit=0)


def test_giving_back_never_goes_below_nothing(ledger: Ledger) -> None:
    ledger.give_back(REQUEST)
    assert [ledger.take(REQUEST, limit=1) for _ in range(2)] == [True, False]
    for _ in range(3):
        ledger.give_back(REQUEST)
    assert [ledger.take(REQUEST, limit=1) for _ in range(2)] == [True, False]


def test_what_was_spent_before_counts() -> None:
    tally = Tally({REQUEST: 2})
    assert [tally.take(REQUEST, limit=3) for _ in range(2)] == [True, False]


def test_a_shared_ledger_survives(tmp_path: Path) -> None:
    for expected in (True, True, False):
        with opened(tmp_path) as store:
            assert SharedTally(store, vault=VAULT).take(REQUEST, limit=2) is expected


def test_several_at_once_take_no_more_than_the_limit(tmp_path: Path) -> None:
    opened(tmp_path).close()

    def taken(_: int) -> int:
        with closing(opened(tmp_path)) as store:
            tally = SharedTally(store, vault=VAULT)
            return sum(tally.take(REQUEST, limit=25) for _ in range(10))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(taken, range(4))) == 25


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 5))
def test_never_more_than_the_limit_is_out(acts: list[bool], limit: int) -> None:
    tally = Tally()
    out = 0
    for is_taken in acts:
        if is_taken:
            out += tally.take(REQUEST, limit=limit)
        else:
            tally.give_back(REQUEST)
            out = max(0, out - 1)
        assert out <= limit


def test_what_the_log_shows_was_spent(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        tally = SharedTally(store, vault=VAULT)
        tally.know({REQUEST: 2})
        assert [tally.take(REQUEST, limit=3) for _ in range(2)] == [True, False]
        tally.know({REQUEST: 1, OTHER: 1})
        assert not tally.take(REQUEST, limit=3)
        assert not tally.take(OTHER, limit=1)


def test_the_table_does_not_name_requests(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        SharedTally(store, vault=VAULT).take(OTHER, limit=1)
    assert not any(OTHER in path.read_bytes() for path in tmp_path.iterdir())


def test_pieces_that_came_are_counted_out_of_records() -> None:
    def record(kind: str, outcome: str, request: bytes | None) -> bytes:
        told = {"kind": kind, "outcome": outcome, "request_sha256": request and request.hex()}
        return canonical(told)

    records = [
        record("sighting", "served", REQUEST),
        record("sighting", "bad_piece", REQUEST),
        record("sighting", "timed_out", REQUEST),
        record("sighting", "served", OTHER),
        record("sighting", "served", None),
        record("proof_request", "", REQUEST),
    ]
    assert spent_in(records) == {REQUEST: 2, OTHER: 1}
