"""A run over a real case, list, papers and log; only the network is a given one."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from protech.errors import AuthorityError, ConfigError
from protech.locate import filed, upkeep
from protech.locate.adapter import Level, Network
from protech.locate.case import Case, create_case, join_case
from protech.locate.demo.office import publish_list
from protech.locate.demo.people import CASE, People, found_authority, sign_papers
from protech.locate.documents import canonical, make_timestamp, sign
from protech.locate.equipment import LEDGER, SEEN, Order, equipped
from protech.locate.filed import REQUESTS, TIMESTAMP
from protech.locate.outfit import Outfit
from protech.locate.papers import Timestamp
from protech.locate.place import lab_databases
from protech.locate.run import run
from protech.locate.vantage import Vantage
from protech.signing import verify
from tests.unit.lists.test_fetch_keys import TORRENT
from tests.unit.locate.test_observe import Swarm, named


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A case that is ready to run, and who signed its papers."""

    case: Case
    order: Order
    people: People

    @asynccontextmanager
    async def outfit(self, swarm: Swarm) -> AsyncIterator[Outfit]:
        async with equipped(self.case, self.order) as outfit:
            yield replace(outfit, adapters={Network.BITTORRENT: swarm})

    def records(self) -> list[dict[str, Any]]:
        with self.case.open_log() as log:
            return [json.loads(one.content) for one in log.read()]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    now = datetime.now(UTC)
    office = publish_list(tmp_path / "office", [TORRENT], now)
    people = People.fresh()
    anchors = found_authority(tmp_path, people, office)
    case = create_case(tmp_path / "case", name=CASE, is_lab=True, recipients=anchors.recipients)
    networks = frozenset({Network.BITTORRENT})
    name = office.list_name
    sign_papers(case.papers, people, anchors, list_name=name, networks=networks, now=now)
    order = Order(
        list_name=name,
        anchors=anchors,
        device=office.device,
        vantage=Vantage(),
        databases=lab_databases(),
    )
    return Made(case=case, order=order, people=people)


def carried_out(
    made: Made,
    swarm: Swarm,
    *,
    is_one_round: bool = True,
    beside: Callable[[Outfit, asyncio.Event], object] = lambda _outfit, _stop: None,
) -> str:
    async def carry_out() -> str:
        async with made.outfit(swarm) as outfit:
            stop = asyncio.Event()
            asyncio.get_running_loop().call_soon(beside, outfit, stop)
            ended = await run(outfit, stop, is_one_round=is_one_round)
            assert ended.is_by_authority == ("in force" in ended.reason)
            return ended.reason

    return asyncio.run(carry_out())


def test_one_round_is_recorded_from_what_it_stands_on_to_why_it_ended(made: Made) -> None:
    assert carried_out(made, Swarm([named(1)], {1: Level.CLAIMS})) == "one round was asked for"
    records = made.records()
    assert [one["kind"] for one in records] == [
        "run", "proof_request", "entry", "sighting", "counts", "stop",
    ]  # fmt: skip
    first, request, _, sighting, _, last = records
    assert (first["case"], first["lab"], first["list"]["keys"]) == (CASE, True, 1)
    assert first["authorisation"]["powers"] == ["observe", "prove"]
    [signature] = first["authorisation_signatures"]
    assert verify(
        bytes.fromhex(signature["public_key"]),
        canonical(first["authorisation"]),
        bytes.fromhex(signature["signature"]),
    )
    assert len(request["signatures"]) == 2
    assert (sighting["level"], sighting["run"]) == (4, 0)
    assert sighting["request_sha256"] == request["request_sha256"]
    assert sighting["place"]["verdict"] == "inside"
    assert last["reason"] == "one round was asked for"


def test_all_that_is_recorded_is_signed_when_it_ends(made: Made) -> None:
    carried_out(made, Swarm([named(1)]))
    with made.case.open_log() as log:
        assert log.last_checkpoint is not None
        assert log.last_checkpoint.size == log.size


def test_a_target_is_not_looked_for_again_before_it_is_due(made: Made) -> None:
    swarm = Swarm([named(1)])
    carried_out(made, swarm)
    carried_out(made, swarm)
    assert len(swarm.probed) == 1
    assert [one["kind"] for one in made.records()].count("run") == 2


def test_it_ends_when_it_is_told_to(made: Made) -> None:
    def tell(_: Outfit, stop: asyncio.Event) -> None:
        stop.set()

    reason = carried_out(made, Swarm([named(1)]), is_one_round=False, beside=tell)
    assert reason == "it was told to stop"
    assert made.records()[-1]["reason"] == reason


def revoked(made: Made) -> bytes:
    terms = Timestamp(
        at=datetime.now(UTC).replace(microsecond=0), in_force=frozenset({bytes(32)})
    )
    return sign(make_timestamp(terms), made.people.clerk).content


def test_a_revoked_authorisation_ends_it_and_the_log_says_so(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "PAPERS_S", 0.0)

    def revoke(_: Outfit, __: asyncio.Event) -> None:
        (made.case.papers / TIMESTAMP).write_bytes(revoked(made))

    swarm = Swarm([named(i) for i in range(400)])
    reason = carried_out(made, swarm, is_one_round=False, beside=revoke)
    assert "not among those in force" in reason
    assert made.records()[-1] == {**made.records()[-1], "kind": "stop", "reason": reason}
    assert len(swarm.probed) < 400


def test_a_request_that_is_signed_while_it_runs_is_taken(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "PAPERS_S", 0.0)
    [request] = (made.case.papers / REQUESTS).iterdir()
    kept = request.read_bytes()
    request.unlink()

    def approve(outfit: Outfit, stop: asyncio.Event) -> None:
        request.write_bytes(kept)
        _stop_once(outfit, stop)

    def _stop_once(outfit: Outfit, stop: asyncio.Event) -> None:
        if outfit.clearance.requests:
            stop.set()
        else:
            asyncio.get_running_loop().call_later(0.01, _stop_once, outfit, stop)

    carried_out(made, Swarm([]), is_one_round=False, beside=approve)
    assert "proof_request" in [one["kind"] for one in made.records()]


def test_a_paper_that_is_half_written_is_left_alone(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "PAPERS_S", 0.0)

    def cut(_: Outfit, stop: asyncio.Event) -> None:
        (made.case.papers / TIMESTAMP).write_bytes(b'{"document":')
        (made.case.papers / REQUESTS / "0.json").write_bytes(b"")
        monkeypatch.setattr(filed, "REQUEST_FILES", 1)
        asyncio.get_running_loop().call_later(0.1, stop.set)

    reason = carried_out(made, Swarm([named(1)]), is_one_round=False, beside=cut)
    assert reason == "it was told to stop"


def test_a_log_that_cannot_be_written_ends_it(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(outfit: Outfit, _: asyncio.Event) -> None:
        def refuse(_: object) -> range:
            raise ConfigError("The disk is full.")

        monkeypatch.setattr(outfit.log, "append", refuse)

    with pytest.raises(ConfigError, match="disk is full"):
        carried_out(made, Swarm([named(1)]), beside=fill)


def test_two_runs_never_have_one_case(made: Made) -> None:
    async def twice() -> None:
        async with made.outfit(Swarm([])), made.outfit(Swarm([])):
            pass

    with pytest.raises(ConfigError, match="Another process appends"):
        asyncio.run(twice())


def test_an_older_timestamp_does_not_take_a_revocation_back(made: Made) -> None:
    kept = (made.case.papers / TIMESTAMP).read_bytes()
    (made.case.papers / TIMESTAMP).write_bytes(revoked(made))
    with pytest.raises(AuthorityError, match="not among those in force"):
        carried_out(made, Swarm([]))
    (made.case.papers / TIMESTAMP).write_bytes(kept)
    with pytest.raises(AuthorityError, match="bring a newer one"):
        carried_out(made, Swarm([]))
    assert made.records() == []


def test_a_revocation_in_a_run_is_not_taken_back_by_starting_again(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "PAPERS_S", 0.0)
    kept = (made.case.papers / TIMESTAMP).read_bytes()

    def revoke(_: Outfit, __: asyncio.Event) -> None:
        (made.case.papers / TIMESTAMP).write_bytes(revoked(made))

    swarm = Swarm([named(i) for i in range(400)])
    carried_out(made, swarm, is_one_round=False, beside=revoke)
    (made.case.papers / TIMESTAMP).write_bytes(kept)
    with pytest.raises(AuthorityError, match="bring a newer one"):
        carried_out(made, Swarm([]))


def test_what_was_seen_is_not_forgotten_with_its_file(made: Made) -> None:
    carried_out(made, Swarm([named(1)]))
    (made.case.folder / SEEN).unlink()
    with pytest.raises(AuthorityError, match="bring a newer one"):
        carried_out(made, Swarm([]))


def test_pieces_stay_spent_where_their_table_is_gone(made: Made) -> None:
    carried_out(made, Swarm([named(1)], {1: Level.CLAIMS}))
    [request] = [one for one in made.records() if one["kind"] == "proof_request"]
    for path in made.case.folder.glob(f"{LEDGER}*"):
        path.unlink()

    async def spent() -> int:
        async with made.outfit(Swarm([])) as outfit:
            taken, target = 0, outfit.watch.targets[0]
            with suppress(AuthorityError):
                while True:
                    outfit.clearance.may_prove(target)
                    taken += 1
            return taken

    assert asyncio.run(spent()) == json.loads(request["request"])["pieces"] - 1


def test_a_vantage_that_counts_for_itself_alone_asks_for_nothing(
    made: Made, tmp_path: Path
) -> None:
    joined = join_case(tmp_path / "second", made.case, vantage="second")
    shutil.copytree(made.case.papers, joined.papers)
    with pytest.raises(ConfigError, match="has no `postgres`"):
        carried_out(replace(made, case=joined), Swarm([]))
    with pytest.raises(ConfigError, match="has no `postgres`"):
        carried_out(made, Swarm([]))
