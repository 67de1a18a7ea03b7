import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import ip_address

import pytest

from protech.lists.fetch_keys import key_line
from protech.locate.adapter import (
    Claims,
    Endpoint,
    Level,
    Network,
    Outcome,
    Proof,
    Sighting,
    Source,
    Transport,
)
from protech.locate.papers import ClockReading
from protech.locate.records import (
    Record,
    Run,
    counts_record,
    entry_record,
    pseudonym,
    request_record,
    run_record,
    sighting_record,
    stop_record,
    utc_text,
)
from tests.unit.lists.test_fetch_keys import ALL_KINDS
from tests.unit.locate.test_identify import watch

NOW = datetime(2026, 11, 28, 13, 0, 0, 123456, tzinfo=UTC)
CLOCK = ClockReading(at=NOW, is_synchronised=True, error_ms=1.5)
WATCH = watch(*ALL_KINDS)
TARGET = WATCH.targets[0]
KEY = bytes(32)
PEER = Endpoint(address=ip_address("198.18.7.9"), port=6881)
LOCAL = Endpoint(address=ip_address("198.18.0.1"), port=40000)

SIGHTING = Sighting(
    entry=TARGET.entry,
    network=Network.BITTORRENT,
    level=Level.DELIVERED,
    outcome=Outcome.SERVED,
    peer=PEER,
    local=LOCAL,
    transport=Transport.MSE,
    started_at=NOW,
    ended_at=NOW + timedelta(seconds=1),
    sources=(Source.TRACKER, Source.DHT),
    attempts=2,
    client_id=b"-LT2110-abcdefghijkl",
    client_name="libtorrent 2.1",
    claims=Claims(held=3, total=4, listed_held=1, listed_total=2, bitfield_sha256=bytes(32)),
    proof=Proof(
        piece=1,
        offset_bytes=0,
        length_bytes=16384,
        digest=bytes(20),
        sha256=bytes(32),
        distinct_bytes=256,
    ),
    transcript=b"{}",
)


def recorded(level: Level) -> Record:
    return sighting_record(
        replace(SIGHTING, level=level),
        TARGET,
        CLOCK,
        case="case",
        run=0,
        pseudonym_key=KEY,
        place={"verdict": "inside"},
        request_sha256=bytes(32),
    )


def test_a_moment_is_written_in_utc_to_the_millisecond() -> None:
    paris = timezone(timedelta(hours=1))
    assert utc_text(NOW.astimezone(paris)) == "2026-11-28T13:00:00.123Z"
    with pytest.raises(ValueError, match="time zone"):
        utc_text(NOW.replace(tzinfo=None))


@pytest.mark.parametrize("level", [Level.CLAIMS, Level.DELIVERED])
def test_from_a_claim_on_a_record_names_the_address_and_holds_the_conversation(
    level: Level,
) -> None:
    record = recorded(level)
    assert record["peer"] == {"address": "198.18.7.9", "port": 6881}
    assert record["local"] == {"address": "198.18.0.1", "port": 40000}
    assert record["transcript"] == "e30="
    assert record["level"] == level
    assert json.loads(json.dumps(record)) == record


@pytest.mark.parametrize("level", [Level.MENTIONED, Level.ANSWERS, Level.HANDSHAKE])
def test_below_a_claim_no_record_names_an_address_or_what_is_there(level: Level) -> None:
    text = json.dumps(recorded(level))
    assert "198.18.7.9" not in text
    assert "libtorrent" not in text
    assert pseudonym(PEER, KEY) in text
    assert ('"transcript": null' in text) == (level < Level.HANDSHAKE)


def test_a_pseudonym_is_of_one_case_and_one_port() -> None:
    other = replace(PEER, port=1)
    assert len({pseudonym(PEER, KEY), pseudonym(other, KEY), pseudonym(PEER, b"x" * 32)}) == 3


def test_nothing_that_is_not_there_is_made_up() -> None:
    bare = replace(
        SIGHTING, claims=None, proof=None, transport=None, local=None, client_id=None
    )
    record = sighting_record(bare, TARGET, CLOCK, case="c", run=0, pseudonym_key=KEY)
    for name in ("claims", "proof", "transport", "local", "place", "request_sha256"):
        assert record[name] is None


def test_a_run_names_all_that_it_stands_on() -> None:
    run = Run(
        case="case",
        authorisation={"id": "A-1"},
        authorisation_sha256=bytes(32),
        timestamp_sha256=bytes(32),
        watch=WATCH,
        commit="abc",
        code="c0de",
        is_lab=True,
        databases=[{"name": "lab"}],
    )
    record = run_record(run, CLOCK)
    assert record["list"] == {
        "name": WATCH.list_name.name,
        "version": WATCH.list_name.version,
        "sha256": WATCH.list_name.sha256.hex(),
        "issuer": WATCH.issuer,
        "keys": 3,
        "tree_root": WATCH.tree_root.hex(),
    }
    assert (record["lab"], record["authorisation"]) == (True, {"id": "A-1"})
    assert json.loads(json.dumps(record)) == record


def test_an_entry_holds_its_line_and_its_place_in_the_list() -> None:
    record = entry_record(TARGET, WATCH, CLOCK)
    assert record["line"] == key_line(TARGET.key).decode()
    assert record["proof"] == [node.hex() for node in WATCH.proof_of(TARGET)]


def test_the_other_records_say_what_they_are() -> None:
    request = request_record("{}", bytes(32), [{"operator": "a"}], CLOCK)
    assert (request["kind"], request["signatures"]) == ("proof_request", [{"operator": "a"}])
    assert counts_record({"outside": 3}, CLOCK)["counts"] == {"outside": 3}
    assert stop_record("expired", CLOCK)["reason"] == "expired"
