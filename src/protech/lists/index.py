"""The index of one known list: flat arrays that are mapped, never loaded.

Exact digests are found by binary search behind a small filter, perceptual hashes by the bands
of ``lists.bands``. An index is written beside its place and put there in one rename; one that
is in use is never edited. ``lists.seals`` says what is checked on opening: every byte.
"""

import errno
import shutil
import tempfile
from collections.abc import Buffer, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protech.lists.bands import widths_for
from protech.lists.batch import Batch
from protech.lists.columns import DIGESTS, HASHES, Columns, filter_bits, leading
from protech.lists.entries import WIDTHS
from protech.lists.kernel import HASH_BYTES, Column
from protech.lists.parts import DiskFile, File, Lock, MemoryFile
from protech.lists.seals import Sealed, Sealing, open_sealed, sealed_of
from protech.types import Digests, MatchKind, PdqHash

RADIUS_BITS = 31
"""PDQ's published match radius. Source: ThreatExchange, hashing/hashing.pdf, section 4."""

NEW = ".new-"
"""How a directory's name begins that is not in its place yet, or no longer."""

About = Callable[[], Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An entry, by its place in the list from 0, that shares ``kind`` with what was asked."""

    kind: MatchKind
    row: int
    distance_bits: int | None = None
    quality: int | None = None


NearHits = tuple[NDArray[np.int32], NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint16]]
"""Pairs of a query and a hash within a radius, as columns of one length: query, counted from 0;
row, the list's entry; place of the hash in its column; distance in bits."""


class Index:
    """An index, checked and mapped; safe between threads."""

    def __init__(self, sealed: Sealed, *, path: str | None = None) -> None:
        """Take checked parts; ``open`` and ``of`` make them.

        ``path`` is one of the kernel's; None takes the fastest.
        """
        self.about = sealed.about
        self.entries = sealed.entries
        self._parts = sealed.parts
        self._rows = {
            kind: self._parts[f"{kind}.rows"].view("<u4") for kind in (*DIGESTS, *HASHES)
        }
        self._digests = {
            kind: self._parts[f"{kind}.digests"].view(f"S{WIDTHS[kind]}") for kind in DIGESTS
        }
        self._filter_bits = {kind: filter_bits(self.count(kind)) for kind in DIGESTS}
        self._columns = {kind: self._column(kind, path) for kind in HASHES}

    @classmethod
    def open(cls, directory: Path, *, path: str | None = None) -> "Index":
        """Map the index at ``directory`` after checking every byte of it.

        Raises:
            ListFormatError: A file is missing, cut or changed; build the index again.

        Cost: about as long as reading the files from memory takes.
        """
        return cls(open_sealed(directory), path=path)

    @classmethod
    def of(cls, parts: Mapping[str, Buffer]) -> "Index":
        """Return the index that ``build_parts`` made, after checking every byte of it.

        Raises:
            ListFormatError: A part is missing, cut or changed.
        """
        return cls(sealed_of(parts))

    def count(self, kind: MatchKind) -> int:
        """Return how many identifiers of ``kind`` there are."""
        return len(self._rows[kind])

    def exact(self, digests: Digests) -> list[Hit]:
        """Return for each digest that is listed the first entry that has it.

        Cost: for what is not listed, one look at each of three filters, most of the time.
        """
        asked = {kind: getattr(digests, kind.value) for kind in DIGESTS}
        rows = {kind: self._row(kind, digest) for kind, digest in asked.items()}
        return [Hit(kind=kind, row=row) for kind, row in rows.items() if row is not None]

    def exact_many(
        self, kind: MatchKind, digests: NDArray[np.uint8]
    ) -> tuple[NDArray[np.intp], NDArray[np.uint32]]:
        """Return which of many ``digests`` are listed, and the first entry that has each.

        Args:
            kind: SHA-256, SHA-1 or MD5.
            digests: shape (n, WIDTHS[kind]).
        """
        bits = leading(digests, self._filter_bits[kind])
        passed = np.flatnonzero(
            self._parts[f"{kind}.filter"][bits >> np.uint64(3)] >> (bits & np.uint64(7)) & 1
        )
        listed = self._digests[kind]
        asked = np.ascontiguousarray(digests[passed]).reshape(-1).view(listed.dtype)
        places = listed.searchsorted(asked)
        is_listed = places < len(listed)
        is_listed[is_listed] = listed[places[is_listed]] == asked[is_listed]
        return passed[is_listed], self._rows[kind][places[is_listed]]

    def near(self, hashes: Sequence[PdqHash], *, radius_bits: int = RADIUS_BITS) -> list[Hit]:
        """Return the nearest entries within ``radius_bits`` of ``hashes``, nearest first.

        A hit is left out where another is as near and of as good a query quality: whatever a
        policy asks of these two, a hit that meets it is here if there was any.
        """
        queries = np.frombuffer(b"".join(one.bits for one in hashes), np.uint8)
        found = self._columns[MatchKind.PDQ].nearest(
            queries.reshape(-1, HASH_BYTES), radius_bits=radius_bits
        )
        nearest = sorted(
            (distance, -hashes[query].quality, place)
            for query, place, distance in found.tolist()
        )
        hits: list[Hit] = []
        best = -1
        for distance, poorness, place in nearest:
            if -poorness > best:
                best = -poorness
                row = int(self._rows[MatchKind.PDQ][place])
                hits.append(
                    Hit(kind=MatchKind.PDQ, row=row, distance_bits=distance, quality=best)
                )
        return hits

    def near_all(
        self, kind: MatchKind, queries: NDArray[np.uint8], *, radius_bits: int = RADIUS_BITS
    ) -> NearHits:
        """Return every hash of ``kind`` within ``radius_bits`` of each of ``queries``.

        Args:
            kind: PDQ, or vPDQ for frames of videos.
            queries: shape (k, 32).
            radius_bits: 0 to 256.

        Returns:
            By query, then by place; an entry is there once for each of its hashes.
        """
        query, place, distance = self._columns[kind].within(queries, radius_bits=radius_bits).T
        row = self._rows[kind][place]
        return query.astype(np.int32), row, place, distance.astype(np.uint16)

    def frames_of(self, row: int) -> int:
        """Return how many vPDQ hashes the entry ``row`` has."""
        rows = self._rows[MatchKind.VPDQ]
        first, end = rows.searchsorted(np.array([row, row + 1], np.int64))
        return int(end - first)

    def label(self, row: int) -> str | None:
        """Return what the list calls its entry ``row``."""
        rows, ends = (
            self._parts["labels.rows"].view("<u4"),
            self._parts["labels.ends"].view("<u8"),
        )
        at = int(rows.searchsorted(row))
        if at == len(rows) or rows[at] != row:
            return None
        start, end = ends[at - 1] if at else 0, ends[at]
        return self._parts["labels"][start:end].tobytes().decode(errors="replace")

    def _row(self, kind: MatchKind, digest: bytes) -> int | None:
        bit = int.from_bytes(digest[:8]) >> 64 - self._filter_bits[kind]
        if not self._parts[f"{kind}.filter"][bit >> 3] >> (bit & 7) & 1:
            return None
        listed = self._digests[kind]
        asked = np.frombuffer(digest, listed.dtype)
        place = int(listed.searchsorted(asked)[0])
        if place == len(listed) or listed[place] != asked[0]:
            return None
        return int(self._rows[kind][place])

    def _column(self, kind: MatchKind, path: str | None) -> Column:
        return Column(
            self._parts[f"{kind}.hashes"].reshape(-1, HASH_BYTES),
            self._parts[f"{kind}.tables"],
            self._parts[f"{kind}.postings"].view("<u4"),
            widths=widths_for(self.count(kind)),
            path=path,
        )


def build(batches: Iterable[Batch], directory: Path, *, about: About = dict) -> None:
    """Write the index of ``batches`` and put it at ``directory`` in one step.

    Args:
        batches: Entries in the order of their rows.
        directory: Made, or replaced whole. Another process may do the same at the same time:
            whichever is last stays.
        about: Asked once the batches are used up; its answer, for JSON, is kept with them.

    Raises:
        OSError: The disk is full or not ours.

    Cost: passing memory of 12 bytes for each perceptual hash and processor (of four at most),
    and of some megabytes for the rest; passing room on the disk for the digests once more.
    """
    new = Path(tempfile.mkdtemp(dir=directory.parent, prefix=NEW))
    try:
        _write(
            batches,
            about,
            make=lambda name: DiskFile(new / name),
            scratch=lambda name: DiskFile(new / name, is_passing=True),
        )
        _put_in_place(new, directory)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def build_parts(
    batches: Iterable[Batch], *, about: About = dict, lock: Lock | None = None
) -> Mapping[str, Buffer]:
    """Return the parts of the index of ``batches``; nothing is written to a disk.

    Args:
        batches: As for ``build``.
        about: As for ``build``.
        lock: Called with each mapping and how many bytes of it must never be swapped out.

    What is sorted passes through memory that is not locked, some megabytes at a time.
    """
    parts: dict[str, MemoryFile] = {}

    def make(name: str) -> File:
        parts[name] = MemoryFile(lock)
        return parts[name]

    _write(batches, about, make=make, scratch=lambda _: MemoryFile(lock))
    return {name: file.view() for name, file in parts.items()}


def _write(
    batches: Iterable[Batch],
    about: About,
    *,
    make: Callable[[str], File],
    scratch: Callable[[str], File],
) -> None:
    with ExitStack() as files:

        def closing(new: Callable[[str], File], name: str) -> File:
            file = new(name)
            files.callback(file.close)
            return file

        sealing = Sealing(partial(closing, make))
        columns = Columns(sealing, partial(closing, scratch))
        for batch in batches:
            columns.add(batch)
        columns.write()
        sealing.finish(about(), entries=columns.entries)


def _put_in_place(new: Path, directory: Path) -> None:
    while True:
        try:
            new.rename(directory)
        except OSError as taken:
            if taken.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
        else:
            return
        old = Path(tempfile.mkdtemp(dir=directory.parent, prefix=NEW))
        with suppress(FileNotFoundError):  # another process was faster
            directory.rename(old)
        shutil.rmtree(old, ignore_errors=True)
