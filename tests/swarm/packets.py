"""Connection attempts as the swarm sees them: what tcpdump counts in the namespace.

An attempt is a TCP SYN or a uTP SYN. The same one sent again, for want of an answer, is the
same attempt: addresses and ports tell, and for uTP its connection id. So ours and another
program's are counted alike, and by neither of them.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

PCAP_HEADER_BYTES = 24
ETHERNET_BYTES = 14

FILTER = (
    "(ip and (tcp[13] & 0x12 = 2 or (udp and udp[8] = 0x41)))"
    " or (ip6 and (ip6[6] = 6 and ip6[53] & 0x12 = 2 or ip6[6] = 17 and ip6[48] = 0x41))"
)
UTP_SYN_BYTES = 20


@asynccontextmanager
async def listening_in(file: Path) -> AsyncIterator[None]:
    """Write down what could be a connection attempt, while the context lasts."""
    process = await asyncio.create_subprocess_exec(
        *(
            "tcpdump",
            "-i",
            "lo",
            "-n",
            "-U",
            "-Z",
            "root",
            "-s",
            "128",
            "-w",
            str(file),
            FILTER,
        ),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    await process.stderr.readline()  # it says that it listens
    try:
        yield
    finally:
        await asyncio.sleep(0.3)
        process.terminate()
        await process.communicate()


def attempts_in(file: Path, sources: Iterable[str]) -> dict[str, int]:
    """Return how many attempts came from some addresses: over TCP, over uTP, and together."""
    packed = {ip_address(one).packed for one in sources}
    found: dict[str, set[bytes]] = {"tcp": set(), "utp": set()}
    for packet in _packets(file.read_bytes()):
        kind = packet[12:14]
        body = packet[ETHERNET_BYTES:]
        if kind == b"\x08\x00":
            source, rest = body[12:16], body[(body[0] & 15) * 4 :]
            is_tcp, ends = body[9] == 6, body[12:20]
        else:
            source, rest = body[8:24], body[40:]
            is_tcp, ends = body[6] == 6, body[8:40]
        if source not in packed:
            continue
        if is_tcp:
            found["tcp"].add(ends + rest[:4])
        elif int.from_bytes(rest[4:6]) - 8 >= UTP_SYN_BYTES:
            found["utp"].add(ends + rest[:4] + rest[10:12])
    counted = {name: len(which) for name, which in found.items()}
    return counted | {"all": sum(counted.values())}


def _packets(content: bytes) -> list[bytes]:
    found, at = [], PCAP_HEADER_BYTES
    while at + 16 <= len(content):
        (length,) = struct.unpack_from("<I", content, at + 8)
        found.append(content[at + 16 : at + 16 + length])
        at += 16 + length
    return found
