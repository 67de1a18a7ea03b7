"""What sightings come to, counted again by hand."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from protech.locate.analysis import (
    FEWEST,
    Span,
    activity,
    aggregates,
    by,
    top_peers,
)
from protech.locate.archive import Archive, row_of
from protech.locate.parquet import Cell, Table
from protech.locate.vault import Vault
from tests.unit.locate.sightings import NOON, record, records

MADE = records(3000)
ROWS = [row_of(one) for one in MADE]


def table_of(path: Path, made: list[dict[str, object]]) -> Table:
    archive = Archive(path, vault=Vault(bytes(32), purpose="sightings"))
    archive.add(0, len(made), made)
    return archive.table()


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    with table_of(tmp_path, MADE) as opened:
        yield opened


def who(row: dict[str, Cell]) -> object:
    return row["pseudonym"] or (row["address"], row["port"])


def test_peers_are_ranked_by_proof_and_only_named_ones_are_there(table: Table) -> None:
    peers = top_peers(table, most=10_000)
    assert {(one.address, one.port) for one in peers} == {
        (row["address"], row["port"]) for row in ROWS if row["level"] in (3, 4)
    }
    ranks = [(one.level, one.delivered, one.entries) for one in peers]
    assert ranks == sorted(ranks, reverse=True)
    first = peers[0]
    its = [row for row in ROWS if (row["address"], row["port"]) == (first.address, first.port)]
    assert first.sightings == len(its)
    assert first.entries == len({row["entry"] for row in its})
    assert first.delivered == sum(row["level"] == 4 for row in its)
    assert len(top_peers(table, most=3)) == 3
    assert first.address not in repr(first)


@pytest.mark.parametrize("group", ["country", "entry"])
def test_groups_count_sightings_and_peers(group: str, table: Table) -> None:
    rows = by(group, table)  # type: ignore[arg-type]
    assert sum(row.sightings for row in rows) == len(ROWS)
    for row in rows:
        its = [one for one in ROWS if (one[group] or "") == row.name]
        assert row.peers == len({who(one) for one in its})
        proved = {who(one) for one in its if one["level"] == 4}
        claimed = {who(one) for one in its if one["level"] in (3, 4)}
        assert (row.claiming, row.delivering) == (len(claimed), len(proved))


def test_operators_have_a_number_and_a_name_where_there_is_one(table: Table) -> None:
    names = {row.name for row in by("operator", table)}
    assert names == {"", "AS64496 Lab network A", "AS64497 Lab network B", "AS64498"}


def test_activity_is_by_hour_and_level(table: Table) -> None:
    rows = activity(table)
    assert sum(row.sightings for row in rows) == len(ROWS)
    assert len({(row.at, row.level) for row in rows}) == len(rows)
    assert all(row.at.minute == 0 for row in rows)
    days = activity(table, every=timedelta(days=1))
    assert {row.at.hour for row in days} == {0}


def test_a_span_begins_with_its_start_and_ends_before_its_end(tmp_path: Path) -> None:
    made = [record(at=NOON + timedelta(hours=i), entry=f"E{i}") for i in range(4)]
    with table_of(tmp_path, made) as table:
        span = Span(start=NOON + timedelta(hours=1), end=NOON + timedelta(hours=3))
        assert {row.name for row in by("entry", table, span=span)} == {"E1", "E2"}
        assert top_peers(table, span=span)[0].sightings == 2
        assert len(activity(table, span=span)) == 2


def test_an_export_names_no_peer_no_entry_and_no_small_group(tmp_path: Path) -> None:
    crowd = [record(address=f"198.18.1.{i}", country="XA") for i in range(FEWEST)]
    few = [record(address=f"198.18.2.{i}", country="XB") for i in range(FEWEST - 1)]
    with table_of(tmp_path, crowd + few) as table:
        exported = aggregates(table)
        text = json.dumps(exported)
    countries = exported["countries"]
    assert countries == [
        {"name": "XA", "sightings": 5, "peers": 5, "claiming": 5, "delivering": 0}
    ]
    for hidden in ("198.18", "6881", "E1", "XB"):
        assert hidden not in text


def test_how_few_of_a_group_did_more_is_not_exported(tmp_path: Path) -> None:
    made = [
        record(address=f"198.18.1.{i}", country="XA", level=4 if i == 0 else 3)
        for i in range(FEWEST)
    ]
    with table_of(tmp_path, made) as table:
        exported = aggregates(table)
    assert exported["countries"] == [
        {"name": "XA", "sightings": 5, "peers": 5, "claiming": 5, "delivering": None}
    ]


def test_small_groups_are_exported_together_where_they_are_many(tmp_path: Path) -> None:
    made = [
        record(address=f"198.18.3.{i}", country=country)
        for i, country in enumerate(["XC", "XC", "XD", "XD", "XE"])
    ]
    with table_of(tmp_path, made) as table:
        exported = aggregates(table)
    assert exported["countries"] == [
        {"name": "other", "sightings": 5, "peers": 5, "claiming": 5, "delivering": 0}
    ]
    assert exported["days"] == [{"day": "2026-11-28", "level": 3, "sightings": 5}]
