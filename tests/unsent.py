"""Tries to send where nothing may be sent, in a namespace whose every packet is counted.

    unshare --net python -m tests.unsent

Prints one JSON object: for each attempt, how many packets left and whether it was refused.
Every address leads back to the namespace itself; there is no way out of it.
"""

import asyncio
import json
import socket
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from protech.errors import AuthorityError
from protech.locate.adapter import Endpoint
from protech.locate.clearance import Clearance, Past, open_clearance
from protech.locate.clock import Clock
from protech.locate.door import Door, Lost
from protech.locate.papers import KeyKind, Operator
from protech.locate.seen import Seen
from tests.authorised import (
    ANCHORS,
    DAY,
    FACTS,
    MAGISTRATE,
    NOW,
    OPERATORS,
    authorisation,
    endpoint,
    timestamp,
)

FIELD = replace(ANCHORS, is_lab=False, observers=(ip_network("9.9.9.0/24"),))
PUBLIC, LAB_PEER = endpoint("8.8.8.8"), endpoint("198.18.0.9")


class Hands:
    """The clock of a machine, turned by hand."""

    def __init__(self) -> None:
        self.at = NOW + timedelta(hours=1)
        self.slept = timedelta(0)
        self.is_synchronised = True

    def clock(self, *, is_lab: bool) -> Clock:
        return Clock(
            must_be_synchronised=not is_lab,
            realtime=lambda: _ns(self.at + self.slept - datetime(1970, 1, 1, tzinfo=UTC)),
            boottime=lambda: _ns(self.slept),
            discipline=lambda: (self.is_synchronised, 1.0 if self.is_synchronised else None),
        )


def _ns(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 1000


def cleared(hands: Hands | None = None, **changes: Any) -> Clearance:
    """Return a clearance in which all holds but what is changed."""
    hands = hands or Hands()
    paper = changes.pop("paper", None) or authorisation()
    options: dict[str, Any] = {
        "anchors": ANCHORS,
        "stamped": (paper,),
        "facts": FACTS,
        "logged_at": NOW,
        "seen": Seen(),
    }
    options |= changes
    anchors = options["anchors"]
    return open_clearance(
        anchors,
        paper,
        timestamp(*options["stamped"], at=changes.get("at", NOW)),
        options["facts"],
        past=Past(logged_at=options["logged_at"], seen=options["seen"]),
        clock=hands.clock(is_lab=anchors.is_lab),
    )


def packets() -> int:
    """Return how many packets this namespace has sent; its one way is loopback."""
    lines = Path("/proc/self/net/dev").read_text().splitlines()
    return sum(int(line.split(":")[1].split()[9]) for line in lines if ":" in line)


async def knock(clear: Callable[[], Clearance], peer: Endpoint) -> None:
    """Send to a peer in each way that there is."""
    door = Door(clear().permit)
    with suppress(OSError, TimeoutError):
        door.datagrams(peer).send(b"datagram")
    stream = await door.connect(peer, until=asyncio.get_running_loop().time() + 1)
    await stream.send(b"stream")


async def turn(clear_of: Callable[[Hands], Clearance], act: Callable[[Hands], None]) -> None:
    """Send in a conversation that stands, after something has happened."""
    hands = Hands()
    server = socket.create_server(("198.18.0.9", 6881))
    with server:
        door = Door(clear_of(hands).permit)
        stream = await door.connect(LAB_PEER)
        datagrams = door.datagrams(LAB_PEER)
        await asyncio.sleep(0.05)
        act(hands)
        COUNTED["before"] = packets()
        with suppress(AuthorityError):
            datagrams.send(b"datagram")
        try:
            await stream.send(b"stream")
        finally:
            COUNTED["after"] = packets()


COUNTED: dict[str, int] = {}
"""Packets before and after what an attempt is about."""


def end(hands: Hands) -> None:
    hands.slept += DAY


def step_back(hands: Hands) -> None:
    hands.at -= timedelta(seconds=2)


def shared_key() -> Clearance:
    return cleared(facts=replace(FACTS, speakers=frozenset({MAGISTRATE.public})))


def unsynchronised() -> Clearance:
    hands = Hands()
    hands.is_synchronised = False
    return cleared(hands, anchors=FIELD)


def field() -> Clearance:
    people = tuple(
        Operator(name=name, kind=KeyKind.ED25519, public=one.public)
        for name, one in zip(("anna", "bert"), OPERATORS, strict=False)
    )
    return cleared(anchors=FIELD, paper=authorisation(operators=people))


ATTEMPTS: dict[str, Callable[[], Awaitable[None]]] = {
    "control: a lab's peer": lambda: knock(cleared, LAB_PEER),
    "control: a public peer": lambda: knock(field, PUBLIC),
    "control: a conversation": lambda: turn(cleared, lambda _: None),
    "authorisation ended": lambda: knock(
        lambda: cleared(paper=authorisation(not_after=NOW)), LAB_PEER
    ),
    "authorisation revoked": lambda: knock(lambda: cleared(stamped=()), LAB_PEER),
    "timestamp of yesterday": lambda: knock(lambda: cleared(at=NOW - DAY), LAB_PEER),
    "timestamp older than one seen": lambda: knock(
        lambda: cleared(seen=Seen(timestamp_at=NOW + timedelta(seconds=1))), LAB_PEER
    ),
    "list older than one used": lambda: knock(
        lambda: cleared(seen=Seen(versions={FACTS.name: 2})), LAB_PEER
    ),
    "list stale": lambda: knock(
        lambda: cleared(facts=replace(FACTS, fresh_until=NOW)), LAB_PEER
    ),
    "list of another repository": lambda: knock(
        lambda: cleared(facts=replace(FACTS, root_sha256=bytes(32))), LAB_PEER
    ),
    "one key for list and authorisation": lambda: knock(shared_key, LAB_PEER),
    "clock before the log": lambda: knock(lambda: cleared(logged_at=NOW + DAY), LAB_PEER),
    "clock not synchronised": lambda: knock(unsynchronised, PUBLIC),
    "lab to the world": lambda: knock(cleared, PUBLIC),
    "lab to a private network": lambda: knock(cleared, endpoint("10.0.0.1")),
    "run to loopback": lambda: knock(field, endpoint("127.0.0.1")),
    "run to a private network": lambda: knock(field, endpoint("192.168.0.1")),
    "run to a group": lambda: knock(field, endpoint("224.0.0.251")),
    "run to an observer": lambda: knock(field, endpoint("9.9.9.9")),
    "run to an IPv4 address in disguise": lambda: knock(field, endpoint("::ffff:10.0.0.1")),
    "ended in a conversation": lambda: turn(cleared, end),
    "clock set back in a conversation": lambda: turn(cleared, step_back),
}


async def attempt(act: Callable[[], Awaitable[None]]) -> dict[str, object]:
    """Return how many packets an attempt sent, and whether it was refused."""
    COUNTED.clear()
    COUNTED["before"] = packets()
    is_refused = False
    try:
        with suppress(OSError, TimeoutError, Lost):  # nobody listens: how a control ends
            await act()
    except AuthorityError:
        is_refused = True
    sent = COUNTED.get("after", packets()) - COUNTED["before"]
    return {"packets": sent, "refused": is_refused}


def set_up() -> None:
    """Let every address lead back here."""
    for command in (
        "ip link set lo up",
        "ip route add local default dev lo",
        "ip -6 route add local default dev lo",
    ):
        subprocess.run(command.split(), check=True)


async def main() -> None:
    """Try everything."""
    await asyncio.sleep(0.2)  # the kernel's own packets, as IPv6 comes up
    print(json.dumps({name: await attempt(act) for name, act in ATTEMPTS.items()}))


if __name__ == "__main__":
    set_up()
    asyncio.run(main())
