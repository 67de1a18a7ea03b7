"""The lab's own clients: each holds what the plan says, and speaks as its kind does."""

import socket
from pathlib import Path
from random import Random

from protech.locate.lab.content import make_content
from protech.locate.lab.holders import await_announced, held, settings_of, start
from protech.locate.lab.plan import Kind, draw_plan, loopback
from protech.locate.lab.swarm import Grounds, holders_spec

GROUNDS = Grounds(
    tracker=("127.203.0.1", 20_001),
    poisoned_tracker=("127.203.0.2", 20_002),
    poisoned_node=("127.203.0.3", 20_003),
)


def test_clients_hold_what_the_plan_says(tmp_path: Path) -> None:
    torrents = make_content(tmp_path, Random(1))
    counts = {Kind.PARTIAL: 2, Kind.ENCRYPTED: 1}
    peers = draw_plan(Random(2), torrents, counts, loopback(Random(3)))
    spec = {**holders_spec(torrents, peers, GROUNDS), "trackers": [], "dht_nodes": []}
    running = start(spec)
    await_announced(running)
    planned = [{part.torrent: list(part.pieces) for part in peer.parts} for peer in peers]
    assert held(running) == planned
    for one in running:
        one.session.pause()


def test_a_holder_calls_from_its_own_address(tmp_path: Path) -> None:
    torrents = make_content(tmp_path, Random(1))
    peers = draw_plan(Random(2), torrents, {Kind.PARTIAL: 1}, loopback(Random(3)))
    spec = {**holders_spec(torrents, peers, GROUNDS), "trackers": [], "dht_nodes": []}
    (running,) = start(spec)
    handle = next(iter(running.torrents.values()))
    with socket.create_server(("127.203.0.4", 0)) as listening:
        handle.connect_peer(listening.getsockname()[:2])
        listening.settimeout(10)
        called, (address, _) = listening.accept()
        called.close()
    running.session.pause()
    assert address == peers[0].address


def test_nothing_looks_for_other_machines() -> None:
    for kind in (Kind.SEED, Kind.UTP_ONLY, Kind.ENCRYPTED):
        settings = settings_of(kind, "127.0.0.5", 20_000, [])
        assert not any(settings[f"enable_{one}"] for one in ("lsd", "upnp", "natpmp", "dht"))
        assert settings["listen_interfaces"] == "127.0.0.5:20000"


def test_kinds_differ_in_what_they_speak() -> None:
    utp = settings_of(Kind.UTP_ONLY, "::1", 20_000, [["127.0.0.1", 1]])
    assert utp["enable_incoming_tcp"] is False
    assert utp["listen_interfaces"] == "[::1]:20000"
    assert utp["dht_bootstrap_nodes"] == "127.0.0.1:1"
    assert settings_of(Kind.ENCRYPTED, "127.0.0.5", 1, [])["in_enc_policy"] == 0
