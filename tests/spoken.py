"""Keys made of random bytes, and a peer that says what a test has written down: no network."""

import asyncio
import hashlib
import random
from collections.abc import Callable, Iterable
from ipaddress import ip_address

from protech.lists.fetch_key import BLOCK_BYTES, FetchKey, TorrentFile, TorrentTree, tree_root
from protech.locate.adapter import Candidate, Endpoint, ListName, Source, Target
from protech.locate.bittorrent import messages
from protech.locate.bittorrent.held import TorrentKey
from protech.locate.loss import Loss, Lost

PEER = Endpoint(address=ip_address("198.18.0.1"), port=6881)
OURS = Endpoint(address=ip_address("198.18.9.9"), port=40000)
CANDIDATE = Candidate(endpoint=PEER, source=Source.TRACKER)
THEIR_ID = b"-LT2110-" + bytes(range(100, 112))


def content(seed: int, size_bytes: int) -> bytes:
    return random.Random(seed).randbytes(size_bytes)


def file_key(
    whole: bytes, *, piece_bytes: int, first_byte: int = 0, size_bytes: int | None = None
) -> TorrentFile:
    """Return the key of a file in a torrent whose files together are ``whole``."""
    size = len(whole) - first_byte if size_bytes is None else size_bytes
    places = range(first_byte // piece_bytes, (first_byte + size - 1) // piece_bytes + 1)
    return TorrentFile(
        info_hash=hashlib.sha1(whole).digest(),
        file_index=0,
        first_byte=first_byte,
        size_bytes=size,
        piece_bytes=piece_bytes,
        torrent_bytes=len(whole),
        pieces=tuple(
            hashlib.sha1(whole[place * piece_bytes :][:piece_bytes]).digest()
            for place in places
        ),
    )


def leaves_of(whole: bytes) -> list[bytes]:
    return [
        hashlib.sha256(whole[at : at + BLOCK_BYTES]).digest()
        for at in range(0, len(whole), BLOCK_BYTES)
    ]


def root_over(leaves: list[bytes], width: int) -> bytes:
    level = leaves + [bytes(32)] * (width - len(leaves))
    while len(level) > 1:
        level = above(level)
    return level[0]


def above(level: list[bytes]) -> list[bytes]:
    pairs = zip(level[::2], level[1::2], strict=True)
    return [hashlib.sha256(left + right).digest() for left, right in pairs]


def tree_key(
    whole: bytes, *, piece_bytes: int, first_piece: int = 0, pieces_after: int = 0
) -> TorrentTree:
    """Return the key of a file of the second version that is ``whole``."""
    leaves = leaves_of(whole)
    width = piece_bytes // BLOCK_BYTES
    layer: list[bytes] = []
    if len(whole) > piece_bytes:
        layer = [
            root_over(leaves[at : at + width], width) for at in range(0, len(leaves), width)
        ]
        root = tree_root(layer, piece_bytes=piece_bytes)
    else:
        root = root_over(leaves, 1 << (len(leaves) - 1).bit_length())
    pieces = -(-len(whole) // piece_bytes)
    return TorrentTree(
        info_hash=hashlib.sha256(whole).digest(),
        file_index=0,
        first_piece=first_piece,
        torrent_pieces=first_piece + pieces + pieces_after,
        root=root,
        size_bytes=len(whole),
        piece_bytes=piece_bytes,
        layer=tuple(layer),
    )


def hashes_for(whole: bytes, key: TorrentTree, fields: bytes) -> bytes:
    """Return the hashes that answer a request of these 48 bytes, as an honest peer does."""
    index, count, layers = (int.from_bytes(fields[at : at + 4]) for at in (36, 40, 44))
    leaves = leaves_of(whole)
    width = max(1 << (len(leaves) - 1).bit_length(), count)
    level = leaves + [bytes(32)] * (width - len(leaves))
    answer = level[index : index + count]
    at = index
    for height in range(layers + 1):
        if height >= count.bit_length() - 1:
            answer.append(level[at ^ 1] if len(level) > 1 else bytes(32))
        if len(level) > 1:
            level = above(level)
        at >>= 1
    return b"".join(answer)


def target_of(key: FetchKey, weak: Iterable[int] = ()) -> Target:
    name = ListName(name="lab", version=1, sha256=bytes(32))
    return Target(entry="entry-1", number=0, list_name=name, key=key, weak=frozenset(weak))


def greeting(
    key: TorrentKey, *, reserved: bytes = bytes(8), peer_id: bytes = THEIR_ID
) -> bytes:
    return messages.PROTOCOL + reserved + key.info_hash[:20] + peer_id


FAST = bytes((0, 0, 0, 0, 0, 0, 0, 4))
EXTENDED = bytes((0, 0, 0, 0, 0, 0x10, 0, 0))
BOTH = bytes((0, 0, 0, 0, 0, 0x10, 0, 4))


class Line:
    """A ``Link`` to a peer that ``answer`` speaks for: what it returns to what was sent.

    Where nothing more is to come, a deadline passes at once, unless ``ends`` says how it ends.
    """

    peer = PEER
    local = OURS

    def __init__(
        self,
        opening: bytes = b"",
        *,
        answer: Callable[[bytes], bytes] = lambda sent: b"",
        chunk_bytes: int = 1 << 20,
        ends: Loss | None = None,
    ) -> None:
        self.sent = bytearray()
        self.is_closed = False
        self.sheltered: memoryview | None = None
        self._coming = bytearray(opening)
        self._answer = answer
        self._chunk_bytes = chunk_bytes
        self._ends = ends

    async def send(self, data: bytes) -> None:
        self.sent += data
        self._coming += self._answer(data)

    async def receive_into(self, memory: memoryview, *, until: float | None = None) -> int:
        await asyncio.sleep(0)
        count = min(len(memory), self._chunk_bytes, len(self._coming))
        if count:
            memory[:count] = self._coming[:count]
            del self._coming[:count]
            return count
        if self._ends is Loss.CLOSED:
            return 0
        if self._ends is not None:
            raise Lost(self._ends)
        raise TimeoutError

    def shelter(self, memory: memoryview) -> None:
        self.sheltered = memory

    def close(self) -> None:
        self.is_closed = True
        self.sheltered = None
