"""The eDonkey prober against aMule's daemon on loopback, and our AICH against rhash.

aMule 2.3.3 and rhash 1.4 as Debian has them. What is held is known, so what is claimed and
proved must be exactly that. Content is random bytes, and none of it may stay in our memory.
"""

import asyncio
import hashlib
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import count
from pathlib import Path

import pytest

from protech.lists.fetch_key import Ed2kFile
from protech.locate.adapter import (
    Candidate,
    Endpoint,
    Grant,
    Level,
    Outcome,
    Sighting,
    Source,
)
from protech.locate.door import Door
from protech.locate.ed2k import kad_messages
from protech.locate.ed2k.aich import BLOCK_BYTES, blocks_of, leads_to
from protech.locate.ed2k.judge import judge
from protech.locate.ed2k.kad import Kad
from protech.locate.ed2k.kad_messages import on_the_wire
from protech.locate.ed2k.messages import PART_BYTES
from protech.locate.ed2k.probe import Prober
from tests import donkeys, searched, spoken
from tests.amule import Amule, amule, part_met

SIZES = (
    1000,
    BLOCK_BYTES,
    BLOCK_BYTES + 1,
    PART_BYTES - 1,
    PART_BYTES,
    PART_BYTES + 5,
    2 * PART_BYTES,
    2 * PART_BYTES + 3 * BLOCK_BYTES + 7,
)
EDGES = (
    1,
    BLOCK_BYTES - 1,
    2 * BLOCK_BYTES,
    2 * BLOCK_BYTES + 1,
    52 * BLOCK_BYTES,
    52 * BLOCK_BYTES + 1,
    PART_BYTES + BLOCK_BYTES,
    3 * PART_BYTES - 1,
    3 * PART_BYTES + 1,
    4 * PART_BYTES + BLOCK_BYTES + 1,
    7 * PART_BYTES,
)
HALF_BYTES = 2 * PART_BYTES + 300_000
HELD = {0, 2}
CALLERS = count(1)
GRANT = Grant(request_sha256=bytes(32), not_after=datetime.now(UTC) + timedelta(hours=1))

pytestmark = [pytest.mark.needs("amuled"), pytest.mark.needs("rhash")]


def md4_of_parts(whole: bytes, folder: Path) -> list[bytes]:
    found = []
    for at in range(0, len(whole), PART_BYTES):
        path = folder / "part"
        path.write_bytes(whole[at : at + PART_BYTES])
        shown = subprocess.check_output(["rhash", "--printf", "%{md4}", str(path)], text=True)
        found.append(bytes.fromhex(shown))
    return found


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ed2kFile, dict[str, bytes]]:
    """A file of which a client has the first and the last part: its key, and what it keeps."""
    folder = tmp_path_factory.mktemp("half")
    whole = donkeys.content(99, HALF_BYTES)
    path = folder / "half.bin"
    path.write_bytes(whole)
    key = donkeys.hashed(path)
    kept = whole[:PART_BYTES] + bytes(PART_BYTES) + whole[2 * PART_BYTES :]
    met = part_met(whole, key.md4, md4_of_parts(whole, folder), HELD)
    return key, {"001.part": kept, "001.part.met": met}


@pytest.fixture(scope="module")
def daemon(
    tmp_path_factory: pytest.TempPathFactory, half: tuple[Ed2kFile, dict[str, bytes]]
) -> Iterator[Amule]:
    files = {f"{size}.bin": donkeys.content(size, size) for size in SIZES}
    with amule(tmp_path_factory.mktemp("amule"), files, half=half[1]) as running:
        yield running


def probed(daemon: Amule, key: Ed2kFile) -> tuple[Sighting, Sighting]:
    """Return what a probe shows, and what it shows after a block was asked for."""
    candidate = Candidate(endpoint=daemon.place, source=Source.SERVER)
    target = spoken.target_of(key)

    async def work() -> tuple[Sighting, Sighting]:
        # Clients take few at a time from one address, and remember who went.
        source = ip_address(f"127.{os.getpid() % 200}.7.{next(CALLERS)}")
        prober = Prober(Door(lambda _: None, source=source))
        async with asyncio.timeout(120), prober.probe(candidate, target) as conversation:
            return conversation.sighting, await prober.prove(conversation, GRANT)

    return asyncio.run(work())


@pytest.mark.parametrize("size", SIZES)
def test_who_has_a_file_claims_it_all_and_is_proved(daemon: Amule, size: int) -> None:
    key = donkeys.hashed(daemon.home / "share" / f"{size}.bin")
    claimed, proved = probed(daemon, key)
    assert (claimed.level, claimed.outcome) == (Level.CLAIMS, Outcome.CLAIMED)
    assert claimed.claims is not None
    assert claimed.claims.held == claimed.claims.total == -(-size // PART_BYTES)
    assert (proved.level, proved.outcome) == (Level.DELIVERED, Outcome.SERVED)
    assert (proved.client_name, proved.attempts) == ("lab", 1)
    proof = proved.proof
    assert proof is not None
    block = donkeys.content(size, size)[proof.offset_bytes :][: proof.length_bytes]
    assert len(block) == proof.length_bytes
    assert proof.digest == donkeys.sha1(block)
    assert proof.sha256 == hashlib.sha256(block).digest()
    judgement = judge(proved.transcript, spoken.target_of(key))
    assert (judgement.proof, judgement.user_hash) == (proof, proved.client_id)
    assert not judgement.is_faulty


def test_who_still_lacks_parts_claims_what_it_has_and_gives_no_hashes(
    daemon: Amule, half: tuple[Ed2kFile, dict[str, bytes]]
) -> None:
    claimed, proved = probed(daemon, half[0])
    assert (claimed.level, claimed.outcome) == (Level.CLAIMS, Outcome.CLAIMED)
    assert claimed.claims is not None
    assert (claimed.claims.held, claimed.claims.total) == (2, 3)
    assert claimed.claims.bitfield_sha256 == hashlib.sha256(b"\x05").digest()
    assert (proved.level, proved.outcome) == (Level.CLAIMS, Outcome.REFUSED)


def test_who_has_not_the_file_only_answers(daemon: Amule) -> None:
    key = Ed2kFile(md4=bytes(range(16)), aich=bytes(20), size_bytes=5000)
    claimed, proved = probed(daemon, key)
    assert (claimed.level, claimed.outcome) == (Level.ANSWERS, Outcome.NOTHING_HELD)
    assert proved.level is Level.ANSWERS


def test_a_listed_root_that_is_not_the_files_is_not_proved(daemon: Amule) -> None:
    key = donkeys.hashed(daemon.home / "share" / f"{PART_BYTES}.bin")
    claimed, proved = probed(daemon, replace(key, aich=bytes(20)))
    assert claimed.level is Level.CLAIMS
    assert (proved.level, proved.outcome) == (Level.CLAIMS, Outcome.REFUSED)


def test_who_wants_it_obfuscated_hangs_up(tmp_path: Path) -> None:
    wants = {"Obfuscation": {"IsCryptLayerRequested": 1, "IsClientCryptLayerRequired": 1}}
    files = {"a.bin": donkeys.content(1, 5000)}
    with amule(tmp_path, files, settings=wants) as daemon:
        claimed, _ = probed(daemon, donkeys.hashed(tmp_path / "share" / "a.bin"))
    assert (claimed.level, claimed.outcome) == (Level.ANSWERS, Outcome.CLOSED)


def test_a_real_node_of_kad_understands_what_it_is_asked(tmp_path: Path) -> None:
    """It answers only who knows its number: asked for first nodes it tells it to us."""
    number = bytes(range(200, 216))
    (tmp_path / "config").mkdir()
    stored = struct.pack("<IH", 0, 0) + on_the_wire(number) + b"\0"
    (tmp_path / "config" / "preferencesKad.dat").write_bytes(stored)
    alone = {"eMule": {"ConnectToKad": 1, "Autoconnect": 1, "UDPEnable": 1}}
    key = Ed2kFile(md4=donkeys.MD4, aich=bytes(20), size_bytes=5)
    with amule(tmp_path, {}, settings=alone) as daemon:
        node = Endpoint(address=daemon.place.address, port=daemon.place.port + 10)
        heard = asyncio.run(_asked(node, kad_messages.bootstrap()))
        assert [op for op, _ in heard] == [kad_messages.BOOTSTRAP_ANSWER]
        assert kad_messages.parse_bootstrap(heard[0][1]) == (number, [])
        heard = asyncio.run(_asked(node, kad_messages.find(key.md4, number)))
        assert [op for op, _ in heard] == [kad_messages.FIND_ANSWER]
        assert kad_messages.parse_found(heard[0][1], key.md4) == []
        assert asyncio.run(_asked(node, kad_messages.find(key.md4, bytes(16)))) == []


async def _asked(node: Endpoint, question: bytes) -> list[tuple[int, bytes]]:
    kad = Kad(Door(lambda _: None), [], may_ask=lambda _: True)
    for _ in range(5):  # it may not be up yet
        if heard := await kad._ask(node, question):
            return heard
    return []


PROBE = """
import sys, time
from pathlib import Path
from tests.conformance import test_ed2k as t
from tests import donkeys
from tests.amule import Amule
from protech.locate.adapter import Endpoint
from ipaddress import ip_address
home, host, port, size = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
daemon = Amule(home=home, place=Endpoint(address=ip_address(host), port=port), process=None)
for _ in range(3):  # it may be busy
    _, proved = t.probed(daemon, donkeys.hashed(home / "share" / (size + ".bin")))
    if proved.proof is not None:
        break
print(int(proved.level), flush=True)
sys.stdin.read()
"""


def test_no_content_stays_in_the_memory_of_whoever_proved_it(tmp_path: Path) -> None:
    size = PART_BYTES
    with amule(tmp_path, {f"{size}.bin": donkeys.content(size, size)}) as daemon:
        place = daemon.place
        command = ["-c", PROBE, str(tmp_path), str(place.address), str(place.port), str(size)]
        with subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "4\n"
            assert searched.occurrences(process.pid, size, size) == 0
            process.kill()


@pytest.mark.parametrize("size", sorted({*SIZES, *EDGES}))
def test_our_tree_is_that_of_rhash(size: int, tmp_path: Path) -> None:
    whole = donkeys.content(size, size)
    path = tmp_path / "file"
    path.write_bytes(whole)
    key = donkeys.hashed(path)
    tree = donkeys.Tree(whole)
    assert tree.root == key.aich
    for part in range(-(-size // PART_BYTES)):
        blocks = blocks_of(size, part)
        for block in {blocks[0], blocks[-1]}:
            digest = donkeys.sha1(whole[block.start :][: block.size])
            given = tree.recovery(part)
            assert leads_to(key.aich, block, digest, size_bytes=size, given=given)
