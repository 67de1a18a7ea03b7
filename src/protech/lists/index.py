"""The index of one known list: flat, sorted arrays that are mapped, never loaded.

Exact digests are found by binary search over their first eight bytes, PDQ hashes by comparing
them all. An index is written beside its place and put there in one rename; one that is in use
is never edited. Its manifest holds the SHA-256 of every file, and they are checked on opening.
"""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from array import array
from collections.abc import Buffer, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protech.errors import ListFormatError
from protech.lists.entries import (
    WIDTHS,
    Entry,
)
from protech.types import Digests, MatchKind, PdqHash

FORMAT_VERSION = 1

MANIFEST = "manifest"

RADIUS_BITS = 31
"""PDQ's published match radius. Source: ThreatExchange, hashing/hashing.pdf, section 4."""

CHUNK_HASHES = 32_768
"""1 MiB of hashes: what is compared in one go stays in the processor's cache."""

DIGESTS = (MatchKind.SHA256, MatchKind.SHA1, MatchKind.MD5)

NEW = ".new-"
"""How a directory's name begins that is not in its place yet, or no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An entry, by its place in the list from 0, that shares ``kind`` with what was asked."""

    kind: MatchKind
    row: int
    distance_bits: int | None = None
    quality: int | None = None


class Index:
    """An index, checked and mapped; safe between threads."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> None:
        """Take mapped arrays and what their maker says of them; ``open`` reads both."""
        self._arrays = arrays
        self.about = about

    @classmethod
    def open(cls, directory: Path) -> "Index":
        """Map the index at ``directory`` after checking every byte of it.

        Raises:
            ListFormatError: A file is missing, cut or changed; build the index again.
        """
        try:
            manifest = _manifest(directory / MANIFEST)
            arrays = {
                name: _mapped(directory / name, name, seal=seal)
                for name, seal in manifest["files"].items()
            }
        except OSError as missing:
            raise _damaged("a file of it is missing or cannot be read") from missing
        return cls(arrays, manifest["about"])

    def count(self, kind: MatchKind) -> int:
        """Return how many identifiers of ``kind`` there are."""
        return len(self._arrays[f"{kind}.rows"])

    def exact(self, digests: Digests) -> list[Hit]:
        """Return for each digest that is listed the first entry that has it.

        Cost: three binary searches.
        """
        asked = {kind: getattr(digests, kind.value) for kind in DIGESTS}
        rows = {kind: self._row(kind, digest) for kind, digest in asked.items()}
        return [Hit(kind=kind, row=row) for kind, row in rows.items() if row is not None]

    def near(self, hashes: Sequence[PdqHash], *, radius_bits: int = RADIUS_BITS) -> list[Hit]:
        """Return the nearest entries within ``radius_bits`` of ``hashes``, nearest first.

        A hit is left out where another is as near and of as good a query quality: whatever a
        policy asks of these two, a hit that meets it is here if there was any.

        Cost: every known hash is read once for each of ``hashes``, 32 bytes each.
        """
        nearest = sorted(
            (distance, -one.quality, row)
            for one in hashes
            for distance, row in self._nearest(one.bits, radius_bits)
        )
        hits: list[Hit] = []
        best = -1
        for distance, poorness, row in nearest:
            if -poorness > best:
                best = -poorness
                hits.append(
                    Hit(kind=MatchKind.PDQ, row=row, distance_bits=distance, quality=best)
                )
        return hits

    def label(self, row: int) -> str | None:
        """Return what the list calls its entry ``row``."""
        start, end = self._arrays["labels.ends"][row : row + 2]
        text = self._arrays["labels"][start:end].tobytes()
        return text[1:].decode(errors="replace") if text else None

    def _row(self, kind: MatchKind, digest: bytes) -> int | None:
        prefixes = self._arrays[f"{kind}.prefixes"]
        prefix = np.uint64(int.from_bytes(digest[:8]))
        start = int(prefixes.searchsorted(prefix, side="left"))
        end = int(prefixes.searchsorted(prefix, side="right"))
        listed = self._arrays[f"{kind}.digests"].reshape(-1, WIDTHS[kind])[start:end]
        same = np.flatnonzero((listed == np.frombuffer(digest, np.uint8)).all(axis=1))
        return int(self._arrays[f"{kind}.rows"][start + same[0]]) if len(same) else None

    def _nearest(self, bits: bytes, radius_bits: int) -> list[tuple[int, int]]:
        """Return distance and row of the first of the nearest hashes, if it is near enough."""
        known = self._arrays["pdq.words"].reshape(-1, 4)
        query = np.frombuffer(bits, "<u8")
        nearest, place = radius_bits + 1, 0
        for start in range(0, len(known), CHUNK_HASHES):
            differing = np.bitwise_count(known[start : start + CHUNK_HASHES] ^ query)
            distances = differing.sum(axis=1, dtype=np.uint16)
            at = int(distances.argmin())
            if distances[at] < nearest:
                nearest, place = int(distances[at]), start + at
        if nearest > radius_bits:
            return []
        return [(nearest, int(self._arrays["pdq.rows"][place]))]


def build(
    entries: Iterable[Entry],
    directory: Path,
    *,
    about: Callable[[], Mapping[str, object]] = dict,
) -> None:
    """Write the index of ``entries`` and put it at ``directory`` in one step.

    Args:
        entries: In the order of their rows.
        directory: Made, or replaced whole. Another process may do the same at the same time:
            whichever is last stays.
        about: Asked once the entries are used up; its answer, for JSON, is kept with them.

    Raises:
        OSError: The disk is full or not ours.
    """
    new = Path(tempfile.mkdtemp(dir=directory.parent, prefix=NEW))
    try:
        columns = _Columns()
        for entry in entries:
            columns.append(entry)
        seals = {name: _write(new / name, part) for name, part in columns.parts().items()}
        body = json.dumps({"v": FORMAT_VERSION, "files": seals, "about": about()}).encode()
        _write(new / MANIFEST, _seal(body).encode() + b"\n" + body)
        _put_in_place(new, directory)
    finally:
        shutil.rmtree(new, ignore_errors=True)


class _Columns:
    """The entries seen so far, one growing buffer for each file."""

    def __init__(self) -> None:
        self._raw = {kind: bytearray() for kind in (*DIGESTS, MatchKind.PDQ)}
        self._rows = {kind: array("I") for kind in self._raw}
        self._labels = bytearray()
        self._ends = array("Q", [0])

    def append(self, entry: Entry) -> None:
        row = len(self._ends) - 1
        for kind in DIGESTS:
            digest = getattr(entry, kind.value)
            if digest is not None:
                self._raw[kind] += digest
                self._rows[kind].append(row)
        for bits in entry.pdq:
            self._raw[MatchKind.PDQ] += bits
            self._rows[MatchKind.PDQ].append(row)
        if entry.label is not None:
            # The leading byte tells an empty label from none.
            self._labels += b"=" + entry.label.encode(errors="replace")
        self._ends.append(len(self._labels))

    def parts(self) -> dict[str, Buffer]:
        """Return the content of every file by its name."""
        parts: dict[str, Buffer] = {
            "labels": self._labels,
            "labels.ends": np.array(self._ends, "<u8"),
            "pdq.words": self._raw[MatchKind.PDQ],
            "pdq.rows": np.array(self._rows[MatchKind.PDQ], "<u4"),
        }
        for kind in DIGESTS:
            parts |= _sorted_parts(kind, self._raw[kind], np.array(self._rows[kind], "<u4"))
        return parts


def _sorted_parts(
    kind: MatchKind, raw: bytearray, rows: NDArray[np.uint32]
) -> dict[str, NDArray[Any]]:
    """Return prefixes, digests and rows in the order of the digests, then of the rows."""
    words = np.frombuffer(raw, ">u4").reshape(-1, WIDTHS[kind] // 4)
    order = np.lexsort(words.T[::-1])
    first, second = words[order, 0].astype("<u8"), words[order, 1].astype("<u8")
    return {
        f"{kind}.prefixes": first << np.uint64(32) | second,
        f"{kind}.digests": words[order],
        f"{kind}.rows": rows[order],
    }


_ELEMENTS = {"prefixes": "<u8", "rows": "<u4", "words": "<u8", "ends": "<u8"}
"""What a file is made of, by the last part of its name; all else is bytes."""


def _mapped(path: Path, name: str, *, seal: str) -> NDArray[Any]:
    if path.stat().st_size == 0:  # nothing cannot be mapped
        content = np.zeros(0, np.uint8)
    else:
        content = np.memmap(path, np.uint8, mode="r")
    if _seal(content) != seal:
        raise _damaged("a file of it was cut or changed")
    return content.view(_ELEMENTS.get(name.rpartition(".")[2], "u1"))


def _manifest(path: Path) -> dict[str, Any]:
    seal, _, body = path.read_bytes().partition(b"\n")
    if _seal(body).encode() != seal:
        raise _damaged("its manifest was cut or changed")
    manifest: dict[str, Any] = json.loads(body)
    if manifest["v"] != FORMAT_VERSION:
        raise _damaged("it is of another version of Protech")
    return manifest


def _damaged(why: str) -> ListFormatError:
    return ListFormatError(
        f"The index of a known list cannot be used: {why}. Delete its directory; it is made"
        " again from the list."
    )


def _seal(content: Buffer) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: Buffer) -> str:
    """Write a file that only this user can read, and return its SHA-256 in hex."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return _seal(content)


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
