"""aMule's daemon with a folder of files to share, on an address of its own.

It filters what a laboratory has (addresses of local networks) unless it is told not to, and
takes its settings from one file, which it writes back.
"""

import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from protech.locate.adapter import Endpoint
from protech.locate.ed2k.aich import blocks_of
from protech.locate.ed2k.messages import PART_BYTES, parts_of

READY_S = 60.0
SETTINGS: Mapping[str, Mapping[str, object]] = {
    "eMule": {
        "AppVersion": "2.3.3",
        "Nick": "lab",
        "UDPEnable": 0,
        "Autoconnect": 0,
        "ConnectToKad": 0,
        "ConnectToED2K": 0,
        "FilterLanIPs": 0,
        "UPnPEnabled": 0,
        "IPFilterClients": 0,
        "IPFilterServers": 0,
        "ParanoidFiltering": 0,
        # Left unlimited it spares its line, and a block takes half a minute.
        "MaxUpload": 50000,
        "SlotAllocation": 5000,
        "UploadCapacity": 50000,
        "MaxConnectionsPerFiveSeconds": 100,
        "AddServerListFromServer": 0,
        "SmartIdCheck": 0,
        "ICH": 1,
        "CheckDiskspace": 0,
        "NewVersionCheck": 0,
        "AutoConnectStaticOnly": 0,
        # It would ask the Internet for others.
        "Serverlist": 0,
        "Ed2kServersUrl": "",
        "KadNodesUrl": "",
        "IPFilterAutoLoad": 0,
        "IPFilterURL": "",
    },
    # Without a way in for its own front-ends it does not start.
    "ExternalConnect": {
        "AcceptExternalConnections": 1,
        "ECPassword": "f9664ea1803311b35f81d07d8c9e072d",
    },
    "Obfuscation": {
        "IsClientCryptLayerSupported": 1,
        "IsCryptLayerRequested": 0,
        "IsClientCryptLayerRequired": 0,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Amule:
    """One daemon that runs."""

    home: Path
    place: Endpoint
    process: subprocess.Popen[bytes] = field(repr=False)

    def log(self) -> str:
        return (self.home / "log").read_text(errors="replace")


def settings_text(sections: Mapping[str, Mapping[str, object]]) -> str:
    return "".join(
        f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in fields.items())
        for name, fields in sections.items()
    )


@contextmanager
def amule(
    home: Path,
    files: Mapping[str, bytes],
    *,
    address: str = "127.0.0.1",
    port: int = 0,
    settings: Mapping[str, Mapping[str, object]] | None = None,
    half: Mapping[str, bytes] | None = None,
) -> Iterator[Amule]:
    """Give a daemon that shares ``files``, and lacks parts of ``half``.

    Args:
        home: Where it keeps all it has.
        files: What it shares, by name.
        address: Where it listens.
        port: For TCP; one that is free by default. It takes those 10 and 20 above it, too.
        settings: Beside or instead of ours.
        half: What it has put by, a `.part` and a `.part.met` for each.
    """
    port = port or _free_port(address)
    for folder in ("config", "share", "temp"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (home / "share" / name).write_bytes(content)
    for name, content in (half or {}).items():
        (home / "temp" / name).write_bytes(content)
    own = {
        "Address": address,
        "Port": port,
        "UDPPort": port + 10,
        "IncomingDir": home / "share",
        "TempDir": home / "temp",
        "OSDirectory": f"{home / 'config'}/",
    }
    ours = {"eMule": own, "ExternalConnect": {"ECAddress": address, "ECPort": port + 20}}
    given = settings or {}
    sections = {
        name: {**fields, **ours.get(name, {}), **given.get(name, {})}
        for name, fields in SETTINGS.items()
    }
    (home / "config" / "amule.conf").write_text(settings_text(sections))
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            ["amuled", "-c", str(home / "config"), "-o"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        )
    found = Amule(
        home=home, place=Endpoint(address=ip_address(address), port=port), process=process
    )
    try:
        _wait_until_hashed(found, [len(content) for content in files.values()])
        yield found
    finally:
        process.kill()
        process.wait()


def _wait_until_hashed(one: Amule, sizes: list[int]) -> None:
    """Wait until it has written down the AICH hashes of all that it shares."""
    blocks = [
        sum(len(blocks_of(size, part)) for part in range(parts_of(size))) for size in sizes
    ]
    wanted = 1 + sum(24 + 20 * count for count in blocks)
    written = one.home / "config" / "known2_64.met"
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        if one.process.poll() is not None:
            break
        is_hashed = not sizes or (written.exists() and written.stat().st_size >= wanted)
        if is_hashed and _listens(one.place):
            return
        time.sleep(0.1)
    raise AssertionError(f"aMule did not come up:\n{one.log()[-2000:]}")


def _free_port(address: str) -> int:
    with closing(socket.socket()) as tried:
        tried.bind((address, 0))
        port = int(tried.getsockname()[1])
    return port if port < 65000 else port - 1000


def _listens(place: Endpoint) -> bool:
    with closing(socket.socket()) as called:
        return called.connect_ex((str(place.address), place.port)) == 0


def part_met(whole: bytes, md4: bytes, part_md4: list[bytes], held: set[int]) -> bytes:
    """Return what aMule writes beside a file that it still lacks parts of."""
    size = len(whole)
    gaps = [
        (part * PART_BYTES, min((part + 1) * PART_BYTES, size))
        for part in range(-(-size // PART_BYTES))
        if part not in held
    ]
    tags = [_text(b"\x01", b"half.bin"), _number(b"\x02", size)]
    for at, (begin, end) in enumerate(gaps):
        tags += [_number(b"\x09%d" % at, begin), _number(b"\x0a%d" % at, end)]
    hashes = b"".join(part_md4)
    return (
        struct.pack("<BI", 0xE0, 1_700_000_000)
        + md4
        + struct.pack("<H", len(part_md4))
        + hashes
        + struct.pack("<I", len(tags))
        + b"".join(tags)
    )


def _text(name: bytes, value: bytes) -> bytes:
    return struct.pack("<BH", 2, len(name)) + name + struct.pack("<H", len(value)) + value


def _number(name: bytes, value: int) -> bytes:
    return struct.pack("<BH", 3, len(name)) + name + struct.pack("<I", value)
