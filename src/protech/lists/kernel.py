"""The index's inner loops: the compiled ones where they were built, else NumPy's.

The only door to ``protech.lists._mih`` (native/mih.c). Every path gives the same answers;
``name`` says which one runs.
"""

from collections.abc import Buffer, Callable
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from protech.errors import ListFormatError
from protech.lists import kernel_numpy
from protech.lists.bands import radii_for

try:
    _mih: ModuleType | None = import_module("protech.lists._mih")
except ModuleNotFoundError:  # installed where there was no compiler
    _mih = None

_fastest: Any = _mih or kernel_numpy

HASH_BYTES = 32

NUMPY = "NumPy"

NO_PLACE = 2**32 - 1
"""Stands for the place of the nearest hash where none is near enough."""

BLOCK_BYTES = 16 * 1024
"""What one seal is of. Its keys fit a core's first cache."""


class _Searcher(Protocol):
    def nearest(self, queries: Buffer, radius: int, radii: Buffer, path: int, /) -> bytes: ...

    def within(self, queries: Buffer, radius: int, radii: Buffer, path: int, /) -> bytes: ...


def paths() -> tuple[str, ...]:
    """Return the ways to search that this machine has, the slowest first."""
    return NUMPY, *_numbers()


def _numbers() -> dict[str, int]:
    """Return the compiled ways, the slowest first, with what the kernel calls them."""
    numbers: dict[str, int] = _mih.paths() if _mih else {}
    return numbers


def name() -> str:
    """Return which way is taken, for a person: "C, popcnt" or "NumPy"."""
    fastest = paths()[-1]
    return fastest if fastest == NUMPY else f"C, {fastest}"


class Column:
    """A column of hashes that is searched by distance; safe between threads."""

    def __init__(
        self,
        hashes: NDArray[np.uint8],
        tables: NDArray[np.uint8],
        postings: NDArray[np.uint32],
        *,
        widths: bytes,
        path: str | None = None,
    ) -> None:
        """Take a column and what ``band`` made of it.

        Args:
            hashes: shape (n, 32), C-contiguous.
            tables: every band's, end to end, one byte for each of its values.
            postings: every band's, end to end, n each.
            widths: bits of each band; none where the column has no bands.
            path: One of ``paths``; None takes the fastest.

        Raises:
            ListFormatError: They do not fit together.
        """
        path = path or paths()[-1]
        module: Any = kernel_numpy if path == NUMPY else _mih
        try:
            self._searcher: _Searcher = module.Searcher(hashes, tables, postings, widths)
        except ValueError as unfit:
            raise _torn() from unfit
        self._path = _numbers().get(path, 0)
        self._count, self._widths = len(hashes), widths

    def nearest(self, queries: NDArray[np.uint8], *, radius_bits: int) -> NDArray[np.uint32]:
        """Return the nearest hash of each query that has one within the radius.

        Args:
            queries: shape (k, 32).
            radius_bits: 0 to 256.

        Returns:
            shape (h, 3): query, place, distance; by query. Of equally near ones the first.

        Raises:
            ListFormatError: The tables do not hold together.
        """
        found = self._search(self._searcher.nearest, queries, radius_bits)
        near: NDArray[np.uint32] = found[found[:, 1] != NO_PLACE]
        return near

    def within(self, queries: NDArray[np.uint8], *, radius_bits: int) -> NDArray[np.uint32]:
        """Return every hash within the radius of each query, as ``nearest`` does.

        By query, then by place.
        """
        found = self._search(self._searcher.within, queries, radius_bits)
        return found[np.lexsort((found[:, 1], found[:, 0]))]

    def _search(
        self,
        search: Callable[[Buffer, int, Buffer, int], bytes],
        queries: NDArray[np.uint8],
        radius_bits: int,
    ) -> NDArray[np.uint32]:
        radii = radii_for(self._count, self._widths, radius_bits)
        try:
            found = search(np.ascontiguousarray(queries), radius_bits, radii, self._path)
        except RuntimeError as torn:
            raise _torn() from torn
        return np.frombuffer(found, np.uint32).reshape(-1, 3)


def _torn() -> ListFormatError:
    return ListFormatError(
        "The index of a known list does not hold together. Delete its directory; it is made"
        " again from the list."
    )


def band(
    hashes: NDArray[np.uint8], *, start: int, width: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    """Return table and postings of the band of ``width`` bits from ``start`` on.

    Args:
        hashes: shape (n, 32), C-contiguous.
        start: The band's first bit.
        width: 8 to 28 bits.

    Cost: memory of 8 n bytes beyond what is returned; 4 n + 2^width bytes are.
    """
    table = np.empty(1 << width, np.uint8)
    postings = np.empty(len(hashes), np.uint32)
    _fastest.build_band(hashes, start, width, table, postings)
    return table, postings


def seals(data: Buffer, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the seal of each block of ``data``; ``lists.seals`` says what that is."""
    out = _room(memoryview(data).nbytes, keys)
    _fastest.seals(data, keys, out)
    return out


def file_seals(
    descriptor: int, keys: NDArray[np.uint64], *, at: int, size: int
) -> NDArray[np.uint64]:
    """Return the seal of each block of ``size`` bytes of a file, ``at`` bytes from its start.

    Raises:
        OSError: The file is shorter, or cannot be read.
    """
    out = _room(size, keys)
    _fastest.file_seals(descriptor, at, size, keys, out)
    return out


def _room(size: int, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return np.empty(-(-size // (4 * len(keys))), np.uint64)
