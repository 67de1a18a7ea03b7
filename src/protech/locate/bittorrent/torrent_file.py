"""What a .torrent file says: its info-hashes, its files, and the hashes of their pieces; pure.

For officers who make a list of what they hold; nothing here speaks to a network. Both versions
of a hybrid are read. Sources: BEP 3, BEP 12 (trackers), BEP 47 (padding), BEP 52.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched
from pathlib import PurePosixPath

from protech.errors import SourceError
from protech.lists.fetch_key import BLOCK_BYTES, FILES, TRACKER, TRACKERS, tree_root
from protech.locate.bittorrent.bencode import Bencoded, NotBencoded, decode, encode

TORRENT_BYTES = 64 << 20
NEVER_IN_PATHS = {"", ".", ".."}


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstFile:
    """A file as the first version lays it out: one after the other."""

    path: PurePosixPath = field(repr=False)
    size_bytes: int
    first_byte: int
    is_padding: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstVersion:
    """The first version of a torrent."""

    info_hash: bytes = field(repr=False)
    piece_bytes: int
    pieces: tuple[bytes, ...] = field(repr=False)
    files: tuple[FirstFile, ...]

    @property
    def size_bytes(self) -> int:
        """Of all files, padding included."""
        return sum(one.size_bytes for one in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondFile:
    """A file as the second version lays it out: it begins with a piece of its own."""

    path: PurePosixPath = field(repr=False)
    size_bytes: int
    first_piece: int
    root: bytes = field(repr=False)
    layer: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondVersion:
    """The second version of a torrent; its layers lead to its roots."""

    info_hash: bytes = field(repr=False)
    piece_bytes: int
    files: tuple[SecondFile, ...]
    pieces: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Torrent:
    """A torrent: at least one of the versions, and the trackers that it names."""

    first: FirstVersion | None
    second: SecondVersion | None
    is_one_file: bool
    """Whether its content is a file, and not a folder of them."""
    trackers: tuple[str, ...] = field(repr=False)


def read_torrent(data: bytes) -> Torrent:
    """Return what a .torrent file says.

    Raises:
        SourceError: It is none, or does not hold together.
    """
    try:
        return _torrent(data)
    except (NotBencoded, _Bad) as bad:
        raise SourceError(
            f"The torrent cannot be read: {bad}. Get it again from where it came."
        ) from bad


class _Bad(Exception):
    """Why it does not hold together; it quotes nothing of it."""


def _torrent(data: bytes) -> Torrent:
    fields = decode(data, limit_bytes=TORRENT_BYTES)
    info = _dict(fields, b"info")
    raw = encode(info)
    if b"4:info" + raw not in data:
        raise _Bad("its 'info' is not in the one order that is hashed")
    piece_bytes = _int(info, b"piece length", least=1)
    first = second = None
    if b"pieces" in info:
        first = FirstVersion(
            info_hash=hashlib.sha1(raw, usedforsecurity=False).digest(),
            piece_bytes=piece_bytes,
            pieces=_hashes(info.get(b"pieces"), 20),
            files=tuple(_first_files(info)),
        )
        if len(first.pieces) != -(-first.size_bytes // piece_bytes):
            raise _Bad("its pieces are not as many as its files need")
    if info.get(b"meta version") == 2:
        second = _second(info, piece_bytes, _layers(fields), hashlib.sha256(raw).digest())
    if first is None and second is None:
        raise _Bad("it is of neither version")
    return Torrent(
        first=first,
        second=second,
        is_one_file=b"length" in info or (first is None and _is_one_file(info)),
        trackers=tuple(_trackers(fields)),
    )


def _is_one_file(info: Mapping[bytes, Bencoded]) -> bool:
    tree = _dict(info, b"file tree")
    name, inside = next(iter(tree.items()), (b"", {}))
    is_named_so = len(tree) == 1 and name == info.get(b"name")
    return is_named_so and isinstance(inside, dict) and b"" in inside


def _first_files(info: Mapping[bytes, Bencoded]) -> Iterator[FirstFile]:
    if b"length" in info:
        named: Sequence[Bencoded] = [{**info, b"path": [info.get(b"name", b"")]}]
    else:
        named = _list(info.get(b"files"))
    at = 0
    for one in named:
        fields = one if isinstance(one, dict) else {}
        size_bytes = _int(fields, b"length")
        attributes = fields.get(b"attr", b"")
        if isinstance(attributes, bytes) and b"l" in attributes:
            raise _Bad("it holds a link, which is no file")
        yield FirstFile(
            path=_path(_list(fields.get(b"path"))),
            size_bytes=size_bytes,
            first_byte=at,
            is_padding=isinstance(attributes, bytes) and b"p" in attributes,
        )
        at += size_bytes


def _second(
    info: Mapping[bytes, Bencoded],
    piece_bytes: int,
    layers: Mapping[bytes, Bencoded],
    info_hash: bytes,
) -> SecondVersion:
    if piece_bytes < BLOCK_BYTES or piece_bytes.bit_count() != 1:
        raise _Bad("its pieces are not of a power of two, or too small")
    files = []
    at = 0
    for path, fields in _leaves(_dict(info, b"file tree"), []):
        size_bytes = _int(fields, b"length")
        pieces = -(-size_bytes // piece_bytes)
        if not pieces:
            continue
        (root,) = _hashes(fields.get(b"pieces root"), 32, count=1)
        layer = _hashes(layers.get(root), 32, count=pieces) if pieces > 1 else ()
        if layer and tree_root(layer, piece_bytes=piece_bytes) != root:
            raise _Bad("a layer of its pieces does not lead to its file's root")
        files.append(
            SecondFile(path=path, size_bytes=size_bytes, first_piece=at, root=root, layer=layer)
        )
        at += pieces
    return SecondVersion(
        info_hash=info_hash, piece_bytes=piece_bytes, files=tuple(files), pieces=at
    )


def _leaves(
    tree: Mapping[bytes, Bencoded], above: list[Bencoded]
) -> Iterator[tuple[PurePosixPath, Mapping[bytes, Bencoded]]]:
    """Yield the files of a tree in order; it is no deeper than bencoding may be."""
    for name in sorted(tree):
        inside = tree[name]
        if not isinstance(inside, dict):
            raise _Bad("its tree of files holds what is neither file nor folder")
        if b"" in inside:
            yield _path([*above, name]), _dict(inside, b"")
        else:
            yield from _leaves(inside, [*above, name])


def _path(parts: Sequence[Bencoded]) -> PurePosixPath:
    texts = [
        one.decode("utf-8", "surrogateescape") if isinstance(one, bytes) else ""
        for one in parts
    ]
    if not texts or any(one in NEVER_IN_PATHS or "/" in one or "\0" in one for one in texts):
        raise _Bad("a file's path leads elsewhere, or nowhere")
    return PurePosixPath(*texts)


def _layers(fields: Mapping[bytes, Bencoded]) -> Mapping[bytes, Bencoded]:
    return _dict(fields, b"piece layers") if b"piece layers" in fields else {}


def _trackers(fields: Mapping[bytes, Bencoded]) -> Iterator[str]:
    tiers = fields.get(b"announce-list", [])
    named = [fields.get(b"announce", b"")]
    for tier in tiers if isinstance(tiers, list) else []:
        named += tier if isinstance(tier, list) else []
    texts = [one.decode("ascii", "replace") for one in named if isinstance(one, bytes)]
    fit = [one for one in dict.fromkeys(texts) if TRACKER.fullmatch(one)]
    yield from fit[:TRACKERS]


def _hashes(
    value: Bencoded | None, width: int, *, count: int | None = None
) -> tuple[bytes, ...]:
    if not isinstance(value, bytes) or len(value) % width:
        raise _Bad("hashes are missing, or of another length")
    if count is not None and len(value) != count * width:
        raise _Bad("hashes are not as many as its files need")
    return tuple(bytes(one) for one in batched(value, width))


def _dict(fields: Mapping[bytes, Bencoded], key: bytes) -> dict[bytes, Bencoded]:
    value = fields.get(key)
    if not isinstance(value, dict):
        raise _Bad("a part of it is missing")
    return value


def _list(value: Bencoded | None) -> list[Bencoded]:
    if not isinstance(value, list) or not value or len(value) > FILES:
        raise _Bad("a list in it is missing, or too long")
    return value


def _int(fields: Mapping[bytes, Bencoded], key: bytes, *, least: int = 0) -> int:
    value = fields.get(key)
    if not isinstance(value, int) or value < least:
        raise _Bad("a size in it is missing, or none")
    return value
