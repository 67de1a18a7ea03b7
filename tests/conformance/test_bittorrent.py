"""The prober against real clients on loopback: libtorrent, transmission and aria2.

What they hold is known, so what is claimed and proved must be exactly that. Content is random
bytes, and none of it may stay in our memory or reach a disk.
"""

import asyncio
import hashlib
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from protech.lists.fetch_key import TorrentFile
from protech.locate.adapter import (
    Candidate,
    Endpoint,
    Grant,
    Level,
    Outcome,
    Sighting,
    Target,
    Transport,
)
from protech.locate.bittorrent.judge import judge
from protech.locate.bittorrent.probe import Prober
from protech.locate.door import Door
from tests import proving, searched, seeds
from tests.seeds import Shared

SIZE_BYTES = 1 << 18
GRANT = Grant(request_sha256=bytes(32), not_after=datetime.now(UTC) + timedelta(hours=1))


def allow(peer: Endpoint) -> None:
    pass


def probed(candidate: Candidate, target: Target) -> tuple[Sighting, Sighting]:
    """Return what a probe of a peer shows, and what it shows after a piece was asked for."""

    async def work() -> tuple[Sighting, Sighting]:
        prober = Prober(Door(allow))
        async with asyncio.timeout(60), prober.probe(candidate, target) as conversation:
            return conversation.sighting, await prober.prove(conversation, GRANT)

    return asyncio.run(work())


def require_proved(sighting: Sighting, shared: Shared, name: str = "00.bin") -> None:
    """Fail unless a sighting is of level 4 and its proof is what lies on the disk."""
    assert (sighting.level, sighting.outcome) == (Level.DELIVERED, Outcome.SERVED)
    proof = sighting.proof
    assert proof is not None
    (path,) = shared.folder.rglob(name)
    content = path.read_bytes()[proof.offset_bytes :][: proof.length_bytes]
    assert len(content) == proof.length_bytes
    assert proof.sha256 == hashlib.sha256(content).digest()
    judgement = judge(sighting.transcript, shared.target)
    assert (judgement.level, judgement.proof, judgement.claims, judgement.peer_id) == (
        sighting.level,
        proof,
        sighting.claims,
        sighting.client_id,
    )
    assert content[:16].hex().encode() not in sighting.transcript
    assert not judgement.is_faulty


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("encryption", "transports", "transport"),
    [
        ("plain", "tcp", Transport.TCP),
        ("plain", "utp", Transport.UTP),
        ("forced", "tcp", Transport.MSE),
        ("forced", "utp", Transport.UTP_MSE),
    ],
)
def test_libtorrent_is_proved_over_each_transport(
    version: int, encryption: str, transports: str, transport: Transport, tmp_path: Path
) -> None:
    shared = seeds.share(tmp_path / "lab", version=version)
    with seeds.seed(
        shared, "127.0.0.2", encryption=encryption, transports=transports
    ) as candidate:
        claimed, proved = probed(candidate, shared.target)
    assert (claimed.level, claimed.outcome) == (Level.CLAIMS, Outcome.CLAIMED)
    assert claimed.transport is transport
    assert claimed.client_name is not None
    assert claimed.client_name.startswith("libtorrent/2")
    assert claimed.local is not None
    require_proved(proved, shared)
    assert proved.facts["metadata"] == "verified"
    assert b'"elided":"metadata"' in proved.transcript


def test_a_block_of_16_kib_suffices_where_the_peer_gives_the_hashes_above(
    tmp_path: Path,
) -> None:
    shared = seeds.share(tmp_path / "lab", version=2, piece_bytes=1 << 18)
    with seeds.seed(shared, "127.0.0.2") as candidate:
        _, proved = probed(candidate, shared.target)
    require_proved(proved, shared)
    assert proved.proof is not None
    assert proved.proof.length_bytes == 1 << 14


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("size_bytes", [5, 16_384, 16_385, 70_001])
def test_small_files_are_proved_too(version: int, size_bytes: int, tmp_path: Path) -> None:
    size_bytes = max(size_bytes, 300)
    shared = seeds.share(tmp_path / "lab", version=version, size_bytes=size_bytes)
    with seeds.seed(shared, "127.0.0.2") as candidate:
        _, proved = probed(candidate, shared.target)
    require_proved(proved, shared)


def test_only_pieces_inside_the_listed_file_are_asked_for(tmp_path: Path) -> None:
    shared = seeds.share(
        tmp_path / "lab", version=1, size_bytes=200_000, neighbours=(100_000, 150_000)
    )
    with seeds.seed(shared, "127.0.0.2") as candidate:
        for _ in range(4):
            claimed, proved = probed(candidate, shared.target)
            require_proved(proved, shared, "01.bin")
            assert proved.proof is not None
            assert proved.proof.offset_bytes >= 0
            assert proved.proof.offset_bytes + proved.proof.length_bytes <= 200_000
            assert claimed.claims is not None
            assert (claimed.claims.listed_total, claimed.claims.total) == (4, 7)


@pytest.mark.parametrize("version", [1, 2])
def test_a_hybrid_is_proved_under_both_its_hashes(version: int, tmp_path: Path) -> None:
    shared = seeds.share(
        tmp_path / "lab",
        version=version,
        size_bytes=200_000,
        neighbours=(100_000, 150_000),
        is_hybrid=True,
    )
    # A file of padding stands behind each.
    shared = seeds.described(shared.folder, version=version, listed=2)
    with seeds.seed(shared, "127.0.0.2") as candidate:
        _, proved = probed(candidate, shared.target)
    require_proved(proved, shared, "01.bin")


def test_what_a_peer_holds_in_part_is_claimed_exactly(tmp_path: Path) -> None:
    shared = seeds.share(tmp_path / "lab", version=1)
    held = sorted(random.Random(5).sample(range(16), 6))
    with seeds.seed(shared, "127.0.0.2", pieces=held) as candidate:
        claimed, _ = probed(candidate, shared.target)
    assert claimed.claims is not None
    assert (claimed.claims.held, claimed.claims.total) == (6, 16)
    bits = sum(0x8000 >> piece for piece in held).to_bytes(2)
    assert claimed.claims.bitfield_sha256 == hashlib.sha256(bits).digest()


def test_ipv6_is_spoken(tmp_path: Path) -> None:
    shared = seeds.share(tmp_path / "lab", version=1)
    with seeds.seed(shared, "::1") as candidate:
        _, proved = probed(candidate, shared.target)
    require_proved(proved, shared)
    assert proved.local is not None
    assert proved.local.address.version == 6


def test_a_listed_file_that_a_peer_knows_nothing_of_is_not_seen(tmp_path: Path) -> None:
    shared = seeds.share(tmp_path / "lab", version=1)
    assert isinstance(shared.target.key, TorrentFile)
    other = replace(shared.target.key, info_hash=bytes(20))
    with seeds.seed(shared, "127.0.0.2") as candidate:
        seen, proved = probed(candidate, replace(shared.target, key=other))
    assert seen.level is Level.ANSWERS
    assert seen.outcome is Outcome.CLOSED
    assert proved.level is Level.ANSWERS


@contextmanager
def program(arguments: list[str], port: int, log: Path) -> Iterator[None]:
    """Run a client until the ``with`` ends; it listens on ``port`` when it is given."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            arguments, stdout=output, stderr=output, stdin=subprocess.DEVNULL
        ) as process,
    ):
        try:
            for _ in range(200):
                with socket.socket() as tried:
                    if tried.connect_ex(("127.0.0.3", port)) == 0:
                        break
                time.sleep(0.05)
            yield
        finally:
            process.kill()


def free_port() -> int:
    with socket.create_server(("127.0.0.3", 0)) as opened:
        return int(opened.getsockname()[1])


def patiently(candidate: Candidate, target: Target) -> tuple[Sighting, Sighting]:
    """Probe a client that may still be checking its files."""
    for _ in range(40):
        claimed, proved = probed(candidate, target)
        if proved.level is Level.DELIVERED:
            return claimed, proved
        time.sleep(0.25)
    return probed(candidate, target)


@pytest.mark.needs("transmission-daemon")
@pytest.mark.parametrize(
    ("encryption", "transports"),
    [
        # It unchokes every ten seconds, and one of them is waited for every time.
        pytest.param(0, {Transport.TCP}, marks=pytest.mark.slow, id="plain"),
        pytest.param(2, {Transport.MSE}, id="encryption required"),
    ],
)
def test_transmission_is_proved(
    encryption: int, transports: set[Transport], tmp_path: Path
) -> None:
    shared = seeds.share(tmp_path / "lab", version=1)
    port, rpc = free_port(), free_port()
    home = tmp_path / "home"
    (home / "torrents").mkdir(parents=True)
    shutil.copy(shared.torrent, home / "torrents")
    settings = (
        f'{{"bind-address-ipv4": "127.0.0.3", "peer-port": {port}, "rpc-port": {rpc},'
        f' "rpc-bind-address": "127.0.0.1", "encryption": {encryption}, "dht-enabled": false,'
        ' "lpd-enabled": false, "pex-enabled": false, "port-forwarding-enabled": false,'
        f' "utp-enabled": true, "download-dir": "{shared.folder}"}}'
    )
    (home / "settings.json").write_text(settings)
    arguments = ["transmission-daemon", "-f", "-g", str(home)]
    with program(arguments, port, tmp_path / "log"):
        claimed, proved = patiently(seeds.candidate("127.0.0.3", port), shared.target)
    require_proved(proved, shared)
    assert claimed.transport in transports
    assert claimed.client_name is not None
    assert re.match("transmission", claimed.client_name, re.IGNORECASE)


@pytest.mark.needs("aria2c")
@pytest.mark.parametrize("is_encrypted", [False, True], ids=["plain", "encryption required"])
def test_aria2_is_proved(is_encrypted: bool, tmp_path: Path) -> None:
    shared = seeds.share(tmp_path / "lab", version=1)
    port = free_port()
    required = str(is_encrypted).lower()
    arguments = [
        "aria2c",
        f"--dir={shared.folder}",
        f"--listen-port={port}",
        "--enable-dht=false",
        "--bt-enable-lpd=false",
        "--enable-peer-exchange=false",
        "--seed-ratio=0.0",
        "--check-integrity=true",
        f"--bt-require-crypto={required}",
        "--bt-min-crypto-level=arc4" if is_encrypted else "--bt-min-crypto-level=plain",
        "--interface=127.0.0.3",
        str(shared.torrent),
    ]
    with program(arguments, port, tmp_path / "log"):
        claimed, proved = patiently(seeds.candidate("127.0.0.3", port), shared.target)
    require_proved(proved, shared)
    assert claimed.transport is (Transport.MSE if is_encrypted else Transport.TCP)


@pytest.mark.parametrize(
    ("version", "encryption", "transports"),
    [
        (1, "plain", "tcp"),
        (2, "forced", "tcp"),
        (2, "plain", "utp"),
        (1, "forced", "utp"),
        # Each looks through all of our memory: one for each transport is searched every time.
        *(
            pytest.param(*other, marks=pytest.mark.slow)
            for other in (
                (2, "plain", "tcp"),
                (1, "forced", "tcp"),
                (1, "plain", "utp"),
                (2, "forced", "utp"),
            )
        ),
    ],
)
def test_of_a_piece_nothing_stays_in_memory(
    version: int, encryption: str, transports: str, tmp_path: Path
) -> None:
    seed = int.from_bytes(os.urandom(4))
    shared = seeds.share_elsewhere(
        tmp_path / "lab", version=version, seed=seed, size_bytes=SIZE_BYTES
    )
    with seeds.seed(
        shared, "127.0.0.2", encryption=encryption, transports=transports
    ) as candidate:
        _, proved = probed(candidate, shared.target)
        assert proved.level is Level.DELIVERED
        assert searched.occurrences(os.getpid(), seed, SIZE_BYTES) == 0


@pytest.mark.needs("strace")
def test_nothing_is_written_to_a_disk(tmp_path: Path) -> None:
    shared = seeds.share(tmp_path / "lab", version=1)
    log = tmp_path / "calls"
    calls = "open,openat,openat2,creat,write,pwrite64,writev,sendfile,splice,copy_file_range"
    traced = ["strace", "-f", "-o", str(log), "-e", f"trace={calls}"]
    arguments = [str(Path(proving.__file__)), str(shared.folder), "1"]
    with seeds.seed(shared, "127.0.0.2") as candidate:
        port = str(candidate.endpoint.port)
        shown = subprocess.run(
            [*traced, sys.executable, "-B", *arguments, "127.0.0.2", port],
            capture_output=True,
            check=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    assert shown.stdout == "DELIVERED\n"
    calls = log.read_text()
    opened = re.findall(r'openat\(.*?"([^"]*)", ([A-Z_|]+)', calls)
    assert opened
    writing = {"O_WRONLY", "O_RDWR", "O_CREAT"}
    assert not [path for path, flags in opened if writing & set(flags.split("|"))]
    assert not re.search(r"(creat|openat2|pwrite64|sendfile|splice|copy_file_range)\(", calls)
    written = re.findall(r"writev?\((\d+),.*= (\d+)$", calls, re.MULTILINE)
    assert sum(int(count) for _, count in written) < 100  # the level that it prints
