"""Files of random bytes, torrents of them in both versions, and the keys of those listed.

Random bytes are all that is ever shared. Some pieces prove nothing on purpose: blank ones, such
as stand twice, and such as two files share.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import libtorrent

from protech.lists.fetch_key import TorrentFile, TorrentTree
from protech.locate.bittorrent.bencode import decode, encode

type TorrentKey = TorrentFile | TorrentTree

PIECE_BYTES = 1 << 16
PIECES = 24
"""Of each listed file, about: a megabyte and a half."""
BLANK_PIECES = (3, 4)
REPEATED_PIECES = (5, 10)
TORRENT_BYTES = 1 << 24
SHARED_PIECE = 12
"""What stands here is in two files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabTorrent:
    """A torrent of the lab, the folder of its files, and the keys of its listed file.

    A hybrid torrent has two keys, for two info-hashes. ``numbers`` are their places in the list
    of keys; ``have`` is how many pieces the torrent has as its clients count.
    """

    name: str
    folder: Path = field(repr=False)
    torrent: bytes = field(repr=False)
    file_index: int
    keys: tuple[TorrentKey, ...] = field(repr=False)
    numbers: tuple[int, ...]
    have: int
    blank: frozenset[int]
    """Pieces of the torrent that prove nothing."""
    telling: frozenset[int]
    """Pieces of the torrent that lie wholly in the listed file and prove something."""

    @property
    def handshakes(self) -> tuple[bytes, ...]:
        """The 20 bytes by which peers name it."""
        return tuple(key.info_hash[:20] for key in self.keys)


def make_content(
    folder: Path, random: Random, *, trackers: Iterable[str] = (), copies: int = 1
) -> tuple[LabTorrent, ...]:
    """Write the files, and return one torrent each: v1, v2, hybrid, and of three files.

    Args:
        folder: Where the files go; they are of no use to anybody.
        random: What their bytes come from.
        trackers: Named in every key, as a signed list names them.
        copies: How many torrents of each kind.
    """
    shared = random.randbytes(PIECE_BYTES)
    made = []
    for i in range(copies):
        made += [
            _make(folder, f"first-{i}", [_listed(random, shared)], _V1, 0),
            _make(folder, f"second-{i}", [_listed(random, shared)], _V2, 0),
            _make(folder, f"hybrid-{i}", [_listed(random, shared)], _HYBRID, 0),
            _make(folder, f"album-{i}", _album(random), _V1, 1),
        ]
    return _finished(made, tuple(trackers))


_V1 = libtorrent.create_torrent.v1_only
_V2 = libtorrent.create_torrent.v2_only
_HYBRID = 0


def _listed(random: Random, shared: bytes) -> bytes:
    pieces = [random.randbytes(PIECE_BYTES) for _ in range(PIECES)]
    for i in BLANK_PIECES:
        pieces[i] = bytes(PIECE_BYTES)
    pieces[REPEATED_PIECES[1]] = pieces[REPEATED_PIECES[0]]
    pieces[SHARED_PIECE] = shared
    pieces.append(random.randbytes(random.randrange(1, PIECE_BYTES)))
    return b"".join(pieces)


def _album(random: Random) -> list[bytes]:
    """Return three files that share pieces at their borders; only the second will be listed."""
    sizes = (
        random.randrange(PIECE_BYTES, 6 * PIECE_BYTES),
        PIECES * PIECE_BYTES + 1234,
        300_000,
    )
    return [random.randbytes(size) for size in sizes]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    name: str
    folder: Path
    torrent: bytes
    file_index: int
    keys: tuple[TorrentKey, ...]


def _make(folder: Path, name: str, files: list[bytes], flags: int, file_index: int) -> _Made:
    """Write files and make a torrent of them.

    One file is a torrent of one file; several stand in a folder of the torrent's name.
    """
    names = [name] if len(files) == 1 else [f"{name}/{i}.bin" for i in range(len(files))]
    entries = []
    for one, content in zip(names, files, strict=True):
        path = folder / one
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        entries.append(libtorrent.create_file_entry(one, len(content)))
    maker = libtorrent.create_torrent(entries, PIECE_BYTES, flags)
    libtorrent.set_piece_hashes(maker, str(folder))
    torrent = libtorrent.bencode(maker.generate())
    (folder / f"{name}.torrent").write_bytes(torrent)
    return _Made(
        name=name,
        folder=folder,
        torrent=torrent,
        file_index=file_index,
        keys=keys_of(torrent, file_index),
    )


def keys_of(torrent: bytes, file_index: int) -> tuple[TorrentKey, ...]:
    """Return the keys of one file of a torrent of ours: v1, v2, or both."""
    whole: Mapping[bytes, Any] = decode(torrent, limit_bytes=TORRENT_BYTES)
    info: dict[bytes, Any] = whole[b"info"]
    found: list[TorrentKey] = []
    if b"pieces" in info:
        found.append(_key_v1(info, file_index))
    if b"file tree" in info:
        found.append(_key_v2(info, whole.get(b"piece layers", {}), file_index))
    if len(found) == 2:
        first, second = (key.info_hash[:20] for key in found)
        return replace(found[0], twin=second), replace(found[1], twin=first)
    return tuple(found)


def _key_v1(info: dict[bytes, Any], file_index: int) -> TorrentFile:
    sizes = [one[b"length"] for one in info.get(b"files", [info])]
    first, size, piece = sum(sizes[:file_index]), sizes[file_index], info[b"piece length"]
    hashes = [info[b"pieces"][i : i + 20] for i in range(0, len(info[b"pieces"]), 20)]
    return TorrentFile(
        info_hash=hashlib.sha1(encode(info), usedforsecurity=False).digest(),
        file_index=file_index,
        first_byte=first,
        size_bytes=size,
        piece_bytes=piece,
        torrent_bytes=sum(sizes),
        pieces=tuple(hashes[first // piece : (first + size - 1) // piece + 1]),
    )


def _key_v2(
    info: dict[bytes, Any], layers: Mapping[bytes, bytes], file_index: int
) -> TorrentTree:
    """Return the key of a torrent's file; ours have one level of names, already in order."""
    files = [one[b""] for one in info[b"file tree"].values()]
    piece = info[b"piece length"]
    counts = [-(-one[b"length"] // piece) for one in files]
    root = files[file_index][b"pieces root"]
    layer = layers.get(root, b"")
    return TorrentTree(
        info_hash=hashlib.sha256(encode(info)).digest(),
        file_index=file_index,
        first_piece=sum(counts[:file_index]),
        torrent_pieces=sum(counts),
        root=root,
        size_bytes=files[file_index][b"length"],
        piece_bytes=piece,
        layer=tuple(layer[i : i + 32] for i in range(0, len(layer), 32)),
    )


def hashes_of(key: TorrentKey) -> tuple[bytes, ...]:
    """Return what the key holds of each piece, in order."""
    return key.pieces if isinstance(key, TorrentFile) else key.layer or (key.root,)


def _finished(made: list[_Made], trackers: tuple[str, ...]) -> tuple[LabTorrent, ...]:
    """Say of every piece whether it proves something, as an authority would for its list."""
    seen = Counter(piece for one in made for key in one.keys for piece in hashes_of(key))
    found, number = [], 0
    for one in made:
        keys = tuple(
            replace(
                key,
                trackers=trackers,
                weak=tuple(i for i, piece in enumerate(hashes_of(key)) if seen[piece] > 1),
            )
            for key in one.keys
        )
        blank = {key.first_piece + i for key in keys for i in key.weak}
        found.append(
            LabTorrent(
                name=one.name,
                folder=one.folder,
                torrent=one.torrent,
                file_index=one.file_index,
                keys=keys,
                numbers=tuple(range(number, number + len(keys))),
                have=max(_pieces_of(key) for key in keys),
                blank=frozenset(blank),
                telling=frozenset(_inside(keys[0])) - blank,
            )
        )
        number += len(keys)
    return tuple(found)


def _pieces_of(key: TorrentKey) -> int:
    return key.torrent_pieces


def _inside(key: TorrentKey) -> range:
    """Return the pieces of the torrent that hold nothing but the listed file."""
    if isinstance(key, TorrentTree):
        return range(key.first_piece, key.first_piece + len(hashes_of(key)))
    end = key.first_byte + key.size_bytes
    last = key.torrent_pieces if end == key.torrent_bytes else end // key.piece_bytes
    return range(-(-key.first_byte // key.piece_bytes), last)
