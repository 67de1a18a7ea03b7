"""The program that holds a big swarm in a network namespace of its own.

    unshare --net --pid --fork --kill-child --mount-proc python -m tests.swarm.stage SEED full

It is the first process of its namespaces: whatever ends it, ends all that it started, and
takes the addresses with it. It reads a line of JSON for each thing to do, and answers with one.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory
from typing import Any

from protech.lists.fetch_keys import key_fields
from protech.locate.lab.swarm import Lab
from tests.swarm.big import FULL, OBSERVER, THIN, big_swarm
from tests.swarm.packets import attempts_in, listening_in

OPENING = "trace=open,openat,openat2,creat,memfd_create,mknod,mknodat,truncate,ftruncate"
TO_WRITE = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|creat\(|memfd_create|mknod|truncate")
"""Calls by which a file begins to be written, and what tells them in strace's words."""

COUNTS = {"full": FULL, "thin": THIN}


def set_up() -> None:
    """Give the namespace its addresses; there is no way out of it."""
    for command in (
        "ip link set lo up",
        "ip route add local 198.18.0.0/15 dev lo",
        "ip route add local 2001:2::/48 dev lo",
    ):
        subprocess.run(command.split(), check=True)
    Path("/proc/sys/net/ipv6/ip_nonlocal_bind").write_text("1")  # as IPv4 has it by that route


async def observe(lab: Lab, folder: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Let an observer look at the swarm in a process of its own, and count its connections."""
    spec = {
        **asked,
        "keys": [key_fields(key) for key in lab.fetch_keys],
        "torrents": [str(one.folder / f"{one.name}.torrent") for one in lab.torrents],
        "numbers": [list(one.numbers) for one in lab.torrents],
        "dht_nodes": [[str(one.address), one.port] for one in lab.dht_nodes],
        "source": OBSERVER,
        "folder": str(folder / "observer"),
    }
    captured, opened = folder / "packets.pcap", folder / "opened"
    command = [sys.executable, "-m", "tests.swarm.observer"]
    if asked.get("strace"):
        command = ["strace", "-f", "-qq", "-e", OPENING, "-o", str(opened), *command]
    async with listening_in(captured):
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 26,
        )
        answer, _ = await process.communicate(json.dumps(spec).encode())
    found = {**json.loads(answer), "attempts": attempts_in(captured, OBSERVER)}
    if asked.get("strace"):
        found["opened_to_write"] = [
            line for line in opened.read_text().splitlines() if TO_WRITE.search(line)
        ]
    return found


async def perform(lab: Lab, folder: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Do one thing that was asked for."""
    match asked["do"]:
        case "truth":
            return {"truth": lab.truth.content.decode(), "held": await lab.held()}
        case "numbers":
            return {"numbers": [list(one.numbers) for one in lab.torrents]}
        case _:
            return await observe(lab, folder, asked)


async def main(seed: int, size: str) -> None:
    """Hold the swarm until the input ends."""
    lines: Queue[str] = Queue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(0)  # whoever asked for the swarm is gone, or needs it no more

    set_up()
    threading.Thread(target=read, daemon=True).start()
    with TemporaryDirectory() as name:
        folder = Path(name)
        os.chmod(folder, 0o755)  # noqa: PTH101, S103 - opentracker runs as nobody
        async with big_swarm(folder, seed=seed, counts=COUNTS[size]) as lab:
            print(json.dumps({"ready": True}), flush=True)
            while True:
                asked = json.loads(await asyncio.to_thread(lines.get))
                if asked["do"] == "end":
                    break
                answer = await perform(lab, folder, asked)
                print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
