"""How many peers one core can probe: handshake and bitfield, against a trivial responder.

The responder is another process on other addresses of the loopback network; what counts is the
prober's own CPU time, its share of the kernel's work for its packets among it.
"""

import argparse
import asyncio
import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address

from protech.lists.fetch_key import TorrentFile
from protech.locate.adapter import Candidate, Endpoint, Level, ListName, Source, Target
from protech.locate.bittorrent import messages
from protech.locate.bittorrent.messages import Kind
from protech.locate.bittorrent.probe import Prober
from protech.locate.door import Door

INFO_HASH = bytes(range(20))
PIECES = 128
ADDRESSES = 64
PROBES = 20_000
AT_A_TIME = 128


def target() -> Target:
    key = TorrentFile(
        info_hash=INFO_HASH,
        file_index=0,
        first_byte=0,
        size_bytes=PIECES << 16,
        piece_bytes=1 << 16,
        torrent_bytes=PIECES << 16,
        pieces=(bytes(20),) * PIECES,
    )
    name = ListName(name="bench", version=1, sha256=bytes(32))
    return Target(entry="entry", number=0, list_name=name, key=key)


def probes_per_s_core(*, probes: int = PROBES) -> dict[str, float]:
    """Return the probes for each second of our CPU, and for each of the clock."""
    with responder() as port:
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_probe_all(port, probes=500))
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            found = runner.run(_probe_all(port, probes=probes))
            wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    if found != probes:
        raise SystemExit(f"only {found} of {probes} probes saw what the responder claims")
    return {
        "per_core": probes / cpu_s,
        "per_s": probes / wall_s,
        "cpu_us": 1e6 * cpu_s / probes,
    }


async def _probe_all(port: int, *, probes: int) -> int:
    prober = Prober(Door(lambda _: None))
    listed = target()
    peers = [
        Candidate(
            endpoint=Endpoint(address=IPv4Address(f"127.0.1.{1 + number}"), port=port),
            source=Source.TRACKER,
        )
        for number in range(ADDRESSES)
    ]
    numbers = iter(range(probes))
    found = 0

    async def work() -> None:
        nonlocal found
        for number in numbers:
            async with prober.probe(peers[number % ADDRESSES], listed) as conversation:
                found += conversation.sighting.level is Level.CLAIMS

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_A_TIME):
            group.create_task(work())
    return found


@contextmanager
def responder() -> Iterator[int]:
    """Give the port of a process that claims every piece to whoever calls."""
    with subprocess.Popen(
        [sys.executable, __file__, "--respond"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def respond() -> None:
    reserved = bytes(8)
    answer = messages.PROTOCOL + reserved + INFO_HASH + os.urandom(20)
    answer += messages.framed(Kind.BITFIELD, b"\xff" * (PIECES // 8))
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", 0))
    listener.listen(4096)
    listener.setblocking(False)
    watched = selectors.DefaultSelector()
    watched.register(listener, selectors.EVENT_READ)
    print(listener.getsockname()[1], flush=True)
    while True:
        for key, _ in watched.select():
            if key.fileobj is listener:
                opened, _ = listener.accept()
                watched.register(opened, selectors.EVENT_READ)
                continue
            caller = key.fileobj
            assert isinstance(caller, socket.socket)
            with suppress(OSError):
                if caller.recv(4096):
                    caller.send(answer)
                    continue
            watched.unregister(caller)
            caller.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--respond", action="store_true", help="be the responder")
    parser.add_argument("--probes", type=int, default=PROBES)
    given = parser.parse_args()
    if given.respond:
        respond()
    else:
        print(json.dumps(probes_per_s_core(probes=given.probes)))
