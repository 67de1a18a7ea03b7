"""What lies in wait on UDP: a peer that breaks the rules of uTP, and a poisoned DHT node."""

import asyncio
import struct
from collections.abc import Sequence
from random import Random

from protech.locate.bittorrent.bencode import Bencoded, NotBencoded, decode, encode
from protech.locate.lab.trackers import Place, compact

HEADER = struct.Struct(">BBHIIIHH")
"""Type and version, extension, connection, two times, window, sequence, acknowledgement."""

SYN, STATE, DATA, FIN, RESET = 4, 2, 0, 1, 3
VERSION = 1


class _OnUdp(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        assert isinstance(transport, asyncio.DatagramTransport)  # noqa: S101 - asyncio's contract
        self._transport = transport


class UtpGarbage(_OnUdp):
    """It accepts a connection, and then sends what no sequence allows."""

    def __init__(self, random: Random) -> None:
        """Draw what is sent from ``random``."""
        self._random = random

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer each packet with some that break the rules."""
        if len(data) < HEADER.size or data[0] & 0x0F != VERSION:
            return
        kind = data[0] >> 4
        _, _, connection, sent_at, _, _, sequence, _ = HEADER.unpack_from(data)
        if kind == SYN:
            self._send(addr, STATE, connection, sent_at, 1, sequence)
        if kind in {SYN, DATA}:
            for packet in self._breaches(connection - (kind == DATA), sequence):
                self._transport.sendto(packet, addr)

    def _breaches(self, connection: int, sequence: int) -> list[bytes]:
        """Return packets far outside the window, twice the same, too short, and of no end."""
        noise = self._random.randbytes(1000)
        connection &= 0xFFFF
        far = _packet(DATA, connection, 30_000, sequence) + noise
        chain = HEADER.pack(STATE << 4 | VERSION, 1, connection, 0, 0, 0, 2, sequence)
        return [
            far,
            far,
            _packet(DATA, connection, 2, sequence ^ 0x8000) + noise,
            _packet(DATA, connection, 2, sequence) + noise,
            _packet(DATA, connection, 2, sequence) + noise[::-1],
            chain + b"\x01\xff" + noise[:20],  # an extension longer than the packet
            chain + b"\x01\x00" * 64,
            _packet(7, connection, 3, sequence),
            far[:19],
            _packet(FIN, connection, 2, sequence),
            _packet(DATA, connection, 9, sequence) + noise,
        ]

    def _send(
        self, addr: Place, kind: int, connection: int, sent_at: int, sequence: int, ack: int
    ) -> None:
        head = HEADER.pack(
            kind << 4 | VERSION, 0, connection, sent_at, 0, 1 << 20, sequence, ack
        )
        self._transport.sendto(head, addr)


def _packet(kind: int, connection: int, sequence: int, ack: int) -> bytes:
    return HEADER.pack(
        kind << 4 | VERSION, 0, connection, 0, 0, 1 << 20, sequence, ack & 0xFFFF
    )


class PoisonedNode(_OnUdp):
    """A node of the DHT that is always near, and names whom it likes for every info-hash."""

    def __init__(self, random: Random, poison: Sequence[Place], nodes: Sequence[Place]) -> None:
        """Name ``poison`` as peers, and show itself to ``nodes``."""
        self._random = random
        self._poison = tuple(poison)
        self._nodes = tuple(nodes)
        self._id = random.randbytes(20)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Show itself to the honest nodes, so that they pass it on."""
        super().connection_made(transport)
        for node in self._nodes:
            query: dict[bytes, Bencoded] = {
                b"t": b"pn",
                b"y": b"q",
                b"q": b"find_node",
                b"a": {b"id": self._id, b"target": self._random.randbytes(20)},
            }
            self._transport.sendto(encode(query), node)

    def datagram_received(self, data: bytes, addr: Place) -> None:
        """Answer a query; answers to its own are of no interest."""
        try:
            query = decode(data)
        except NotBencoded:
            return
        asked = query.get(b"a")
        if query.get(b"y") != b"q" or not isinstance(asked, dict):
            return
        answer: dict[bytes, Bencoded] = {b"id": self._id, b"nodes": b""}
        near = asked.get(b"info_hash") or asked.get(b"target")
        if isinstance(near, bytes) and len(near) == 20:
            twin = near[:19] + bytes([near[19] ^ 1])
            host, port = self._transport.get_extra_info("sockname")[:2]
            answer[b"nodes"] = twin + compact([(host, port)])[0]
        if query.get(b"q") == b"get_peers":
            answer |= {b"token": b"tk", b"values": [compact([one])[0] for one in self._poison]}
        reply: dict[bytes, Bencoded] = {b"t": query.get(b"t", b""), b"y": b"r", b"r": answer}
        self._transport.sendto(encode(reply), addr)
