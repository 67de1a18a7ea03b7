"""Asking the DHT who has a file: read-only, through libtorrent, and through the relay alone.

One session, made only when it is asked to begin. Its one UDP socket is on loopback (libtorrent
binds it to that device), so that no packet of it can leave the machine but by the relay, which
lets pass nothing but questions of a node that says it is read-only. It has no torrent,
announces nothing, and answers nobody. Sources: BEP 5, BEP 43 (read-only nodes).

libtorrent's SOCKS5 carries datagrams over IPv4 only: the DHT of BEP 32 is not asked.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol, cast

import libtorrent

from protech.errors import ConfigError
from protech.locate.adapter import Address, Endpoint
from protech.locate.bittorrent import bencode
from protech.locate.bittorrent.bencode import NotBencoded
from protech.locate.bittorrent.relay import HOST, Pace, Passed, Relay, Ways
from protech.locate.bittorrent.socks import USER
from protech.locate.bittorrent.tracker import INFO_HASH_BYTES, peer_at

QUESTIONS = frozenset({b"ping", b"find_node", b"get_peers"})
QUESTION_BYTES = 512
"""One of ours is about 110 bytes long."""

SOCKS5_WITH_PASSWORD = 3
POLL_S = 0.02
IDLE_REPORTS = 5
"""So many reports in a row that nothing is under way end a look-up; the first may be older."""

ASSOCIATE_S = 10.0


class DhtWays(Ways, Protocol):
    """What the door opens, and its leave alone."""

    def ask(self, peer: Endpoint) -> None:
        """Return where a packet may go to a node; ``AuthorityError`` where not."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DhtLimits:
    """How much, how long and how fast the DHT is asked."""

    lookup_s: float = 30.0
    quiet_s: float = 3.0
    """A look-up in which nothing was asked or answered for so long has ended."""
    questions_per_s: int = 250
    """Of one source address: what other clients have as their most."""
    burst: int = 50
    lookups: int = 32
    """At a time: of 80 questions in 10 s each, as many as the pace allows."""
    answers: int = 1000
    """Answers to one look-up that are read; hostile nodes can name others without end."""


def is_question(datagram: bytes) -> bool:
    """Return whether a datagram is a question of a read-only node, and not an announcement."""
    try:
        fields = bencode.decode(datagram, limit_bytes=QUESTION_BYTES)
    except NotBencoded:
        return False
    said = fields.get(b"q")
    return (
        fields.get(b"y") == b"q"
        and fields.get(b"ro") == 1
        and isinstance(said, bytes)
        and said in QUESTIONS
    )


def session_settings(
    relay: Relay, bootstrap: Sequence[Endpoint], *, lab: bool
) -> "libtorrent.settings_pack":
    """Return what the session may do: nothing but to ask through the relay."""
    off = (
        "enable_dht enable_lsd enable_upnp enable_natpmp enable_ip_notifier"
        " enable_incoming_tcp enable_incoming_utp enable_outgoing_tcp enable_outgoing_utp"
        " proxy_hostnames proxy_peer_connections proxy_send_host_in_connect"
        " announce_to_all_trackers announce_to_all_tiers use_dht_as_fallback"
        " allow_i2p_mixed listen_system_port_fallback dht_privacy_lookups"
    )
    # Nodes of a lab are neighbours on loopback, with names that their addresses do not give.
    distant = "dht_restrict_routing_ips dht_restrict_search_ips dht_ignore_dark_internet"
    kinds = libtorrent.alert.category_t
    pack: dict[str, int | str] = {
        **dict.fromkeys(off.split(), False),
        **dict.fromkeys(distant.split(), not lab),
        "dht_prefer_verified_node_ids": not lab,
        "dht_enforce_node_id": False,
        "dht_read_only": True,
        "dht_bootstrap_nodes": ",".join(node.text for node in bootstrap),
        "dht_upload_rate_limit": 0x7FFFFFFF,  # the relay paces it
        "dht_max_torrents": 0,
        "dht_max_dht_items": 0,
        "listen_interfaces": f"{HOST}:0",
        "max_retry_port_bind": 0,
        "proxy_type": SOCKS5_WITH_PASSWORD,
        "proxy_hostname": HOST,
        "proxy_port": relay.port,
        "proxy_username": USER,
        "proxy_password": relay.secret,
        "proxy_tracker_connections": True,
        "socks5_udp_send_local_ep": True,
        "webtorrent_stun_server": "",
        "user_agent": "",
        "alert_mask": int(kinds.dht_operation_notification | kinds.dht_notification),
    }
    return cast("libtorrent.settings_pack", pack)


class _Lookup:
    """What has been heard for one info-hash: a node's peers, a question (empty), or the end."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[Endpoint, ...] | None] = asyncio.Queue()
        self.has_asked = False
        self.idle = 0


class Dht:
    """Look-ups in one session; ``open_dht`` makes it."""

    def __init__(self, session: libtorrent.session, relay: Relay, limits: DhtLimits) -> None:
        """Ask nothing yet."""
        self._session = session
        self._relay = relay
        self._limits = limits
        self._lookups: dict[bytes, _Lookup] = {}
        self._turns = asyncio.Semaphore(limits.lookups)
        self._is_wanted = asyncio.Event()
        self.dropped = 0
        """Peers that were named and can be none."""

    @property
    def counts(self) -> Counter[Passed]:
        """What became of the datagrams."""
        return self._relay.counts

    async def peers(self, info_hash: bytes) -> AsyncIterator[tuple[Endpoint, ...]]:
        """Yield the peers that nodes name for an info-hash, a node's at a time.

        Nothing is yielded where the same one is being looked for already.

        Raises:
            AuthorityError: The authority does not cover the next packet; it was not sent.
        """
        wanted = info_hash[:INFO_HASH_BYTES]
        async with self._turns:
            if wanted in self._lookups:
                return
            self._require_cover()
            lookup = self._lookups[wanted] = _Lookup()
            try:
                self._session.dht_get_peers(libtorrent.sha1_hash(wanted))
                self._is_wanted.set()
                async for peers in self._answers(lookup):
                    yield peers
            finally:
                del self._lookups[wanted]

    async def _answers(self, lookup: _Lookup) -> AsyncIterator[tuple[Endpoint, ...]]:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._limits.lookup_s
        answers = 0
        while answers < self._limits.answers:
            try:
                async with asyncio.timeout_at(min(end, loop.time() + self._limits.quiet_s)):
                    peers = await lookup.heard.get()
            except TimeoutError:
                peers = None
            self._require_cover()
            if peers is None:
                return
            if peers:
                answers += 1
                yield peers

    def _require_cover(self) -> None:
        if self._relay.stopped is not None:
            raise self._relay.stopped

    async def listen(self) -> None:
        """Hear what libtorrent has to say, for ever; it polls while somebody waits."""
        while True:
            if not self._lookups:
                self._is_wanted.clear()
                await self._is_wanted.wait()
            await asyncio.sleep(POLL_S)
            for alert in self._session.pop_alerts():
                self._hear(alert)
            self._session.post_dht_stats()

    def _hear(self, alert: object) -> None:
        match alert:
            case libtorrent.dht_get_peers_reply_alert():
                self._tell(alert.info_hash, self._possible(alert.peers()))
            case libtorrent.dht_outgoing_get_peers_alert():
                self._tell(alert.info_hash, ())
            case libtorrent.dht_stats_alert():
                self._report(is_busy=bool(alert.active_requests))
            case _:
                pass

    def _report(self, *, is_busy: bool) -> None:
        """End the look-ups that have begun, where nothing has been under way for a while."""
        for lookup in self._lookups.values():
            lookup.idle = 0 if is_busy or not lookup.has_asked else lookup.idle + 1
            if lookup.idle == IDLE_REPORTS:
                lookup.heard.put_nowait(None)

    def _tell(self, info_hash: libtorrent.sha1_hash, peers: tuple[Endpoint, ...]) -> None:
        lookup = self._lookups.get(info_hash.to_bytes())
        if lookup is None:
            return
        lookup.has_asked = True
        if lookup.heard.qsize() < self._limits.answers:
            lookup.heard.put_nowait(peers)

    def _possible(self, named: Sequence[tuple[str, int]]) -> tuple[Endpoint, ...]:
        found = [peer_at(ip_address(host), port) for host, port in named]
        peers = tuple(one for one in found if one is not None)
        self.dropped += len(found) - len(peers)
        return peers


@asynccontextmanager
async def open_dht(
    ways: DhtWays,
    *,
    bootstrap: Sequence[Endpoint],
    may_reach: Callable[[Address], bool],
    limits: DhtLimits | None = None,
    lab: bool = False,
) -> AsyncIterator[Dht]:
    """Give a session for look-ups, and end it with the context.

    Args:
        ways: The door; it is asked for leave before there is any session.
        bootstrap: The first nodes, from the signed configuration or the lab; IPv4.
        may_reach: Whether an address is one that nodes may have.
        limits: Ours by default.
        lab: Whether nodes are neighbours on loopback; nothing else changes.

    Raises:
        AuthorityError: Nothing may be sent: no session was made.
        ConfigError: There is no first node, or libtorrent did not come to the relay.
    """
    if not bootstrap or any(node.address.version != 4 for node in bootstrap):
        raise ConfigError(
            "The DHT has no first nodes with IPv4 addresses to be asked through; name some, or"
            " look for peers by trackers alone."
        )
    for node in bootstrap:
        ways.ask(node)
    limits = limits or DhtLimits()
    pace = Pace(per_s=limits.questions_per_s, burst=limits.burst)
    relay = Relay(ways, may_send=is_question, may_reach=may_reach, pace=pace)
    async with relay:
        session = libtorrent.session(session_settings(relay, bootstrap, lab=lab))
        dht = Dht(session, relay, limits)
        listener = asyncio.create_task(dht.listen())
        try:
            await _begun(session, relay)
            yield dht
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)


async def _begun(session: libtorrent.session, relay: Relay) -> None:
    """Wait for the session to come to the relay, and begin the DHT only then."""
    try:
        async with asyncio.timeout(ASSOCIATE_S):
            await relay.associated.wait()
            session.apply_settings({"enable_dht": True})
            # A look-up before it runs would be forgotten.
            while not session.is_dht_running():  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise ConfigError(
            "libtorrent did not come to the relay that carries its packets on loopback, so that"
            " the DHT is not asked; check that 127.0.0.1 is up and may be connected to."
        ) from None
