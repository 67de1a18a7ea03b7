"""Fetch keys of the files of a torrent, for officers who lawfully hold its content.

The content is read where it is, compared with the torrent, and nothing of it is kept: only
which pieces would prove nothing, because they are filler or stand in the torrent twice.
"""

import hashlib
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from protech.errors import SourceError
from protech.lists.fetch_key import BLOCK_BYTES, TorrentFile, TorrentTree, tree_root
from protech.locate.bittorrent.messages import HASH_BYTES
from protech.locate.bittorrent.proofs import DISTINCT_BYTES
from protech.locate.bittorrent.torrent_file import (
    FirstVersion,
    SecondFile,
    SecondVersion,
    Torrent,
    read_torrent,
)

COMPRESSIBLE = 0.5
"""What zlib makes half as large or less is filler, text or a table: it may stand elsewhere."""

Wanted = Callable[[PurePosixPath], bool]
"""Whether a file is to be listed, by its path in the torrent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """What was read of a piece."""

    digest: bytes = field(repr=False)
    is_weak: bool


def fetch_keys(
    torrent: bytes, content: Path, *, wanted: Wanted, with_trackers: bool = False
) -> tuple[TorrentFile | TorrentTree, ...]:
    """Return the keys of the wanted files of a torrent, of both versions where it has both.

    Args:
        torrent: The .torrent file.
        content: Its file, or the folder of its files.
        wanted: Which of them are to be listed; empty ones never are.
        with_trackers: Whether the torrent's own trackers may be asked for it.

    Raises:
        SourceError: The torrent cannot be read, or the content is not its content.

    Cost: reads all of the content, once for each version.
    """
    read = read_torrent(torrent)
    trackers = read.trackers if with_trackers else ()
    folder = _Folder(content, is_one_file=read.is_one_file)
    first = _first_keys(read, folder, wanted, trackers)
    second = _second_keys(read, folder, wanted, trackers)
    twins = _twins(read)
    if twins is None:
        return (*first, *second)
    return (
        *(replace(key, twin=twins[0]) for key in first),
        *(replace(key, twin=twins[1]) for key in second),
    )


def _twins(torrent: Torrent) -> tuple[bytes, bytes] | None:
    """Return what each version calls the other's torrent, where both have the same pieces."""
    first, second = torrent.first, torrent.second
    if first is None or second is None:
        return None
    files = [one for one in first.files if one.size_bytes and not one.is_padding]
    ours = [(one.path, one.size_bytes, one.first_byte) for one in files]
    theirs = [
        (one.path, one.size_bytes, one.first_piece * second.piece_bytes) for one in second.files
    ]
    if ours != theirs or len(first.pieces) != second.pieces:
        return None
    return second.info_hash[:HASH_BYTES], first.info_hash


class _Folder:
    """The content of a torrent on the officer's side."""

    def __init__(self, root: Path, *, is_one_file: bool) -> None:
        self._root = root
        self._is_one_file = is_one_file

    def read(self, path: PurePosixPath, size_bytes: int, step_bytes: int) -> Iterator[bytes]:
        """Yield a file in steps, the last one shorter; it must be as large as the torrent says.

        Raises:
            SourceError: It cannot be read, or is of another size.
        """
        place = self._root if self._is_one_file else self._root / path
        try:
            with place.open("rb") as file:
                yield from _steps(file, size_bytes, step_bytes)
        except OSError as fault:
            raise SourceError(
                "A file of the torrent cannot be read: it is missing, or not readable for this"
                " account. Give the folder that holds all files of the torrent."
            ) from fault


def _steps(file: BinaryIO, size_bytes: int, step_bytes: int) -> Iterator[bytes]:
    left = size_bytes
    while left:
        data = file.read(min(step_bytes, left))
        if not data:
            raise _other()
        left -= len(data)
        yield data
    if file.read(1):
        raise _other()


def _other() -> SourceError:
    return SourceError(
        "The content is not that of the torrent: a piece or a size differs. Give the files as"
        " they were found, whole and unchanged."
    )


def _first_keys(
    torrent: Torrent, folder: _Folder, wanted: Wanted, trackers: tuple[str, ...]
) -> Iterator[TorrentFile]:
    first = torrent.first
    if first is None or not any(wanted(one.path) for one in first.files):
        return
    pieces = [_measure(one) for one in _first_pieces(first, folder)]
    if tuple(one.digest for one in pieces) != first.pieces:
        raise _other()
    weak = _weak(pieces)
    for index, one in enumerate(first.files):
        if one.is_padding or not one.size_bytes or not wanted(one.path):
            continue
        begin = one.first_byte // first.piece_bytes
        end = (one.first_byte + one.size_bytes - 1) // first.piece_bytes + 1
        yield TorrentFile(
            info_hash=first.info_hash,
            file_index=index,
            first_byte=one.first_byte,
            size_bytes=one.size_bytes,
            piece_bytes=first.piece_bytes,
            torrent_bytes=first.size_bytes,
            pieces=first.pieces[begin:end],
            weak=tuple(at - begin for at in range(begin, end) if at in weak),
            trackers=trackers,
        )


def _first_pieces(first: FirstVersion, folder: _Folder) -> Iterator[bytes]:
    """Yield the pieces of all files together; padding is zeros and not on the disk."""
    held = bytearray()
    for one in first.files:
        if one.is_padding:
            steps: Iterable[bytes] = _zeros(one.size_bytes, first.piece_bytes)
        else:
            steps = folder.read(one.path, one.size_bytes, first.piece_bytes)
        for data in steps:
            held += data
            while len(held) >= first.piece_bytes:
                yield bytes(held[: first.piece_bytes])
                del held[: first.piece_bytes]
    if held:
        yield bytes(held)


def _zeros(size_bytes: int, step_bytes: int) -> Iterator[bytes]:
    for at in range(0, size_bytes, step_bytes):
        yield bytes(min(step_bytes, size_bytes - at))


def _measure(piece: bytes) -> _Piece:
    digest = hashlib.sha1(piece, usedforsecurity=False).digest()
    return _Piece(digest=digest, is_weak=is_filler(piece))


def _second_keys(
    torrent: Torrent, folder: _Folder, wanted: Wanted, trackers: tuple[str, ...]
) -> Iterator[TorrentTree]:
    second = torrent.second
    if second is None or not any(wanted(one.path) for one in second.files):
        return
    by_file = [_second_pieces(second, one, folder) for one in second.files]
    weak = _weak([piece for pieces in by_file for piece in pieces])
    for index, one in enumerate(second.files):
        if not wanted(one.path):
            continue
        places = range(len(by_file[index]))
        yield TorrentTree(
            info_hash=second.info_hash,
            file_index=index,
            first_piece=one.first_piece,
            torrent_pieces=second.pieces,
            root=one.root,
            size_bytes=one.size_bytes,
            piece_bytes=second.piece_bytes,
            layer=one.layer,
            weak=tuple(at for at in places if one.first_piece + at in weak),
            trackers=trackers,
        )


def _second_pieces(second: SecondVersion, file: SecondFile, folder: _Folder) -> list[_Piece]:
    """Return what was read of a file; a piece is weak where a whole block of it is filler.

    A short block at the end is no reason, save alone: who asks for it sees what it is.
    """
    blocks = second.piece_bytes // BLOCK_BYTES
    pieces = []
    for piece in folder.read(file.path, file.size_bytes, second.piece_bytes):
        parts = [piece[at : at + BLOCK_BYTES] for at in range(0, len(piece), BLOCK_BYTES)]
        leaves = [hashlib.sha256(one).digest() for one in parts]
        if file.layer:
            leaves += [bytes(32)] * (blocks - len(leaves))
        digest = tree_root(leaves, piece_bytes=BLOCK_BYTES)
        is_weak = any(
            is_filler(one) for one in parts if one is parts[0] or len(one) == BLOCK_BYTES
        )
        pieces.append(_Piece(digest=digest, is_weak=is_weak))
    if tuple(one.digest for one in pieces) != (file.layer or (file.root,)):
        raise _other()
    return pieces


def _weak(pieces: Sequence[_Piece]) -> frozenset[int]:
    """Return the places of what is filler, or stands more than once."""
    counts = Counter(one.digest for one in pieces)
    return frozenset(
        at for at, one in enumerate(pieces) if one.is_weak or counts[one.digest] > 1
    )


def is_filler(data: bytes) -> bool:
    """Return whether bytes are so few or so regular that others may hold them by chance."""
    if len(set(data)) < DISTINCT_BYTES:
        return True
    return len(zlib.compress(data, 1)) <= len(data) * COMPRESSIBLE
