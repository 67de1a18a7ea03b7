"""The DHT is asked read-only, by a session that exists only once leave was given."""

import asyncio
from ipaddress import ip_address

import libtorrent
import pytest

from protech.errors import AuthorityError, ConfigError
from protech.locate.adapter import Endpoint
from protech.locate.bittorrent import bencode
from protech.locate.bittorrent import dht as dhts
from protech.locate.bittorrent.dht import (
    Dht,
    DhtLimits,
    is_question,
    open_dht,
    session_settings,
)
from protech.locate.bittorrent.relay import Pace, Relay
from protech.locate.bittorrent.tracker_udp import Datagrams

NODE = Endpoint(address=ip_address("127.0.0.1"), port=6881)
WANTED = b"w" * 32


def question(**changed: bencode.Bencoded) -> bytes:
    fields: dict[bytes, bencode.Bencoded] = {
        b"a": {b"id": b"i" * 20, b"info_hash": b"h" * 20},
        b"q": b"get_peers",
        b"ro": 1,
        b"t": b"tt",
        b"y": b"q",
    }
    return bencode.encode(fields | {name.encode(): value for name, value in changed.items()})


class NoWays:
    """A door that gives no leave, or opens nothing."""

    def __init__(self, over: AuthorityError | None = None) -> None:
        self._over = over

    def ask(self, peer: Endpoint) -> None:
        if self._over is not None:
            raise self._over

    def datagrams(self, peer: Endpoint) -> Datagrams:
        raise AssertionError("nothing may be opened")


class Session:
    """As much of libtorrent's as a look-up asks."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def dht_get_peers(self, info_hash: libtorrent.sha1_hash) -> None:
        self.asked.append(info_hash.to_bytes())


def made(limits: DhtLimits) -> tuple[Dht, Session, Relay]:
    relay = Relay(
        NoWays(),
        may_send=is_question,
        may_reach=lambda _: True,
        pace=Pace(per_s=1, burst=1),
    )
    session = Session()
    return Dht(session, relay, limits), session, relay  # type: ignore[arg-type]


@pytest.mark.parametrize("asked", [b"get_peers", b"find_node", b"ping"])
def test_a_question_of_a_read_only_node_may_be_sent(asked: bytes) -> None:
    assert is_question(question(q=asked))


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x41\x00\x30\x39" + bytes(16),  # uTP
        question(q=b"announce_peer"),
        question(q=b"put"),
        question(q=b"sample_infohashes"),
        question(q=7),
        question(ro=0),
        question(y=b"r"),
        question(v=b"x" * 600),
    ],
)
def test_nothing_else_may_be_sent(datagram: bytes) -> None:
    assert not is_question(datagram)


def test_the_session_may_do_nothing_but_ask_through_the_relay() -> None:
    async def settings(*, lab: bool) -> dict[str, object]:
        _, _, relay = made(DhtLimits())
        return dict(session_settings(relay, [NODE], lab=lab))

    found = asyncio.run(settings(lab=False))
    assert found["dht_read_only"] is True
    assert found["listen_interfaces"] == "127.0.0.1:0"
    assert found["dht_bootstrap_nodes"] == "127.0.0.1:6881"
    assert (found["proxy_type"], found["proxy_hostname"]) == (3, "127.0.0.1")
    assert [found[f"enable_{name}"] for name in ("lsd", "upnp", "natpmp")] == [False] * 3
    assert found["dht_restrict_search_ips"] is True
    in_lab = asyncio.run(settings(lab=True))
    assert {name for name in found if in_lab[name] != found[name]} == {
        "dht_ignore_dark_internet",
        "dht_prefer_verified_node_ids",
        "dht_restrict_routing_ips",
        "dht_restrict_search_ips",
        "proxy_password",
    }


def test_without_leave_there_is_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: object) -> None:
        raise AssertionError("a session was made")

    monkeypatch.setattr(libtorrent, "session", none)

    async def enter() -> None:
        ways = NoWays(AuthorityError("Over."))
        async with open_dht(ways, bootstrap=[NODE], may_reach=lambda _: True):
            pass

    with pytest.raises(AuthorityError):
        asyncio.run(enter())


@pytest.mark.parametrize("bootstrap", [[], [Endpoint(address=ip_address("::1"), port=1)]])
def test_first_nodes_must_be_named(bootstrap: list[Endpoint]) -> None:
    async def enter() -> None:
        async with open_dht(NoWays(), bootstrap=bootstrap, may_reach=lambda _: True):
            pass

    with pytest.raises(ConfigError):
        asyncio.run(enter())


def test_a_look_up_in_which_nothing_is_heard_ends() -> None:
    async def look() -> list[tuple[Endpoint, ...]]:
        dht, _, _ = made(DhtLimits(quiet_s=0.0))
        return [one async for one in dht.peers(WANTED)]

    assert asyncio.run(look()) == []


def test_a_look_up_yields_what_nodes_name_until_nothing_is_under_way() -> None:
    async def look() -> tuple[list[tuple[Endpoint, ...]], list[bytes]]:
        dht, session, _ = made(DhtLimits())
        told = libtorrent.sha1_hash(WANTED[:20])
        found = []
        lookup = aiter(dht.peers(WANTED))
        first = asyncio.ensure_future(anext(lookup))
        await asyncio.sleep(0)
        dht._tell(libtorrent.sha1_hash(b"o" * 20), (NODE,))
        dht._tell(told, ())
        dht._tell(told, (NODE,))
        found.append(await first)
        dht._lookups[WANTED[:20]].heard.put_nowait(None)
        found += [one async for one in lookup]
        return found, session.asked

    assert asyncio.run(look()) == ([(NODE,)], [WANTED[:20]])


def test_a_look_up_does_not_end_before_it_has_begun() -> None:
    async def look() -> list[tuple[Endpoint, ...]]:
        dht, _, _ = made(DhtLimits())
        lookup = aiter(dht.peers(WANTED))
        first = asyncio.ensure_future(anext(lookup))
        await asyncio.sleep(0)
        for _ in range(2 * dhts.IDLE_REPORTS):
            dht._report(is_busy=False)
        dht._tell(libtorrent.sha1_hash(WANTED[:20]), (NODE,))
        found = [await first]
        for is_busy in (False, True, *[False] * dhts.IDLE_REPORTS):
            dht._report(is_busy=is_busy)
        return found + [one async for one in lookup]

    assert asyncio.run(look()) == [(NODE,)]


def test_the_same_look_up_is_made_once_at_a_time() -> None:
    async def look() -> list[bytes]:
        dht, session, _ = made(DhtLimits())
        lookup = aiter(dht.peers(WANTED))
        first = asyncio.ensure_future(anext(lookup))
        await asyncio.sleep(0)
        assert [one async for one in dht.peers(WANTED)] == []
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        return session.asked

    assert asyncio.run(look()) == [WANTED[:20]]


def test_hostile_nodes_do_not_make_a_look_up_endless() -> None:
    async def look() -> int:
        dht, _, _ = made(DhtLimits(answers=3))
        lookup = aiter(dht.peers(WANTED))
        first = asyncio.ensure_future(anext(lookup))
        await asyncio.sleep(0)
        for _ in range(9):
            dht._tell(libtorrent.sha1_hash(WANTED[:20]), (NODE,))
        await first
        return 1 + len([one async for one in lookup])

    assert asyncio.run(look()) == 3


def test_a_look_up_ends_with_the_leave() -> None:
    async def look() -> None:
        dht, session, relay = made(DhtLimits(quiet_s=0.0))
        relay.stopped = AuthorityError("Over.")
        with pytest.raises(AuthorityError):
            await anext(aiter(dht.peers(WANTED)))
        assert session.asked == []

    asyncio.run(look())


def test_what_can_be_no_peer_is_dropped_and_counted() -> None:
    async def drop() -> int:
        dht, _, _ = made(DhtLimits())
        named = [("224.0.0.1", 1), ("127.0.0.1", 0), ("0.0.0.0", 1), ("127.0.0.1", 6881)]
        assert dht._possible(named) == (NODE,)
        return dht.dropped

    assert asyncio.run(drop()) == 3


def test_a_session_that_does_not_come_to_the_relay_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dhts, "ASSOCIATE_S", 0.0)
    monkeypatch.setattr(libtorrent, "session", lambda _: Session())

    async def enter() -> None:
        async with open_dht(NoWays(), bootstrap=[NODE], may_reach=lambda _: True):
            pass

    with pytest.raises(ConfigError, match="did not come"):
        asyncio.run(enter())
