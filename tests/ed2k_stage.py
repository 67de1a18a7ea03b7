"""A run against eDonkey in a network namespace: a real client, a server, liars, a node of Kad.

    unshare --net python -m tests.ed2k_stage FOLDER

Prints one JSON object: what was recorded, what was so, and what the verifier says of each pack.
aMule takes no server in a laboratory's addresses: it calls the same one by another address of
the namespace, from which nothing leads out either.
"""

import asyncio
import json
import subprocess
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from protech.locate.adapter import Endpoint, Level, Network
from protech.locate.case import Case, create_case
from protech.locate.demo.office import publish_list
from protech.locate.demo.people import CASE, People, found_authority, sign_papers
from protech.locate.ed2k.kad_messages import Contact
from protech.locate.equipment import Order, equipped
from protech.locate.lab.ed2k_liars import Lie, lying
from protech.locate.lab.ed2k_server import Offers, serve, server_list
from protech.locate.place import lab_databases
from protech.locate.report.gather import of_log, packs_of
from protech.locate.report.self_test import shipped
from protech.locate.report.words import Language
from protech.locate.report.write import compose, save
from protech.locate.run import run
from protech.locate.vantage import Vantage
from tests import donkeys, kad_nodes
from tests.amule import amule

SIZE_BYTES = 10_500_000
SEED = 20261128
SERVER, INNER, PORT = "198.18.0.30", "10.99.0.1", 4661
HOLDER, OBSERVER, NODE = "198.18.0.31", "198.18.0.99", "198.18.3.1"
HOLDER_PORT = 5662
"""Three above it is one that aMule wants for itself, and the server has 4665."""
DEAD = ("198.18.2.9", 4662)
OUTSIDE = ("8.8.8.8", 4662)
LIARS = {lie: (f"198.18.1.{number}", 4662) for number, lie in enumerate(Lie, start=1)}
BY_KAD = Lie.BUSY
"""Whom only Kad names."""
CONNECTS = {"eMule": {"ConnectToED2K": 1, "Autoconnect": 1}}
OFFERED_S = 60.0


def own_addresses() -> None:
    for command in (
        "link set lo up",
        "address add 198.18.0.1/15 dev lo",
        "route add local 198.18.0.0/15 dev lo",
        "address add 10.99.0.1/24 dev lo",
        "address add 127.0.0.1/8 dev lo",
    ):
        subprocess.run(["ip", *command.split()], check=False, stderr=subprocess.DEVNULL)


def poison() -> list[tuple[str, int]]:
    named = [place for lie, place in LIARS.items() if lie is not BY_KAD]
    return [*named, DEAD, OUTSIDE]


async def stage(folder: Path) -> dict[str, Any]:
    home = folder / "amule"
    (home / "config").mkdir(parents=True)
    (home / "config" / "server.met").write_bytes(server_list((INNER, PORT)))
    files = {"one.bin": donkeys.content(SEED, SIZE_BYTES)}
    offers = Offers(poison())
    async with AsyncExitStack() as stack:
        for host in (INNER, SERVER):
            await stack.enter_async_context(serve((host, PORT), offers))
        daemon = amule(home, files, address=HOLDER, port=HOLDER_PORT, settings=CONNECTS)
        await asyncio.to_thread(daemon.__enter__)
        stack.push(daemon.__exit__)
        tree = donkeys.Tree(files["one.bin"])
        hashes = {part: donkeys.recovery(tree.recovery(part)) for part in (0, 1)}
        for number, (lie, place) in enumerate(LIARS.items()):
            await stack.enter_async_context(lying(lie, place, SEED + number, hashes))
        key = donkeys.hashed(home / "share" / "one.bin", servers=(f"{SERVER}:{PORT}",))
        await _offered(offers, key.md4)
        node = kad_nodes.Node(
            contact=Contact(
                node_id=key.md4, place=Endpoint(address=ip_address(NODE), port=4672)
            ),
            keeps=[Endpoint(address=ip_address(LIARS[BY_KAD][0]), port=4662)],
        )
        await stack.enter_async_context(kad_nodes.listening([node]))
        return await looked(folder, [key], node.contact.place)


async def _offered(offers: Offers, file_hash: bytes) -> None:
    """Wait until aMule has offered its file to the server."""
    holder = (HOLDER, HOLDER_PORT)
    async with asyncio.timeout(OFFERED_S):
        while holder not in offers.named(file_hash):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.1)


async def looked(folder: Path, keys: list[Any], kad: Endpoint) -> dict[str, Any]:
    """Run a case against it, as in earnest, and return what was recorded and verified."""
    now = datetime.now(UTC)
    office = publish_list(folder / "office", keys, now)
    people = People.fresh()
    anchors = found_authority(folder, people, office)
    case = create_case(folder / "case", name=CASE, is_lab=True, recipients=anchors.recipients)
    networks = frozenset({Network.ED2K})
    name = office.list_name
    sign_papers(case.papers, people, anchors, list_name=name, networks=networks, now=now)
    order = Order(
        list_name=name,
        anchors=anchors,
        device=office.device,
        vantage=Vantage(source=ip_address(OBSERVER), kad_contacts=[kad]),
        databases=lab_databases(),
    )
    async with equipped(case, order) as outfit:
        reason = str(await run(outfit, asyncio.Event(), is_one_round=True))
    records = _records(case)
    verified = _report(case, folder / "report", records)
    return {"reason": reason, "records": records, "verified": verified}


def _records(case: Case) -> list[dict[str, Any]]:
    with case.open_log() as log:
        return [json.loads(one.content) for one in log.read()]


def _report(case: Case, folder: Path, records: list[dict[str, Any]]) -> dict[str, Any]:
    """Write the report, and return what the verifier says of the pack of each claim."""
    told = [
        number
        for number, record in enumerate(records)
        if record["kind"] == "sighting" and record["level"] >= Level.CLAIMS
    ]
    with case.open_log() as log:
        at = datetime.now(UTC).replace(microsecond=0)
        made = of_log(log, None, at=at, self_test=shipped())
        packs = packs_of(log, None, told)
        key = log.about.key.text
    save(compose(made, language=Language.ENGLISH, packs=packs), folder)
    shown = {}
    for name in packs:
        alone = (sys.executable, "-I", str(folder / "verify.py"), str(folder / name))
        command = [*alone, "--log-key", key]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        shown[name] = (done.returncode, done.stdout)
    return {"packs": shown, "files": sorted(one.name for one in folder.iterdir())}


if __name__ == "__main__":
    own_addresses()
    print(json.dumps(asyncio.run(stage(Path(sys.argv[1])))))
