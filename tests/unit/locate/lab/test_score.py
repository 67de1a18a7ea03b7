"""The score: what counts as right at each level, and what is missed."""

import json
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from protech.lists.fetch_key import Ed2kFile
from protech.locate.adapter import (
    Endpoint,
    Level,
    ListName,
    Network,
    Outcome,
    Proof,
    Sighting,
    Target,
    Transport,
)
from protech.locate.lab.plan import Kind
from protech.locate.lab.score import Seen, Share, read_score, score, seen_by, seen_in
from protech.locate.lab.truth import Fact, Truth


def fact(
    port: int, kind: Kind, *, pieces: frozenset[int] = frozenset(), delivers: bool
) -> Fact:
    return Fact(
        kind=kind,
        address="127.0.0.9",
        port=port,
        number=0,
        pieces=pieces,
        delivers=delivers,
        transports=("tcp",),
        group=kind,
    )


TRUTH = Truth(
    seed=1,
    facts=(
        fact(1, Kind.SEED, pieces=frozenset({1, 2}), delivers=True),
        fact(2, Kind.UTP_ONLY, pieces=frozenset({2}), delivers=True),
        fact(3, Kind.RELAY, delivers=True),
        fact(4, Kind.LIAR, delivers=False),
    ),
)


def seen(port: int, level: Level, *, piece: int | None = None, transport: str = "tcp") -> Seen:
    return Seen(
        address="127.0.0.9", port=port, number=0, level=level, transport=transport, piece=piece
    )


def test_a_lie_is_wrong_at_the_level_of_claims_and_below() -> None:
    found = score([seen(1, Level.CLAIMS), seen(4, Level.CLAIMS)], TRUTH)
    assert [found.precision[level] for level in "0123"] == [Share(hits=1, of=2)] * 4
    assert found.mistakes == {f"{level}/liar": 1 for level in range(4)}
    assert "4" not in found.precision


def test_a_proof_is_right_where_a_held_piece_came_from_there() -> None:
    assert score([seen(1, Level.DELIVERED, piece=2)], TRUTH).proofs == Share(hits=1, of=1)
    assert score([seen(2, Level.DELIVERED, piece=1)], TRUTH).proofs == Share(hits=0, of=1)
    assert score([seen(4, Level.DELIVERED, piece=1)], TRUTH).proofs == Share(hits=0, of=1)


def test_a_relays_proof_is_right_its_claim_is_not_and_it_is_counted() -> None:
    found = score([seen(3, Level.DELIVERED, piece=7)], TRUTH)
    assert found.precision["4"] == Share(hits=1, of=1)
    assert found.precision["3"] == Share(hits=0, of=1)
    assert found.relayed == 1


def test_an_address_nobody_has_is_a_mistake() -> None:
    assert score([seen(99, Level.MENTIONED)], TRUTH).mistakes == {"0/unknown": 1}


def test_a_peer_counts_once_at_its_highest_level() -> None:
    sightings = [
        seen(1, Level.CLAIMS),
        seen(1, Level.DELIVERED, piece=1),
        seen(1, Level.ANSWERS),
    ]
    found = score(sightings, TRUTH)
    assert found.precision["3"] == found.precision["4"] == Share(hits=1, of=1)


def test_recall_is_of_holders_by_level_and_kind() -> None:
    found = score([seen(1, Level.DELIVERED, piece=1), seen(2, Level.ANSWERS)], TRUTH)
    assert found.recall["4"] == Share(hits=1, of=2)
    assert found.recall["1"] == Share(hits=2, of=2)
    assert found.recall["3/utp_only"] == Share(hits=0, of=1)


def test_precision_is_told_by_transport_from_claims_on() -> None:
    found = score([seen(2, Level.DELIVERED, piece=2, transport="utp")], TRUTH)
    assert found.precision["4/utp"] == Share(hits=1, of=1)
    assert "2/utp" not in found.precision


def test_runs_add_up() -> None:
    one = score([seen(1, Level.DELIVERED, piece=1)], TRUTH)
    other = score([seen(4, Level.CLAIMS)], TRUTH)
    both = one + other
    assert both.precision["3"] == Share(hits=1, of=2)
    assert both.recall["4"] == Share(hits=1, of=4)
    assert both.mistakes == other.mistakes


def test_what_is_written_as_json_is_read() -> None:
    found = score([seen(1, Level.DELIVERED, piece=1), seen(4, Level.CLAIMS)], TRUTH)
    assert read_score(json.loads(json.dumps(found.fields))) == found


def test_a_share_of_nothing_has_no_interval() -> None:
    assert Share().fields == {"hits": 0, "of": 0}
    assert Share().value is None


def test_a_sighting_and_its_record_say_the_same() -> None:
    now = datetime(2026, 11, 28, tzinfo=UTC)
    target = Target(
        entry="e",
        number=3,
        list_name=ListName(name="l", version=1, sha256=bytes(32)),
        key=Ed2kFile(md4=bytes(16), aich=bytes(20), size_bytes=1),
    )
    sighting = Sighting(
        entry="e",
        network=Network.ED2K,
        level=Level.DELIVERED,
        outcome=Outcome.SERVED,
        peer=Endpoint(address=ip_address("127.0.0.9"), port=5),
        transport=Transport.TCP,
        started_at=now,
        ended_at=now,
        proof=Proof(
            piece=4,
            offset_bytes=0,
            length_bytes=1,
            digest=b"",
            sha256=b"",
            distinct_bytes=1,
        ),
    )
    record = {
        "kind": "sighting",
        "peer": {"address": "127.0.0.9", "port": 5},
        "number": 3,
        "level": 4,
        "transport": "tcp",
        "proof": {"piece": 4},
    }
    assert seen_in(record) == seen_by(sighting, target)


@pytest.mark.parametrize(
    "record", [{"kind": "run"}, {"kind": "sighting", "peer": {"pseudonym": "00"}}]
)
def test_a_record_without_an_address_is_left_out(record: dict[str, object]) -> None:
    assert seen_in(record) is None
