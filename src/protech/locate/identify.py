"""Which listed files are looked for: the keys of a signed list, as targets.

The keys are committed to as a Merkle tree over their lines, so that one can be disclosed later
and shown to be of the list, without the others.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import BinaryIO

from protech.errors import ListFormatError
from protech.lists.entries import BadEntry
from protech.lists.fetch_key import (
    BLOCK_BYTES,
    Ed2kFile,
    FetchKey,
    TorrentFile,
    TorrentTree,
)
from protech.lists.fetch_keys import key_line, read_header, read_keys
from protech.locate.adapter import ListName, Target
from protech.merkle import inclusion_proof, leaf_hash, root

ENTRY_DOMAIN = b"protech locate entry v1\x00"
ENTRY_BYTES = 8

BLANKS = (0x00, 0xFF)
"""A piece of nothing but one of these is in files of every kind: never asked for as a proof."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """All that one signed list asks for, and what commits to it."""

    list_name: ListName
    issuer: str
    targets: tuple[Target, ...]
    leaves: tuple[bytes, ...] = field(repr=False)

    @property
    def tree_root(self) -> bytes:
        """The root over the lines of all keys (RFC 6962)."""
        return root(self.leaves)

    def proof_of(self, target: Target) -> list[bytes]:
        """Return what shows that the key of a target is in the list."""
        return inclusion_proof(self.leaves, target.number, len(self.leaves))


def read_watch(file: BinaryIO, *, sha256: bytes) -> Watch:
    """Return what a list of fetch keys asks for.

    Args:
        file: The plain list, whose signature and digest the caller has checked.
        sha256: That digest.

    Raises:
        ListFormatError: It is no such list, or has a line that is no key.
        TrustError: It is not a list for locate alone.
    """
    header = read_header(file)
    keys = [_good(key) for key in read_keys(file)]
    name = ListName(name=header.name, version=header.version, sha256=sha256)
    issuer = header.issuer or ""
    weak = _weak_places(keys)
    lines = [key_line(key) for key in keys]
    targets = tuple(
        Target(
            entry=entry_of(issuer, header.name, line),
            number=number,
            list_name=name,
            key=key,
            weak=weak[number],
        )
        for number, (key, line) in enumerate(zip(keys, lines, strict=True))
    )
    return Watch(
        list_name=name, issuer=issuer, targets=targets, leaves=tuple(map(leaf_hash, lines))
    )


def entry_of(issuer: str, name: str, line: bytes) -> str:
    """Return what a key is called in pages and reports; it says nothing of the key itself."""
    content = b"\x00".join([issuer.encode(), name.encode(), line])
    return hashlib.sha256(ENTRY_DOMAIN + content).digest()[:ENTRY_BYTES].hex()


def _good(key: FetchKey | BadEntry) -> FetchKey:
    if isinstance(key, BadEntry):
        raise ListFormatError(
            f"The list for locate has a line that is no key (line {key.line}: {key.reason});"
            " nothing of it is looked for. Tell its authority."
        )
    return key


def _weak_places(keys: Iterable[FetchKey]) -> Mapping[int, frozenset[int]]:
    """Return for each key the places of its pieces that prove nothing.

    They are those that the list names, those that are blank, and those that stand at two places
    of one file or in two listed files, unless these are as long as each other: the same file in
    two torrents is the same file.
    """
    found: dict[int, set[int]] = defaultdict(set)
    seen: dict[bytes, list[tuple[int, int, int]]] = defaultdict(list)
    for number, key in enumerate(keys):
        found[number] |= set(key.weak)
        if isinstance(key, Ed2kFile):
            continue
        for place, piece in enumerate(_pieces(key)):
            seen[piece].append((number, key.size_bytes, place))
            if piece in _blanks_of(key.piece_bytes):
                found[number].add(place)
    for places in seen.values():
        by_key = {number for number, _, _ in places}
        sizes = {size for _, size, _ in places}
        if len(by_key) < len(places) or len(sizes) > 1:
            for number, _, place in places:
                found[number].add(place)
    return defaultdict(frozenset, {number: frozenset(weak) for number, weak in found.items()})


def _pieces(key: TorrentFile | TorrentTree) -> tuple[bytes, ...]:
    if isinstance(key, TorrentFile):
        return key.pieces
    return key.layer or (key.root,)


@cache
def _blanks_of(piece_bytes: int) -> frozenset[bytes]:
    """Return the digests of whole pieces of nothing but one byte, of both versions."""
    found = set()
    for byte in BLANKS:
        piece = bytes([byte]) * piece_bytes
        found.add(hashlib.sha1(piece, usedforsecurity=False).digest())
        level = [hashlib.sha256(piece[:BLOCK_BYTES]).digest()]
        for _ in range((piece_bytes // BLOCK_BYTES).bit_length() - 1):
            level.append(hashlib.sha256(level[-1] * 2).digest())
        found.add(level[-1])
    return frozenset(found)
