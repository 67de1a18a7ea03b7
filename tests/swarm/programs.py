"""Programs of other people in the big swarm: Transmission, aria2, qBittorrent, opentracker."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from protech.locate.bittorrent.bencode import decode
from protech.locate.lab.content import LabTorrent
from protech.locate.lab.plan import Kind

NAMED_S = 30.0
SILENT = asyncio.subprocess.DEVNULL


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program, where it listens, and what it seeds."""

    kind: Kind
    address: str
    port: int
    torrents: tuple[LabTorrent, ...]

    @property
    def is_encrypted(self) -> bool:
        return self.kind in {Kind.TRANSMISSION_ENCRYPTED, Kind.ARIA2_ENCRYPTED}


async def start_tracker(
    home: Path, place: tuple[str, int], info_hashes: Sequence[bytes]
) -> asyncio.subprocess.Process:
    """Start opentracker; Debian's knows only what is on its list."""
    listed = home / "tracker"
    listed.mkdir()
    (listed / "listed").write_text("".join(one.hex() + "\n" for one in info_hashes))
    listed.chmod(0o755)
    options = ["-i", place[0], "-p", str(place[1]), "-P", str(place[1])]
    process = await asyncio.create_subprocess_exec(
        *("opentracker", *options, "-d", str(listed), "-w", "listed"),
        stdin=SILENT,
        stdout=SILENT,
        stderr=SILENT,
        cwd=listed,
    )
    await _listening(place)
    return process


async def start_program(one: Program, home: Path, tracker: str) -> asyncio.subprocess.Process:
    """Start a program that seeds, and wait until it listens."""
    torrents = []
    for torrent in one.torrents:
        path = home / f"{torrent.name}.torrent"
        path.write_bytes(with_tracker(torrent.torrent, tracker))
        torrents.append(path)
    match one.kind:
        case Kind.TRANSMISSION | Kind.TRANSMISSION_ENCRYPTED:
            command = _transmission(one, home)
        case Kind.ARIA2 | Kind.ARIA2_ENCRYPTED:
            command = _aria2(one, torrents)
        case _:
            command = _qbittorrent(one, home, torrents)
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=SILENT,
        stdout=SILENT,
        stderr=SILENT,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
    )
    await _listening((one.address, one.port))
    return process


def with_tracker(torrent: bytes, tracker: str) -> bytes:
    """Return the torrent with a tracker, which comes before all its other keys."""
    return b"d8:announce%d:%s" % (len(tracker), tracker.encode()) + torrent[1:]


def _transmission(one: Program, home: Path) -> list[str]:
    settings = {
        "bind-address-ipv4": one.address,
        "dht-enabled": False,
        "download-dir": str(one.torrents[0].folder),
        "encryption": 2 if one.is_encrypted else 1,
        "lpd-enabled": False,
        "peer-port": one.port,
        "pex-enabled": True,
        "port-forwarding-enabled": False,
        "rpc-bind-address": one.address,
        "rpc-port": 9091,
        "start-added-torrents": True,
        "utp-enabled": False,
        "watch-dir": str(home),
        "watch-dir-enabled": True,
    }
    (home / "settings.json").write_text(json.dumps(settings))
    return ["transmission-daemon", "-f", "-g", str(home)]


def _aria2(one: Program, torrents: Sequence[Path]) -> list[str]:
    forced = (
        ["--bt-require-crypto=true", "--bt-min-crypto-level=arc4"] if one.is_encrypted else []
    )
    return [
        "aria2c",
        "--no-conf=true",
        "--quiet=true",
        f"--dir={one.torrents[0].folder}",
        "--check-integrity=true",
        "--seed-ratio=0.0",
        "--enable-dht=false",
        "--enable-dht6=false",
        "--bt-enable-lpd=false",
        "--disable-ipv6=true",
        "--allow-overwrite=false",
        "--bt-hash-check-seed=true",
        "--bt-exclude-tracker=",
        f"--listen-port={one.port}",
        f"--interface={one.address}",
        f"--max-concurrent-downloads={len(torrents)}",
        *forced,
        *map(str, torrents),
    ]


def _qbittorrent(one: Program, home: Path, torrents: Sequence[Path]) -> list[str]:
    settings: dict[str, dict[str, object]] = {
        "LegalNotice": {"Accepted": "true"},
        "BitTorrent": {
            r"Session\Port": one.port,
            r"Session\InterfaceAddress": one.address,
            r"Session\InterfaceName": "",
            r"Session\Interface": "lo",
            r"Session\DHTEnabled": "false",
            r"Session\LSDEnabled": "false",
            r"Session\PeXEnabled": "true",
            r"Session\DefaultSavePath": str(one.torrents[0].folder),
            r"Session\AddTorrentPaused": "false",
            r"Session\SSRFMitigation": "false",
        },
        "Network": {r"PortForwardingEnabled": "false"},
        "Preferences": {r"WebUI\Port": 8090, r"WebUI\Address": one.address},
    }
    text = "".join(
        f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in values.items())
        for name, values in settings.items()
    )
    place = home / "qBittorrent" / "config" / "qBittorrent.conf"
    place.parent.mkdir(parents=True)
    place.write_text(text)
    return [
        "qbittorrent-nox",
        f"--profile={home}",
        "--skip-hash-check",
        *map(str, torrents),
    ]


async def named(one: Program, tracker: tuple[str, int], source: str) -> None:
    """Wait until the tracker names a program for each of its torrents."""
    place = ip_address(one.address).packed + one.port.to_bytes(2)
    async with asyncio.timeout(NAMED_S):
        for torrent in one.torrents:
            # Only the tracker knows, and it tells nobody by itself.
            while place not in await _peers(  # noqa: ASYNC110 - as above
                tracker, source, torrent.handshakes[0]
            ):
                await asyncio.sleep(0.2)


async def _peers(tracker: tuple[str, int], source: str, info_hash: bytes) -> list[bytes]:
    """Return the places that a tracker names to the observer's address."""
    reader, writer = await asyncio.open_connection(*tracker, local_addr=(source, 0))
    quoted = "".join(f"%{byte:02x}" for byte in info_hash)
    writer.write(
        f"GET /announce?info_hash={quoted}&peer_id=-LB0001-999999999999&port=9&uploaded=0"
        "&downloaded=0&left=1&compact=1&numwant=200 HTTP/1.0\r\n\r\n".encode()
    )
    body = (await reader.read()).partition(b"\r\n\r\n")[2]
    writer.close()
    packed = decode(body)[b"peers"]
    assert isinstance(packed, bytes)
    return [packed[i : i + 6] for i in range(0, len(packed), 6)]


async def _listening(place: tuple[str, int]) -> None:
    """Wait until a program listens; a connection is the only way to know."""
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection(*place)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return
