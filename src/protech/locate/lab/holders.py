"""The process in which those live that truly hold pieces: libtorrent clients, one session each.

    python -m protech.locate.lab.holders

One line of JSON on its input says who they are; it answers ``ready`` when all listen. To every
further line it answers with what each of them holds; it ends with its input.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any, cast

import libtorrent

from protech.locate.lab.plan import Kind
from protech.sandbox import harden_process

READY_S = 30.0
POLL_S = 0.05

QUIET: Mapping[str, Any] = {
    "alert_mask": 0,
    "dht_enforce_node_id": False,
    "dht_ignore_dark_internet": False,
    "dht_prefer_verified_node_ids": False,
    "dht_restrict_routing_ips": False,
    "dht_restrict_search_ips": False,
    "dht_upload_rate_limit": 100_000,
    "enable_lsd": False,
    "enable_natpmp": False,
    "enable_upnp": False,
    "announce_to_all_trackers": True,
    "announce_to_all_tiers": True,
    "aio_threads": 1,
    "hashing_threads": 1,
    "handshake_timeout": 20,
    "no_connect_privileged_ports": False,
    "seeding_outgoing_connections": False,
    "ssrf_mitigation": False,
    "stop_tracker_timeout": 1,
    "tick_interval": 500,
}
"""Nothing looks for other machines; addresses of one machine are as good as any."""

NO_TCP = {"enable_incoming_tcp": False, "enable_outgoing_tcp": False}
FORCED = {
    "in_enc_policy": int(libtorrent.enc_policy.forced),
    "out_enc_policy": int(libtorrent.enc_policy.forced),
    "allowed_enc_level": int(libtorrent.enc_level.rc4),
    "prefer_rc4": True,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A running client, and its torrents by name."""

    kind: Kind
    session: libtorrent.session = field(repr=False)
    torrents: Mapping[str, libtorrent.torrent_handle] = field(repr=False)


def settings_of(
    kind: Kind, address: str, port: int, nodes: Sequence[Sequence[Any]]
) -> dict[str, Any]:
    """Return what a session of this kind is started with."""
    host = f"[{address}]" if ":" in address else address
    settings = {
        **QUIET,
        "listen_interfaces": f"{host}:{port}",
        # As from a machine of its own: a client keeps one connection for each address, and the
        # loopback's first one, which its calls would have else, is ours.
        "outgoing_interfaces": address,
        "enable_dht": bool(nodes),
        "dht_bootstrap_nodes": ",".join(f"{place[0]}:{place[1]}" for place in nodes),
    }
    match kind:
        case Kind.UTP_ONLY:
            return settings | NO_TCP
        case Kind.ENCRYPTED:
            return settings | FORCED
        case _:
            return settings


def start(spec: Mapping[str, Any]) -> tuple[Holder, ...]:
    """Start every client; none of them fetches anything that it has not."""
    return tuple(_start(spec, peer) for peer in spec["peers"])


def _start(spec: Mapping[str, Any], peer: Mapping[str, Any]) -> Holder:
    kind = Kind(peer["kind"])
    settings = settings_of(kind, peer["address"], peer["port"], spec["dht_nodes"])
    session = libtorrent.session(cast("Any", settings))
    is_six = ":" in peer["address"]
    torrents = {}
    for part in peer["parts"]:
        one = spec["torrents"][part["torrent"]]
        params = libtorrent.load_torrent_file(one["torrent"])
        params.save_path = one["folder"]
        params.trackers = [one for one in spec["trackers"] if ("[" in one) == is_six]
        if kind is Kind.PARTIAL:
            held = set(part["pieces"])
            params.have_pieces = [i in held for i in range(one["total"])]
        params.flags = _flags(kind)
        torrents[part["torrent"]] = session.add_torrent(params)
    return Holder(kind=kind, session=session, torrents=torrents)


def _flags(kind: Kind) -> int:
    """Return a torrent's flags: who has a part keeps to it, and plain seeds check their files.

    Only who has checked them knows the hashes of blocks in the second version.
    """
    flags = libtorrent.torrent_flags
    match kind:
        case Kind.PARTIAL:
            return int(flags.upload_mode)
        case Kind.SEED:
            return 0
        case _:
            return int(flags.seed_mode)


def held(holders: Sequence[Holder]) -> list[dict[str, list[int]]]:
    """Return which pieces each client says it has, by the name of the torrent."""
    return [
        {
            name: [i for i, has in enumerate(_status(handle).pieces) if has]
            for name, handle in one.torrents.items()
        }
        for one in holders
    ]


def _status(handle: libtorrent.torrent_handle) -> libtorrent.torrent_status:
    return handle.status(libtorrent.torrent_handle.query_pieces)


def await_announced(holders: Sequence[Holder]) -> None:
    """Wait until every client is known to its trackers, or the time is over."""
    end = monotonic() + READY_S
    for one in holders:
        for handle in one.torrents.values():
            while monotonic() < end and not _is_announced(handle):
                sleep(POLL_S)


def _is_announced(handle: libtorrent.torrent_handle) -> bool:
    """Return whether each tracker knows the torrent, under each of its info-hashes."""
    hashes = handle.info_hashes()
    places = [i for i, has in enumerate((hashes.has_v1(), hashes.has_v2())) if has]
    return all(
        tracker["endpoints"]
        and all(
            end["info_hashes"][i]["start_sent"] for end in tracker["endpoints"] for i in places
        )
        for tracker in handle.trackers()
    )


def _main() -> None:
    spec = json.loads(sys.stdin.readline())
    holders = start(spec)
    await_announced(holders)
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps(held(holders)), flush=True)


if __name__ == "__main__":
    harden_process()
    _main()
