"""Time stamps of a case, whole: a run without its authority, one with it, report and verifier.

The authority is openssl's, served over HTTP on loopback; a real client shares the listed file.
"""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from protech.evidence.case_check import check_case
from protech.evidence.stamp import Stamps
from protech.lists.fetch_key import TorrentFile
from protech.locate.adapter import Level, Network
from protech.locate.anchors import FILE, anchors_content, lab_anchors
from protech.locate.case import STAMPS, Case, create_case
from protech.locate.demo.office import publish_list
from protech.locate.demo.people import CASE, People, found_authority, sign_papers
from protech.locate.equipment import Order, equipped
from protech.locate.lab.trackers import Announced, Registry, serve_http
from protech.locate.papers import StampAuthority
from protech.locate.place import lab_databases
from protech.locate.report.gather import of_log, packs_of
from protech.locate.report.words import Language
from protech.locate.report.write import compose, save
from protech.locate.run import Ended, run
from protech.locate.vantage import Vantage
from protech.settings import private_directory, write_private
from tests import seeds
from tests.loops import in_own_loop, loop_apart
from tests.stamping import Authority, served

pytestmark = [pytest.mark.needs("openssl"), pytest.mark.needs("pdftotext")]

HOLDER = "127.0.0.5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A case of a lab, what a run of it asks for, and where its stamps' authority listens."""

    case: Case
    order: Order
    authority: Authority
    port: int

    @property
    def stamps(self) -> Stamps:
        return Stamps(self.case.folder / STAMPS)

    def run(self) -> Ended:
        async def once() -> Ended:
            async with equipped(self.case, self.order) as outfit:
                return await run(outfit, asyncio.Event(), is_one_round=True)

        return in_own_loop(once)

    def sightings(self, level: Level) -> list[int]:
        with self.case.open_log() as log:
            read = [(one.index, json.loads(one.content)) for one in log.read()]
        return [i for i, one in read if one["kind"] == "sighting" and one["level"] == level]


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def tracked(registry: Registry, port: int) -> Iterator[None]:
    """Serve a tracker from a thread of its own."""
    with loop_apart() as running:
        server = running(serve_http(registry, "127.0.0.1", port))
        try:
            yield
        finally:
            server.get_loop().call_soon_threadsafe(server.close)


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[Unit]:
    folder = private_directory(tmp_path / "lab")
    shared = seeds.share(tmp_path / "shared", version=1)
    key = shared.target.key
    assert isinstance(key, TorrentFile)
    tracker, port = free_port(), free_port()
    key = replace(key, trackers=(f"http://127.0.0.1:{tracker}/announce",))
    now = datetime.now(UTC)
    office, people = publish_list(folder / "office", [key], now), People.fresh()
    authority = Authority(tmp_path / "authority")
    stamped_by = StampAuthority(
        certificate=authority.certificate, url=f"http://127.0.0.1:{port}/stamp"
    )
    founded = found_authority(folder, people, office)
    write_private(
        folder / FILE, anchors_content(replace(founded, stamp_authorities=(stamped_by,)))
    )
    anchors = lab_anchors(folder)
    case = create_case(folder / "case", name=CASE, is_lab=True, recipients=anchors.recipients)
    networks = frozenset({Network.BITTORRENT})
    sign_papers(
        case.papers, people, anchors, list_name=office.list_name, networks=networks, now=now
    )
    order = Order(
        list_name=office.list_name,
        anchors=anchors,
        device=office.device,
        vantage=Vantage(),
        databases=lab_databases(),
    )
    registry = Registry()
    with tracked(registry, tracker), seeds.seed(shared, HOLDER) as holder:
        place = (HOLDER, holder.endpoint.port)
        registry.take(Announced(info_hash=key.info_hash, place=place, is_stopped=False))
        yield Unit(case=case, order=order, authority=authority, port=port)


def test_what_waits_is_stamped_by_the_next_run_and_shown_with_its_own_time(
    unit: Unit, tmp_path: Path
) -> None:
    unit.run()
    (proved,) = unit.sightings(Level.DELIVERED)
    late = unit.stamps.waiting
    assert late
    assert unit.stamps.all() == ()

    with served(unit.authority, unit.port):
        unit.run()
    assert unit.stamps.waiting == ()
    stamp = unit.stamps.first(proved)
    assert stamp is not None
    assert {one.size for one in unit.stamps.all()} > set(late)

    with unit.case.open_log() as log:
        found = check_case(log, unit.stamps)
        assert (found.stamps, found.wrong) == (len(unit.stamps.all()), ())
        made = of_log(log, unit.stamps, at=datetime.now(UTC).replace(microsecond=0))
        packs = packs_of(log, unit.stamps, [proved])
        key = log.about.key.text
    save(compose(made, language=Language.ENGLISH, packs=packs), tmp_path / "report")
    report = printed("pdftotext", "-layout", tmp_path / "report" / "report-en.pdf", "-")
    assert f"the record existed on {stamp.at:%Y-%m-%d %H:%M:%S}" in " ".join(report.split())

    pack = tmp_path / "report" / f"sighting-{proved}.json"
    certificate = unit.authority.home / "certificate.pem"
    verifier = tmp_path / "report" / "verify.py"
    said = printed(sys.executable, "-I", verifier, pack, "--log-key", key, "--tsa", certificate)
    assert f"({stamp.at.isoformat()})" in said
    assert "its own time is the unit's" in said


def printed(*command: str | Path) -> str:
    return subprocess.run(
        list(map(str, command)), capture_output=True, check=True, text=True
    ).stdout
