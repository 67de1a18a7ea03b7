"""The pieces that a peer says it has."""

import hashlib
from collections.abc import Iterator

from protech.lists.fetch_key import TorrentFile, TorrentTree
from protech.locate.adapter import Claims
from protech.locate.bittorrent.messages import Kind

TorrentKey = TorrentFile | TorrentTree


def piece_count(key: TorrentKey) -> int:
    """Return how many pieces of the torrent the listed file touches."""
    if isinstance(key, TorrentFile):
        return len(key.pieces)
    return -(-key.size_bytes // key.piece_bytes)


class Held:
    """A set of pieces as it grows: a wire bitfield, highest bit first."""

    __slots__ = ("_bits", "_is_empty", "_listed", "_listed_held", "_total", "is_told")

    def __init__(self, key: TorrentKey) -> None:
        """Begin with none, of those that the torrent of ``key`` has."""
        self._total = total = key.torrent_pieces
        first = key.first_piece
        self._listed = range(first, first + piece_count(key))
        self._bits = bytearray(-(-total // 8))
        self._is_empty = True
        self._listed_held: int | None = 0
        self.is_told = False
        """Whether anything was said of pieces at all."""

    def hear(self, kind: int, content: bytes) -> bool:
        """Take what a message says of pieces; return whether it can be.

        Args:
            kind: Of the message; those that say nothing of pieces are passed over.
            content: What follows its kind, of a length that it may have.
        """
        match kind:
            case Kind.HAVE:
                return self.add(int.from_bytes(content))
            case Kind.BITFIELD:
                return self.add_bits(content)
            case Kind.HAVE_ALL:
                self.add_all()
            case Kind.HAVE_NONE:
                self.is_told = True
            case _:
                pass
        return True

    def add(self, piece: int) -> bool:
        """Take one piece; return whether there is such a one."""
        if piece >= self._total:
            return False
        self._bits[piece >> 3] |= 0x80 >> (piece & 7)
        self._is_empty = False
        self._listed_held = None
        self.is_told = True
        return True

    def add_bits(self, bits: bytes | memoryview) -> bool:
        """Take a bitfield of the right length; return whether its spare bits are zero."""
        if bits[-1] & ((1 << (-self._total % 8)) - 1):
            return False
        if self._is_empty:
            self._bits[:] = bits
        else:
            whole = int.from_bytes(bits) | int.from_bytes(self._bits)
            self._bits[:] = whole.to_bytes(len(self._bits))
        self._is_empty = False
        self._listed_held = None
        self.is_told = True
        return True

    def add_all(self) -> None:
        """Take every piece."""
        every = ((1 << self._total) - 1) << (-self._total % 8)
        self._bits[:] = every.to_bytes(len(self._bits))
        self._is_empty = False
        self._listed_held = None
        self.is_told = True

    @property
    def listed(self) -> int:
        """How many of the pieces that the listed file touches are held."""
        if self._listed_held is None:
            first, end = self._listed.start, self._listed.stop
            whole = int.from_bytes(self._bits[first >> 3 : -(-end // 8)])
            within = whole >> (-end % 8) & ((1 << len(self._listed)) - 1)
            self._listed_held = within.bit_count()
        return self._listed_held

    @property
    def is_whole(self) -> bool:
        """Whether every piece that the listed file touches is held."""
        return self.listed == len(self._listed)

    def places(self) -> Iterator[int]:
        """Yield the places in the listed file of the pieces that are held."""
        for place, piece in enumerate(self._listed):
            if self._bits[piece >> 3] & 0x80 >> (piece & 7):
                yield place

    @property
    def claims(self) -> Claims | None:
        """What was said; None where nothing was."""
        if not self.is_told:
            return None
        return Claims(
            held=int.from_bytes(self._bits).bit_count(),
            total=self._total,
            listed_held=self.listed,
            listed_total=len(self._listed),
            bitfield_sha256=hashlib.sha256(self._bits).digest(),
        )
