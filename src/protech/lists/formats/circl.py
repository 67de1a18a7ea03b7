"""CIRCL hashlookup's Bloom filter of known files, in DCSO's format; looked up as it is.

A filter cannot be listed, and calls a few unknown files known. It is a list of harmless files,
so that neither an error of it nor a forged one ever unblocks anything (DESIGN section 4).
Source: github.com/DCSO/flor 1.1.3 (filter.py, fnv.py), github.com/DCSO/bloom, and
hashlookup-forensic-analyser, whose keys are SHA-1 in upper-case hex.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from protech.errors import ListFormatError, SourceError
from protech.lists.entries import OWN_USES, Category, ListHeader, Reading
from protech.types import Digests, ListRef, Match, MatchKind, PdqHash

NAME = "circl-hashlookup"

HEADER = struct.Struct("<QQdQQQ")
"""Version, capacity n, rate p, probes k, bits m, entries N; all little-endian."""
FORMAT_VERSION = 1
"""In the lowest byte of the first word; the others are flags."""

MOST_PROBES = 64
"""A rate of 1 in 10^19; a larger k is no filter but a way to keep a reader busy."""
MOST_FALSE = 0.1
"""A filter that calls more of all files known says nothing: it is full, or forged."""

WORD = (1 << 64) - 1
FNV_OFFSET = 14695981039346656037
FNV_PRIME = 1099511628211
MODULUS = 18446744073709551557
MULTIPLIER = 18446744073709550147

SAMPLES = 256
SAMPLE_BYTES = 64


def matches(head: bytes) -> bool:
    """Return whether the first bytes are the header of a filter."""
    if len(head) < HEADER.size:
        return False
    header: tuple[int, int, float, int, int, int] = HEADER.unpack_from(head)
    flags, capacity, rate, probes, bits, entries = header
    return (
        flags & 0xFF == FORMAT_VERSION
        and 0 < rate < 1
        and 0 < probes <= MOST_PROBES
        and 0 < capacity <= bits
        and entries <= capacity
    )


class Bloom:
    """A filter in use, in the shape of a known list; safe between threads.

    It is read at the places asked for and never mapped: a mapped file that another process
    cuts short kills whoever reads it.
    """

    def __init__(self, descriptor: int, head: bytes, ref: ListRef) -> None:
        """Take a file that ``open`` has checked, and its header."""
        self._descriptor = descriptor
        self.ref = ref
        header: tuple[int, int, float, int, int, int] = HEADER.unpack(head)
        _, _, _, self._probes, self._bits, self.entries = header

    @classmethod
    def open(cls, path: Path, *, name: str = NAME, version: int = 0) -> Self:
        """Open the filter in a file.

        Args:
            path: The filter as CIRCL publishes it.
            name: What verdicts call it.
            version: The filter has none of its own.

        Raises:
            SourceError: There is no such file, or it cannot be read.
            ListFormatError: It is no such filter, is cut, or is too full to say anything.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as refused:
            raise SourceError(
                f"The filter {path} cannot be opened: {refused.strerror}; check its path."
            ) from refused
        try:
            head = os.pread(descriptor, HEADER.size, 0)
            if not matches(head):
                raise ListFormatError(f"{path} is no Bloom filter as hashlookup publishes it.")
            bloom = cls(descriptor, head, ListRef(name=name, version=version))
            bloom._check(path)
        except BaseException as failed:
            os.close(descriptor)
            if isinstance(failed, OSError):
                raise SourceError(f"The filter {path} cannot be read; name a file.") from failed
            raise
        return bloom

    @property
    def header(self) -> ListHeader:
        """What a list would say of itself; the filter's own file says when it was made."""
        return ListHeader(
            name=self.ref.name,
            version=self.ref.version,
            category=Category.KNOWN_GOOD,
            uses=OWN_USES,
            created_at=datetime.fromtimestamp(os.fstat(self._descriptor).st_mtime, UTC),
            count=self.entries,
        )

    @property
    def reading(self) -> Reading:
        """What came of reading it: no entry of a filter can be bad."""
        return Reading(entries=self.entries, bad=0)

    def counts(self) -> dict[MatchKind, int]:
        """Return how many identifiers of each kind it has."""
        return {kind: self.entries * (kind is MatchKind.SHA1) for kind in MatchKind}

    def contains(self, sha1: bytes) -> bool:
        """Return whether the filter has a file; True by mistake at ``false_positive_rate``."""
        return all(self._is_set(place) for place in self._places(sha1))

    def exact(self, digests: Digests) -> list[Match]:
        """Return a match where the SHA-1 is in the filter."""
        if not self.contains(digests.sha1):
            return []
        return [Match(source=self.ref, kind=MatchKind.SHA1, is_known_good=True)]

    def near(
        self,
        hashes: Sequence[PdqHash],  # noqa: ARG002 - as every list
        *,
        radius_bits: int = 0,  # noqa: ARG002 - as above
    ) -> list[Match]:
        """Return nothing: what looks like a harmless file may be anything."""
        return []

    def near_video(self, queries: NDArray[np.uint8]) -> list[Match]:  # noqa: ARG002 - as above
        """Return nothing, as ``near``."""
        return []

    @property
    def false_positive_rate(self) -> float:
        """The share of unknown files that it calls known, as full as it is in samples of it.

        An estimate: where ``bits`` is a multiple of a large power of two, which DCSO's own
        writer does not choose, its probes depend on each other and it is mistaken more often.
        """
        last = self._bytes - SAMPLE_BYTES
        starts = sorted({max(0, last * i // (SAMPLES - 1)) for i in range(SAMPLES)})
        read = [
            os.pread(self._descriptor, SAMPLE_BYTES, HEADER.size + start) for start in starts
        ]
        seen = sum(len(one) for one in read) * 8
        ones = sum(int.from_bytes(one).bit_count() for one in read)
        return float((ones / seen) ** self._probes) if seen else 1.0

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> Self:
        """Return the filter itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    @property
    def _bytes(self) -> int:
        return (self._bits + 63) // 64 * 8

    def _check(self, path: Path) -> None:
        if os.fstat(self._descriptor).st_size < HEADER.size + self._bytes:
            raise ListFormatError(f"The filter {path} is cut short; get it again.")
        rate = self.false_positive_rate
        if rate > MOST_FALSE:
            raise ListFormatError(
                f"The filter {path} would call {rate:.0%} of all files known: it is too full,"
                " or damaged; get it again."
            )

    def _is_set(self, place: int) -> bool:
        byte = os.pread(self._descriptor, 1, HEADER.size + place // 8)
        return bool(byte) and bool(byte[0] >> place % 8 & 1)

    def _places(self, sha1: bytes) -> Iterator[int]:
        value = FNV_OFFSET
        for byte in sha1.hex().upper().encode():
            value = value * FNV_PRIME & WORD ^ byte
        value %= MODULUS
        for _ in range(self._probes):
            value = (value * MULTIPLIER & WORD) % MODULUS
            yield value % self._bits
