"""libtorrent as an observer: what its log says of each peer, as people use it for this today.

Its state cannot be polled for it: it hangs up on a seed at once when it wants nothing from it
itself. So its log is read, and it comes back to each peer after a second.
"""

import resource
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import libtorrent

SETTINGS: Mapping[str, Any] = {
    "alert_mask": int(libtorrent.alert.category_t.peer_log_notification),
    "alert_queue_size": 1_000_000,
    "close_redundant_connections": False,
    "connection_speed": 500,
    "connections_limit": 8000,
    "allow_multiple_connections_per_ip": True,
    "announce_to_all_tiers": True,
    "announce_to_all_trackers": True,
    "dht_enforce_node_id": False,
    "dht_ignore_dark_internet": False,
    "dht_prefer_verified_node_ids": False,
    "dht_restrict_routing_ips": False,
    "dht_restrict_search_ips": False,
    "enable_lsd": False,
    "enable_natpmp": False,
    "enable_upnp": False,
    "max_failcount": 1000,
    "min_reconnect_time": 1,
    "no_connect_privileged_ports": False,
    "ssrf_mitigation": False,
}
PLAINTEXT: Mapping[str, Any] = {
    "enable_outgoing_utp": False,
    "enable_incoming_utp": False,
    "out_enc_policy": int(libtorrent.enc_policy.disabled),
    "in_enc_policy": int(libtorrent.enc_policy.disabled),
}
POLL_S = 0.1
FAREWELL_S = 2.0


def watch(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Watch the swarm for ``seconds``, and return who claimed pieces, when, and at what cost.

    Modes: ``upload`` fetches nothing; ``normal`` fetches the files, onto the disk;
    ``plaintext`` is ``upload`` over unencrypted TCP alone.
    """
    begin, cpu = time.monotonic(), _cpu_s()
    nodes = ",".join(f"{host}:{port}" for host, port in spec["dht_nodes"])
    settings = {
        **SETTINGS,
        "listen_interfaces": "{}:0,[{}]:0".format(*spec["source"]),
        "outgoing_interfaces": ",".join(spec["source"]),
        "dht_bootstrap_nodes": nodes,
        **(PLAINTEXT if spec["mode"] == "plaintext" else {}),
        **spec.get("settings", {}),
    }
    session = libtorrent.session(cast("Any", settings))
    folder = Path(spec["folder"]) / str(time.time_ns())
    folder.mkdir(parents=True)
    places = {}
    for i, path in enumerate(spec["torrents"]):
        params = libtorrent.load_torrent_file(path)
        params.save_path = str(folder)
        params.trackers = spec["keys"][0]["trackers"]
        flags = libtorrent.torrent_flags
        params.flags = 0 if spec["mode"] == "normal" else int(flags.upload_mode)
        handle = session.add_torrent(params)
        places[handle.name()] = i
    found: dict[tuple[str, int, int], float] = {}
    while (passed := time.monotonic() - begin) < spec["seconds"]:
        time.sleep(POLL_S)
        _read(session, places, found, passed)
    cpu = _cpu_s() - cpu
    wall_s = time.monotonic() - begin
    session.pause()
    time.sleep(FAREWELL_S)  # it tells the trackers that it has gone
    return {
        "found": [[*place, seconds] for place, seconds in found.items()],
        "cpu_s": cpu,
        "wall_s": wall_s,
        "disk_bytes": sum(
            one.stat().st_blocks * 512 for one in folder.rglob("*") if one.is_file()
        ),
    }


def _read(
    session: libtorrent.session,
    places: Mapping[str, int],
    found: dict[tuple[str, int, int], float],
    passed: float,
) -> None:
    """Take from the log who claims pieces: a bitfield that is not empty, all, or one by one."""
    for alert in session.pop_alerts():
        if not isinstance(alert, libtorrent.peer_log_alert):
            continue
        message = alert.message()
        event = message.partition(" <== ")[2]
        if not event:
            continue
        name = event.split(" ", 1)[0]
        if name == "BITFIELD" and "1" not in event:
            continue
        if name in {"BITFIELD", "HAVE_ALL", "HAVE"}:
            host, port = alert.ip
            found.setdefault((host, port, places[alert.torrent_name]), passed)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
