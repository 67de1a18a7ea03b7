"""A run of a lab's case that tells what it offers to the log and what the log confirmed.

    python -m tests.killed FOLDER swarm|lab NODE...

Each line is "+" and the digest of a record before it is offered, or "=" and its place and
digest once it is on the disk: whoever kills this process knows what must be there.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from protech.evidence import case_key
from protech.evidence.canonical import canonical
from protech.evidence.log import Log
from protech.lists.device import DeviceLists
from protech.lists.fetch_key import FetchKey
from protech.locate.adapter import Endpoint, Level, Network
from protech.locate.anchors import lab_anchors
from protech.locate.case import Case, create_case, open_case
from protech.locate.demo.office import LIST, publish_list
from protech.locate.demo.people import CASE, People, found_authority, sign_papers
from protech.locate.equipment import Order, equipped
from protech.locate.outfit import Outfit
from protech.locate.place import lab_databases
from protech.locate.run import run
from protech.locate.vantage import Vantage
from protech.sandbox import harden_process
from tests.unit.locate.test_observe import Swarm, named

PEERS = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """The log, as far as a run uses it."""

    log: Log

    def append(self, records: Sequence[Mapping[str, object]]) -> range:
        digests = [sha256(canonical(one)).hexdigest() for one in records]
        tell(*(f"+ {digest}" for digest in digests))
        places = self.log.append(records)
        tell(*(f"= {place} {one}" for place, one in zip(places, digests, strict=True)))
        return places

    def __getattr__(self, name: str) -> Any:
        return getattr(self.log, name)


def tell(*lines: str) -> None:
    """Tell whoever may kill us; each line goes out whole, or not at all."""
    os.write(1, ("\n".join(lines) + "\n").encode())


def prepare(folder: Path, keys: Sequence[FetchKey]) -> Case:
    """Make a lab's case that is ready to run, with a list of these files."""
    now = datetime.now(UTC)
    office = publish_list(folder / "office", keys, now)
    people = People.fresh()
    anchors = found_authority(folder, people, office)
    case = create_case(folder / "case", name=CASE, is_lab=True, recipients=anchors.recipients)
    networks = frozenset({Network.BITTORRENT})
    sign_papers(case.papers, people, anchors, list_name=LIST, networks=networks, now=now)
    (folder / "identity.txt").write_text(people.identity)
    return case


def opened(folder: Path) -> Case:
    """Open the case that ``prepare`` made."""
    identity = (folder / "identity.txt").read_text()
    return open_case(
        folder / "case", lambda wraps: case_key.open_with_identity(wraps, identity)
    )


def told(outfit: Outfit, *, is_given: bool) -> Outfit:
    """Return an outfit whose log tells, and whose network is a given one where asked."""
    levels = {number: Level(1 + number % 3) for number in range(PEERS)}
    swarm = Swarm([named(number) for number in range(PEERS)], levels)
    networks = {Network.BITTORRENT: swarm} if is_given else outfit.adapters
    log: Any = Telling(log=outfit.log)
    return replace(outfit, log=log, adapters=networks)


async def main(folder: Path, kind: str, nodes: Sequence[Endpoint]) -> None:
    """Run until SIGTERM, or until we are killed."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    order = Order(
        list_name=LIST,
        anchors=lab_anchors(folder),
        device=DeviceLists(folder / "office" / "device"),
        vantage=Vantage(dht_nodes=nodes),
        databases=lab_databases(),
    )
    async with equipped(opened(folder), order) as outfit:
        mine = told(outfit, is_given=kind == "swarm")
        ended = await run(mine, stop)
        tell(f"! {ended.reason}")


def node(text: str) -> Endpoint:
    """Read ADDRESS:PORT."""
    host, _, port = text.rpartition(":")
    return Endpoint(address=ip_address(host), port=int(port))


if __name__ == "__main__":
    harden_process()
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], list(map(node, sys.argv[3:]))))
