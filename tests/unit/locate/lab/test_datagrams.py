"""What lies in wait on UDP: uTP out of sequence, and a node that names whom it likes."""

import asyncio
from random import Random
from typing import Any, cast

from protech.locate.bittorrent.bencode import Bencoded, decode, encode
from protech.locate.lab.datagrams import (
    DATA,
    HEADER,
    STATE,
    SYN,
    VERSION,
    PoisonedNode,
    UtpGarbage,
)

HERE = ("127.0.0.5", 99)
VICTIM = ("127.0.0.66", 9100)


class Sent(asyncio.DatagramTransport):
    """A transport that keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.content: list[bytes] = []

    def sendto(self, data: Any, addr: object = None) -> None:
        self.content.append(bytes(data))

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.9", 4000)


def packet(kind: int, *, version: int = VERSION) -> bytes:
    return HEADER.pack(kind << 4 | version, 0, 500, 1, 0, 1000, 10, 0)


def answers_of(made: asyncio.DatagramProtocol, *said: bytes) -> list[bytes]:
    sent = Sent()
    made.connection_made(sent)
    for one in said:
        made.datagram_received(one, HERE)
    return sent.content


def test_a_connection_is_accepted_and_then_every_rule_is_broken() -> None:
    answers = answers_of(UtpGarbage(Random(1)), packet(SYN))
    accepted = HEADER.unpack(answers[0])
    assert accepted[0] == STATE << 4 | VERSION
    assert (accepted[2], accepted[7]) == (500, 10)
    assert len(answers) > 10
    assert any(len(one) < HEADER.size for one in answers)
    assert answers[1] == answers[2]


def test_each_packet_of_data_is_answered_with_more() -> None:
    assert len(answers_of(UtpGarbage(Random(1)), packet(DATA))) == 11


def test_what_is_no_utp_is_left_alone() -> None:
    assert answers_of(UtpGarbage(Random(1)), b"", packet(SYN, version=2), packet(STATE)) == []


def query(**asked: bytes) -> bytes:
    arguments: dict[bytes, Bencoded] = {key.encode(): value for key, value in asked.items()}
    name = b"get_peers" if "info_hash" in asked else b"ping"
    return encode({b"t": b"aa", b"y": b"q", b"q": name, b"a": arguments})


def test_a_poisoned_node_names_its_victims_and_a_twin_of_what_is_looked_for() -> None:
    node = PoisonedNode(Random(1), [VICTIM], [])
    (answer,) = answers_of(node, query(id=bytes(20), info_hash=b"h" * 20))
    told = cast("dict[bytes, Any]", decode(answer)[b"r"])
    assert told[b"values"] == [bytes([127, 0, 0, 66]) + (9100).to_bytes(2)]
    assert told[b"nodes"][:19] == b"h" * 19


def test_a_poisoned_node_answers_a_ping_and_shows_itself() -> None:
    node = PoisonedNode(Random(1), [VICTIM], [("127.0.0.7", 1), ("127.0.0.8", 2)])
    answers = answers_of(node, query(id=bytes(20)))
    assert [decode(one)[b"y"] for one in answers] == [b"q", b"q", b"r"]


def test_a_poisoned_node_leaves_answers_and_noise_alone() -> None:
    node = PoisonedNode(Random(1), [VICTIM], [])
    assert (
        answers_of(node, b"noise", encode({b"y": b"r", b"r": {}}), encode({b"y": b"q"})) == []
    )
