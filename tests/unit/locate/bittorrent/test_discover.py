"""Who is named, who is dropped, and how often a tracker is asked."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network

import pytest

from protech.errors import AuthorityError
from protech.lists.fetch_key import Ed2kFile, TorrentFile
from protech.locate.adapter import Address, Candidate, Endpoint, ListName, Source, Target
from protech.locate.bittorrent import bencode
from protech.locate.bittorrent.discover import (
    DiscoverLimits,
    Discovery,
    Dropped,
    Excluded,
    reachable,
    within,
)
from protech.locate.bittorrent.tracker import NOBODY_LISTENS_PORT, Said
from protech.locate.bittorrent.tracker_udp import Datagrams
from protech.locate.bittorrent.trackers import literal_only
from protech.locate.loss import Loss, Lost

OURS = ip_address("127.8.0.1")
ONE, TWO = "http://127.0.0.1:1/a", "http://127.0.0.2:2/a"


def at(host: str, port: int = 6881) -> Endpoint:
    return Endpoint(address=ip_address(host), port=port)


def target(*trackers: str) -> Target:
    key = TorrentFile(
        info_hash=b"h" * 20,
        file_index=0,
        first_byte=0,
        size_bytes=9,
        piece_bytes=16384,
        torrent_bytes=9,
        pieces=(b"p" * 20,),
        trackers=trackers,
    )
    name = ListName(name="lab", version=1, sha256=bytes(32))
    return Target(entry="e", number=0, list_name=name, key=key)


class Wire:
    local = at("127.0.0.1", 4000)

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    async def send(self, data: bytes) -> None:
        pass

    async def receive_into(self, buffer: memoryview) -> int:
        size = len(self._answer)
        buffer[:size] = self._answer
        self._answer = b""
        return size

    def close(self) -> None:
        pass


@dataclass(slots=True, kw_only=True)
class Ways:
    """Trackers that answer over HTTP, by their endpoint."""

    answers: dict[Endpoint, tuple[Endpoint, ...]] = field(default_factory=dict)
    asked: list[Endpoint] = field(default_factory=list)
    over: AuthorityError | None = None

    async def connect(self, peer: Endpoint) -> Wire:
        self.asked.append(peer)
        if self.over is not None:
            raise self.over
        if peer not in self.answers:
            raise Lost(Loss.REFUSED)
        named: list[bencode.Bencoded] = [
            {b"ip": str(one.address).encode(), b"port": one.port} for one in self.answers[peer]
        ]
        fields: dict[bytes, bencode.Bencoded] = {b"interval": 600, b"peers": named}
        return Wire(b"HTTP/1.1 200 OK\r\n\r\n" + bencode.encode(fields))

    def datagrams(self, peer: Endpoint) -> Datagrams:
        raise AssertionError("no tracker here is asked over UDP")


class Nodes:
    """A DHT that names whom it is told to."""

    def __init__(self, *answers: tuple[Endpoint, ...], endless: bool = False) -> None:
        self._answers = answers
        self._endless = endless
        self.was_ended = False
        self.look_ups = 0

    async def peers(self, info_hash: bytes) -> AsyncIterator[tuple[Endpoint, ...]]:
        self.look_ups += 1
        try:
            for one in self._answers:
                yield one
            if self._endless:
                await asyncio.Event().wait()
        finally:
            self.was_ended = True


def made(
    ways: Ways,
    *,
    nodes: Nodes | None = None,
    excluded: Excluded | None = None,
    limits: DiscoverLimits | None = None,
    clock: Sequence[float] = (0.0,),
) -> Discovery:
    return Discovery(
        ways,
        resolve=literal_only,
        may_reach=reachable(lab=True),
        dht=nodes,
        excluded=excluded,
        limits=limits,
        now=lambda: clock[0],
    )


def found(discovery: Discovery, of: Target) -> list[Candidate]:
    async def all_of_it() -> list[Candidate]:
        return [one async for one in discovery.discover(of)]

    return asyncio.run(all_of_it())


def test_trackers_and_the_dht_name_peers_each_once() -> None:
    peer, other = at("127.1.0.1"), at("127.1.0.2")
    ways = Ways(answers={at("127.0.0.1", 1): (peer, peer), at("127.0.0.2", 2): (peer, other)})
    nodes = Nodes((peer,), (peer,))
    names = found(made(ways, nodes=nodes), target(ONE, TWO, ONE))
    assert sorted((one.endpoint.text, one.source) for one in names) == [
        ("127.1.0.1:6881", Source.DHT),
        ("127.1.0.1:6881", Source.TRACKER),
        ("127.1.0.2:6881", Source.TRACKER),
    ]
    assert len(ways.asked) == 4  # each twice: started, stopped


def test_what_cannot_be_or_must_not_be_spoken_to_is_dropped() -> None:
    named = (
        at("127.1.0.1"),
        at("8.8.8.8"),
        at("224.0.0.1"),
        at("127.1.0.1", 0),
        at("127.8.0.1", NOBODY_LISTENS_PORT),
        at("127.8.0.1", 6881),
        at("127.1.0.2", NOBODY_LISTENS_PORT),
        at("198.18.5.5"),
    )
    excluded = Excluded(ourselves=frozenset({OURS}), observers=(ip_network("198.18.5.0/24"),))
    discovery = made(Ways(answers={at("127.0.0.1", 1): named}), excluded=excluded)
    names = [one.endpoint for one in found(discovery, target(ONE))]
    assert names == [at("127.1.0.1"), at("127.8.0.1"), at("127.1.0.2", NOBODY_LISTENS_PORT)]
    assert discovery.dropped == {
        Dropped.IMPOSSIBLE: 2,
        Dropped.NOT_REACHABLE: 1,
        Dropped.OURSELVES: 1,
        Dropped.OBSERVER: 1,
        Dropped.TOO_MANY: 0,
    }


def test_ourselves_are_who_the_socket_says_where_nobody_says_otherwise() -> None:
    named = (at("127.0.0.1", NOBODY_LISTENS_PORT), at("127.0.0.1", 6881))
    discovery = made(Ways(answers={at("127.0.0.1", 1): named}))
    assert [one.endpoint for one in found(discovery, target(ONE))] == [at("127.0.0.1", 6881)]
    assert discovery.dropped[Dropped.OURSELVES] == 1


def test_more_peers_than_were_asked_for_are_dropped() -> None:
    many = tuple(at("127.1.0.1", 1000 + i) for i in range(30))
    limits = DiscoverLimits(tracker_peers=10, dht_peers=15)
    nodes = Nodes(many[:10], many[10:])
    discovery = made(Ways(answers={at("127.0.0.1", 1): many}), nodes=nodes, limits=limits)
    names = found(discovery, target(ONE))
    by_source = [one.source for one in names]
    assert (by_source.count(Source.TRACKER), by_source.count(Source.DHT)) == (10, 15)
    assert discovery.dropped[Dropped.TOO_MANY] == 20 + 15


def test_a_tracker_is_asked_no_more_often_than_it_wants() -> None:
    clock = [0.0]
    ways = Ways(answers={at("127.0.0.1", 1): (at("127.1.0.1"),)})
    discovery = made(ways, clock=clock)
    for now, asked in ((0.0, 2), (599.0, 2), (600.0, 4)):
        clock[0] = now
        found(discovery, target(ONE))
        assert len(ways.asked) == asked
    other = target(ONE)
    assert isinstance(other.key, TorrentFile)
    found(discovery, replace(other, key=replace(other.key, info_hash=b"o" * 20)))
    assert len(ways.asked) == 6


def test_two_files_of_one_torrent_are_asked_for_once_and_both_have_the_answer() -> None:
    ways = Ways(answers={at("127.0.0.1", 1): (at("127.1.0.1"),)})
    nodes = Nodes((at("127.1.0.2"), at("127.1.0.2")))
    discovery = made(ways, nodes=nodes)
    other = replace(target(ONE), entry="f", number=1)

    async def both() -> list[list[Candidate]]:
        async def one(of: Target) -> list[Candidate]:
            return [candidate async for candidate in discovery.discover(of)]

        return list(await asyncio.gather(one(target(ONE)), one(other)))

    first, second = asyncio.run(both())
    assert {one.source for one in first} == {Source.TRACKER, Source.DHT}
    assert set(first) == set(second)
    assert (len(ways.asked), nodes.look_ups) == (2, 1)


def test_a_name_leads_nowhere_in_the_lab_and_an_address_outside_it_is_not_asked() -> None:
    ways = Ways()
    discovery = made(ways)
    urls = ("http://tracker.example/", "http://8.8.8.8/", "udp://localhost:1")
    assert found(discovery, target(*urls)) == []
    assert ways.asked == []
    assert discovery.said == {Said.NO_ADDRESS: 3}


def test_what_is_no_address_of_a_tracker_is_left_alone() -> None:
    discovery = made(Ways())
    assert found(discovery, target("http://user@127.0.0.1/")) == []
    assert discovery.said == {}


def test_each_version_of_addresses_is_asked_once() -> None:
    async def resolve(host: str) -> Sequence[Address]:
        return [ip_address(one) for one in ("127.0.0.1", "127.0.0.9", "::1", "8.8.8.8")]

    ways = Ways()
    discovery = Discovery(ways, resolve=resolve, may_reach=reachable(lab=True))
    found(discovery, target("http://tracker.example:1/"))
    assert ways.asked == [at("127.0.0.1", 1), at("::1", 1)]
    assert discovery.said == {Said.UNREACHABLE: 2}


def test_without_leave_the_search_ends() -> None:
    ways = Ways(over=AuthorityError("Over."))
    nodes = Nodes(endless=True)
    with pytest.raises(AuthorityError):
        found(made(ways, nodes=nodes), target(ONE))
    assert nodes.was_ended


def test_who_stops_listening_ends_the_search() -> None:
    nodes = Nodes((at("127.1.0.1"),), endless=True)

    async def first() -> Candidate:
        search = made(Ways(), nodes=nodes).discover(target())
        try:
            return await anext(search)
        finally:
            await search.aclose()

    assert asyncio.run(first()).source is Source.DHT
    assert nodes.was_ended


def test_nothing_is_asked_for_another_network() -> None:
    of = replace(target(), key=Ed2kFile(md4=bytes(16), aich=bytes(20), size_bytes=1))
    with pytest.raises(TypeError):
        found(made(Ways()), of)


@pytest.mark.parametrize(
    ("text", "in_lab", "in_public"),
    [
        ("127.0.0.1", True, False),
        ("198.19.255.255", True, False),
        ("198.20.0.0", False, True),
        ("::1", True, False),
        ("2a00::1", False, True),
        ("10.0.0.1", False, False),
        ("192.168.1.1", False, False),
        ("224.0.0.1", False, False),
        ("255.255.255.255", False, False),
        ("fe80::1", False, False),
        ("8.8.8.8", False, True),
    ],
)
def test_what_may_be_reached_is_as_the_gate_says(
    text: str, in_lab: bool, in_public: bool
) -> None:
    address = ip_address(text)
    assert reachable(lab=True)(address) is in_lab
    assert reachable(lab=False)(address) is in_public
    assert not reachable(lab=False, barred=[ip_network("0.0.0.0/0"), ip_network("::/0")])(
        address
    )


def test_no_range_holds_nothing() -> None:
    assert not within([])(ip_address("127.0.0.1"))
