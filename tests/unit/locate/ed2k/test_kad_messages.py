"""What Kad's nodes say is read as they write it, and what does not hold together is a fault."""

import struct
import zlib
from contextlib import suppress
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.lists.fetch_key import Ed2kFile
from protech.locate.adapter import Endpoint
from protech.locate.ed2k import kad_messages
from protech.locate.ed2k.kad_messages import Contact, on_the_wire
from protech.locate.ed2k.tags import Malformed
from tests import donkeys, kad_nodes

KEY = Ed2kFile(md4=donkeys.MD4, aich=bytes(20), size_bytes=5000)
PLACE = Endpoint(address=IPv4Address("198.18.1.2"), port=4672)
NODE = Contact(node_id=bytes(range(100, 116)), place=PLACE)


def test_numbers_are_turned_round_in_fours() -> None:
    assert on_the_wire(bytes(range(16)))[:5] == b"\x03\x02\x01\x00\x07"


@given(st.binary(min_size=16, max_size=16))
def test_turned_round_twice_a_number_is_itself(value: bytes) -> None:
    assert on_the_wire(on_the_wire(value)) == value


def test_questions_are_written_as_nodes_read_them() -> None:
    assert kad_messages.bootstrap() == b"\xe4\x01"
    wire, node = on_the_wire(KEY.md4), on_the_wire(NODE.node_id)
    assert kad_messages.find(KEY.md4, NODE.node_id) == b"\xe4\x21\x04" + wire + node
    asked = kad_messages.search_sources(KEY)
    assert asked == b"\xe4\x34" + wire + bytes(2) + struct.pack("<Q", 5000)


def test_a_datagram_is_opened() -> None:
    assert kad_messages.opened(b"\xe4\x29abc") == (0x29, b"abc")
    assert kad_messages.opened(b"\xe5\x29" + zlib.compress(b"abc" * 100)) == (
        0x29,
        b"abc" * 100,
    )


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\xe4",
        b"\xe3\x29abc",
        b"\xe5\x29abc",
        b"\xe5\x29" + zlib.compress(b"abc" * 100)[:-5],
        b"\xe5\x29" + zlib.compress(bytes(kad_messages.UNPACKED_BYTES + 1)),
    ],
)
def test_what_is_no_datagram_or_too_large_is_a_fault(datagram: bytes) -> None:
    with pytest.raises(Malformed):
        kad_messages.opened(datagram)


def test_as_much_as_may_be_unpacked_is() -> None:
    whole = bytes(kad_messages.UNPACKED_BYTES)
    assert kad_messages.opened(b"\xe5\x01" + zlib.compress(whole))[1] == whole


def test_nodes_are_read() -> None:
    answer = kad_nodes.bootstrap_answer(NODE.node_id, [NODE])
    assert kad_messages.parse_bootstrap(answer[2:]) == (NODE.node_id, [NODE])
    found = kad_nodes.find_answer(KEY.md4, [NODE, NODE])
    assert kad_messages.parse_found(found[2:], KEY.md4) == [NODE, NODE]
    portless = Contact(node_id=NODE.node_id, place=Endpoint(address=PLACE.address, port=0))
    found = kad_nodes.find_answer(KEY.md4, [portless, NODE])
    assert kad_messages.parse_found(found[2:], KEY.md4) == [NODE]


def test_nodes_of_another_file_cut_or_too_many_are_a_fault() -> None:
    good = kad_nodes.find_answer(KEY.md4, [NODE])[2:]
    many = kad_nodes.find_answer(KEY.md4, [NODE] * (kad_messages.CONTACTS + 1))[2:]
    for content in (good[:-1], good + b"x", good[:16], b"", many):
        with pytest.raises(Malformed):
            kad_messages.parse_found(content, KEY.md4)
    with pytest.raises(Malformed):
        kad_messages.parse_found(good, bytes(16))
    for content in (b"", kad_nodes.bootstrap_answer(bytes(16), [NODE])[2:-1]):
        with pytest.raises(Malformed):
            kad_messages.parse_bootstrap(content)
    most = kad_nodes.find_answer(KEY.md4, [NODE] * kad_messages.CONTACTS)[2:]
    assert len(kad_messages.parse_found(most, KEY.md4)) == kad_messages.CONTACTS


@pytest.mark.parametrize(("kind", "is_named"), [(1, True), (4, True), (3, False), (6, False)])
def test_sources_that_can_be_called_are_named(kind: int, is_named: bool) -> None:
    answer = kad_nodes.search_answer(KEY.md4, [PLACE], kind=kind)
    found = kad_messages.parse_sources(answer[2:], KEY.md4)
    assert found == ([PLACE] if is_named else [])


def test_sources_without_a_place_are_not_named() -> None:
    nowhere = [
        Endpoint(address=IPv4Address("0.0.0.0"), port=5),
        Endpoint(address=PLACE.address, port=0),
    ]
    answer = kad_nodes.search_answer(KEY.md4, [*nowhere, PLACE])
    assert kad_messages.parse_sources(answer[2:], KEY.md4) == [PLACE]


def test_sources_of_another_file_cut_or_too_many_are_a_fault() -> None:
    good = kad_nodes.search_answer(KEY.md4, [PLACE])[2:]
    many = good[:32] + struct.pack("<H", kad_messages.RESULTS + 1) + good[34:]
    tags = good[:50] + bytes([kad_messages.TAGS + 1]) + good[51:]
    for content in (good[:-1], good[:50], good[:33], many, tags):
        with pytest.raises(Malformed):
            kad_messages.parse_sources(content, KEY.md4)
    with pytest.raises(Malformed):
        kad_messages.parse_sources(good, bytes(16))


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_a_fault(data: bytes) -> None:
    wire = on_the_wire(KEY.md4)
    for parse in (
        lambda: kad_messages.parse_found(wire + data, KEY.md4),
        lambda: kad_messages.parse_sources(bytes(16) + wire + data, KEY.md4),
        lambda: kad_messages.parse_bootstrap(data),
        lambda: kad_messages.opened(b"\xe5" + data),
    ):
        with suppress(Malformed):
            parse()
