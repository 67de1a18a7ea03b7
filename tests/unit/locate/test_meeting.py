"""Speaking to one peer: whose turn it is, and who must have given leave."""

import asyncio

import pytest

from protech.locate import meeting
from protech.locate.adapter import Endpoint, Level, Outcome
from tests.unit.locate.test_observe import (
    GRANT,
    TARGET,
    Mandated,
    Polite,
    Stage,
    Swarm,
    named,
    peer,
)


@pytest.mark.parametrize("outcome", [Outcome.CHOKED, Outcome.REFUSED, Outcome.CLAIMED])
def test_leave_under_which_no_piece_came_is_given_back(outcome: Outcome) -> None:
    swarm = Swarm([named(1)], {1: Level.CLAIMS})
    swarm.proves = Level.CLAIMS, outcome
    stage = Stage(swarm, mandate=Mandated(grant=GRANT))
    stage.look()
    assert (stage.mandate.given_back, stage.manners.given_back) == (1, 1)


@pytest.mark.parametrize("outcome", [Outcome.BAD_PIECE, Outcome.WEAK_PIECE])
def test_leave_is_spent_where_a_piece_came_that_proves_nothing(outcome: Outcome) -> None:
    swarm = Swarm([named(1)], {1: Level.CLAIMS})
    swarm.proves = Level.CLAIMS, outcome
    stage = Stage(swarm, mandate=Mandated(grant=GRANT))
    stage.look()
    assert (stage.mandate.given_back, stage.manners.given_back) == (0, 0)


@pytest.mark.parametrize("level", [Level.MENTIONED, Level.ANSWERS, Level.HANDSHAKE])
def test_who_claims_nothing_is_asked_for_nothing(level: Level) -> None:
    stage = Stage(Swarm([named(1)], {1: level}), mandate=Mandated(grant=GRANT))
    stage.look()
    assert stage.swarm.asked == []


def test_without_leave_without_manners_or_outside_nothing_is_asked_for() -> None:
    def asked(**parts: object) -> list[Endpoint]:
        swarm = Swarm([named(1)], {1: Level.CLAIMS})
        given = {"mandate": Mandated(grant=GRANT), **parts}
        Stage(swarm, **given).look()  # type: ignore[arg-type]
        return swarm.asked

    assert asked() == [peer(1)]
    assert asked(mandate=Mandated()) == []
    assert asked(manners=Polite(asks=False)) == []
    assert asked(countries=({peer(1): "DE"}, {})) == []


def test_one_peer_is_spoken_to_about_one_file_at_a_time() -> None:
    swarm = Swarm([named(1)])
    stage = Stage(swarm)
    most = 0

    async def looking() -> None:
        nonlocal most
        writing = asyncio.ensure_future(stage.journal.running())
        looks = [asyncio.ensure_future(stage.observer.look(TARGET)) for _ in range(4)]
        while not all(one.done() for one in looks):
            most = max(most, swarm.open)
            await asyncio.sleep(0)
        stage.journal.close()
        await writing

    asyncio.run(looking())
    assert (len(swarm.probed), most) == (4, 1)


def test_where_there_is_no_room_a_peer_is_met_a_little_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(meeting, "FULL_S", 0)
    stage = Stage(Swarm([named(1)]), manners=Polite(full=3))
    assert stage.look().left_alone == 0
    assert (stage.swarm.probed, stage.manners.turns) == ([peer(1)], 4)


def test_where_room_never_comes_a_peer_is_left_for_the_next_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(meeting, "FULL_S", 0)
    stage = Stage(Swarm([named(1)]), manners=Polite(full=10_000))
    assert stage.look().left_alone == 1
