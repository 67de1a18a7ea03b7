"""Discovery against what it meets: opentracker, libtorrent's own nodes, and hostile ones.

References: opentracker (Debian's build, which needs a whitelist), libtorrent 2.1.
"""

import asyncio
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote

import libtorrent
import pytest

from protech.errors import AuthorityError
from protech.lists.fetch_key import TorrentFile
from protech.locate.adapter import Candidate, Endpoint, ListName, Target
from protech.locate.bittorrent import bencode
from protech.locate.bittorrent.dht import DhtLimits, open_dht
from protech.locate.bittorrent.discover import Discovery, Excluded, reachable
from protech.locate.bittorrent.relay import Passed
from protech.locate.bittorrent.tracker import Announce, Said, parse_tracker
from protech.locate.bittorrent.trackers import literal_only, visit
from protech.locate.door import Door
from tests.certified import contexts

OURS = ip_address("127.8.0.1")
TRACKER = "127.8.1.1"
INFO_HASH = b"\x42" * 20
NODES = 12


def free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def at(host: str, port: int) -> Endpoint:
    return Endpoint(address=ip_address(host), port=port)


def target(*trackers: str) -> Target:
    key = TorrentFile(
        info_hash=INFO_HASH,
        file_index=0,
        first_byte=0,
        size_bytes=1 << 14,
        piece_bytes=1 << 14,
        torrent_bytes=1 << 14,
        pieces=(b"p" * 20,),
        trackers=trackers,
    )
    name = ListName(name="lab", version=1, sha256=bytes(32))
    return Target(entry="e", number=0, list_name=name, key=key)


async def found(discovery: Discovery, of: Target) -> list[Candidate]:
    return [one async for one in discovery.discover(of)]


def reached(hosts: int) -> list[Endpoint]:
    return [at(f"127.8.2.{i}", 7000 + i) for i in range(1, hosts + 1)]


@pytest.fixture
def opentracker(tmp_path: Path) -> Iterator[int]:
    """A tracker for the one info-hash, over HTTP and UDP; gives its port."""
    (tmp_path / "whitelist").write_text(INFO_HASH.hex() + "\n")
    port = free_port(TRACKER)
    place = ["-i", TRACKER, "-p", str(port), "-P", str(port)]
    tmp_path.chmod(0o755)  # it gives up root, where it has it
    running = subprocess.Popen(
        ["opentracker", *place, "-w", "whitelist", "-d", "."],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    try:
        while not is_ready(port):
            time.sleep(0.02)
        yield port
    finally:
        running.terminate()
        running.wait()


def is_ready(port: int) -> bool:
    """Return whether the tracker listens and has read its whitelist."""
    try:
        return b"failure" not in register(at("127.8.2.250", 7250), port, event="stopped")
    except ConnectionRefusedError:
        return False


def register(peer: Endpoint, port: int, *, event: str = "started") -> bytes:
    """Announce a peer as any client does, and return whom the tracker names to it."""
    query = f"info_hash={quote(INFO_HASH)}&peer_id={'s' * 20}&port={peer.port}"
    query += f"&left=0&compact=1&numwant=200&event={event}"
    with socket.socket() as client:
        client.bind((str(peer.address), 0))
        client.connect((TRACKER, port))
        client.sendall(f"GET /announce?{query} HTTP/1.0\r\n\r\n".encode())
        answer = b""
        while data := client.recv(65536):
            answer += data
    return answer.partition(b"\r\n\r\n")[2]


@pytest.mark.needs("opentracker")
@pytest.mark.parametrize("url", ["http://{}:{}/announce", "udp://{}:{}"])
def test_opentracker_names_every_peer_and_forgets_us(opentracker: int, url: str) -> None:
    peers = reached(40)
    for peer in peers:
        register(peer, opentracker)
    door = Door(lambda _: None, source=OURS)
    discovery = Discovery(
        door,
        resolve=literal_only,
        may_reach=reachable(lab=True),
        excluded=Excluded(ourselves=frozenset({OURS})),
    )
    begin = time.perf_counter()
    names = asyncio.run(found(discovery, target(url.format(TRACKER, opentracker))))
    took_ms = (time.perf_counter() - begin) * 1000
    assert {one.endpoint for one in names} == set(peers)
    assert (discovery.said, discovery.left_behind) == ({Said.PEERS: 1}, 0)
    print(f"{url.partition(':')[0]} {len(names)}/{len(peers)} in {took_ms:.1f} ms")
    later = register(at("127.8.2.99", 7099), opentracker)
    assert OURS.packed not in later
    assert peers[0].address.packed in later


@pytest.mark.needs("opentracker")
@pytest.mark.parametrize("url", ["http://{}:{}/announce", "udp://{}:{}"])
def test_opentracker_refuses_what_it_does_not_know(opentracker: int, url: str) -> None:
    tracker = parse_tracker(url.format(TRACKER, opentracker))
    assert tracker is not None
    said = Announce(info_hash=b"?" * 20, peer_id=b"p" * 20, key=b"keyk", left_bytes=9)
    door = Door(lambda _: None, source=OURS)
    answer = asyncio.run(visit(door, tracker, ip_address(TRACKER), said, timeout_s=3.0))
    assert answer.peers == ()


async def answer_anybody(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Name one IPv4 and one IPv6 peer, as a tracker over HTTP does."""
    await reader.readuntil(b"\r\n\r\n")
    four = ip_address("127.1.0.1").packed + b"\x1a\xe1"
    six = ip_address("2001:2::7").packed + b"\x1a\xe1"
    body = bencode.encode({b"interval": 60, b"peers": four, b"peers6": six})
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    await writer.drain()
    writer.close()


@pytest.mark.parametrize(("scheme", "host"), [("http", "::1"), ("https", "127.8.1.2")])
def test_a_tracker_may_be_asked_over_ipv6_and_over_tls(
    scheme: str, host: str, tmp_path: Path
) -> None:
    theirs, trust = contexts(host, tmp_path)

    async def ask() -> list[Candidate]:
        tls = theirs if scheme == "https" else None
        server = await asyncio.start_server(answer_anybody, host, 0, ssl=tls)
        async with server:
            port = server.sockets[0].getsockname()[1]
            door = Door(lambda _: None)
            discovery = Discovery(
                door, resolve=literal_only, may_reach=reachable(lab=True), trust=trust
            )
            place = f"[{host}]" if ":" in host else host
            return await found(discovery, target(f"{scheme}://{place}:{port}/announce"))

    names = {one.endpoint for one in asyncio.run(ask())}
    assert names == {at("127.1.0.1", 6881), at("2001:2::7", 6881)}


def test_a_certificate_that_the_system_does_not_know_is_not_trusted(tmp_path: Path) -> None:
    theirs, _ = contexts("127.8.1.2", tmp_path)

    async def ask() -> Discovery:
        server = await asyncio.start_server(answer_anybody, "127.8.1.2", 0, ssl=theirs)
        async with server:
            port = server.sockets[0].getsockname()[1]
            discovery = Discovery(
                Door(lambda _: None), resolve=literal_only, may_reach=reachable(lab=True)
            )
            assert await found(discovery, target(f"https://127.8.1.2:{port}/")) == []
            return discovery

    assert asyncio.run(ask()).said == {Said.UNTRUSTED: 1}


# ---- the DHT ----

LAB_NODE: "libtorrent.settings_pack" = {
    "enable_dht": True,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "dht_restrict_routing_ips": False,
    "dht_restrict_search_ips": False,
    "dht_ignore_dark_internet": False,
    "dht_prefer_verified_node_ids": False,
    "alert_mask": 0,
}


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[libtorrent.session]]:
    """Nodes of the DHT on loopback, all but the first of which have announced a peer."""
    first = "127.9.0.1:6881"
    made = [
        libtorrent.session(
            LAB_NODE
            | {
                "listen_interfaces": f"127.9.0.{i}:6881",
                "dht_bootstrap_nodes": first if i > 1 else "",
            }
        )
        for i in range(1, NODES + 1)
    ]
    time.sleep(1.5)
    for _ in range(2):
        for i, node in enumerate(made[1:]):
            node.dht_announce(libtorrent.sha1_hash(INFO_HASH), 7002 + i, 0)
        time.sleep(0.7)
    yield made
    for node in made:
        node.pause()


NODE_PEERS = {at(f"127.9.0.{i}", 7000 + i) for i in range(2, NODES + 1)}
FIRST_NODE = at("127.9.0.1", 6881)


async def looked_up(
    door: Door, *, bootstrap: Endpoint = FIRST_NODE, limits: DhtLimits | None = None
) -> tuple[set[Endpoint], Counter[Passed], int]:
    """Return whom the DHT names, what became of the datagrams, and what was dropped."""
    got: set[Endpoint] = set()
    async with open_dht(
        door, bootstrap=[bootstrap], may_reach=reachable(lab=True), limits=limits, lab=True
    ) as dht:
        begin = time.perf_counter()
        async for peers in dht.peers(INFO_HASH):
            got.update(peers)
        took_ms = (time.perf_counter() - begin) * 1000
        print(f"dht {len(got)} peers, {dht.counts[Passed.SENT]} questions, {took_ms:.0f} ms")
        return got, dht.counts, dht.dropped


def test_the_dht_names_the_peers_and_every_datagram_asked_leave(
    nodes: list[libtorrent.session],
) -> None:
    asked: list[Endpoint] = []
    door = Door(asked.append, source=OURS)
    got, counts, _ = asyncio.run(looked_up(door))
    assert got <= NODE_PEERS
    assert len(got) > NODES // 2  # the nearest nodes know most of what was announced
    assert counts[Passed.SENT] == door.datagrams_sent
    assert counts[Passed.NOT_ALLOWED] == counts[Passed.NOT_REACHABLE] == 0
    assert {str(one.address) for one in asked} <= {f"127.9.0.{i}" for i in range(1, 13)}
    assert door.connects == 0


def test_the_dht_stops_with_the_leave(nodes: list[libtorrent.session]) -> None:
    def permit(_: Endpoint) -> None:
        if door.datagrams_sent >= 3:
            raise AuthorityError("It is over.")

    door = Door(permit, source=OURS)
    with pytest.raises(AuthorityError):
        asyncio.run(looked_up(door))
    assert door.datagrams_sent == 3


SCENE = [sys.executable, "-m", "tests.beyond"]
ADDRESS = re.compile(r'sin_addr=inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
SENDS = re.compile(r"^\d+ +(?:<\.\.\. )?(connect|sendto|sendmsg|sendmmsg|bind)\b")


def shown(command: list[str]) -> list[str]:
    """Run a command from the root of the tests, and return the lines that it prints."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    root = Path(__file__).parents[2]
    return subprocess.run(
        command, capture_output=True, check=True, text=True, env=environment, cwd=root
    ).stdout.splitlines()


@pytest.mark.needs("strace")
def test_libtorrent_names_no_address_to_the_kernel_but_the_relays(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    (line,) = shown(
        ["strace", "-f", "-e", "trace=network", "-o", str(trace), *SCENE, "counted"]
    )
    assert json.loads(line)["relayed"] > 0, "it wanted to speak to a node beyond the machine"
    lines = trace.read_text().splitlines()
    named = {
        (found[1], one or other)
        for line in lines
        if (found := SENDS.match(line))
        for one, other in ADDRESS.findall(line)
    }
    assert {address for _, address in named} == {"127.0.0.1"}
    assert {call for call, _ in named} >= {"bind", "connect", "sendmsg"}
    assert any("SO_BINDTODEVICE" in line and '"lo' in line for line in lines)


@pytest.mark.needs("unshare")
@pytest.mark.needs("ip")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a namespace of its own")
@pytest.mark.parametrize("kind", ["real", "counted"])
def test_what_leaves_the_machine_is_what_the_door_has_counted(kind: str) -> None:
    """In a namespace whose one way out counts packets and leads nowhere."""
    way_out = (
        "ip link set lo up; ip link add out type veth peer name away;"
        "for end in out away; do ip link set $end addrgenmode none arp off;"
        " ip link set $end up; done;"
        "ip address add 198.18.0.1/15 dev out; ip route add default dev out;"
    )
    count = "; ip -stats -json link show out"
    script = way_out + shlex.join([*SCENE, kind]) + count
    line, *statistics = shown(["unshare", "--net", "sh", "-ec", script])
    told = json.loads(line)
    left = json.loads("".join(statistics))[0]["stats64"]["tx"]["packets"]
    assert told["relayed"] > 0
    assert left == told["sent"] == (told["relayed"] if kind == "real" else 0)
    assert told["asked"] == (["198.18.7.7:6881"] if kind == "real" else [])
