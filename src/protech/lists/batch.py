"""Entries by column: what travels from a locked reader into an index."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from protech.lists.entries import DIGESTS, WIDTHS, Entry

COLUMNS = (*DIGESTS, "pdq", "vpdq")
"""What an index holds; PhotoDNA is carried in lists only."""

BATCH_ENTRIES = 4096

BATCH_BYTES = 1 << 20
"""A batch ends with the entry that brings it to so many bytes: about what 8,000 have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some entries of a list, in its order.

    ``rows`` says of each identifier which entry it belongs to, (n,) uint32 below ``count`` and
    ascending; ``raw`` the identifiers themselves, (n, WIDTHS[kind]) uint8; both by each kind of
    ``COLUMNS``. ``labels`` has one for each entry, or nothing where none has one.
    """

    count: int
    rows: Mapping[str, NDArray[np.uint32]] = field(repr=False)
    raw: Mapping[str, NDArray[np.uint8]] = field(repr=False)
    labels: tuple[str | None, ...] = field(default=(), repr=False)


class BatchMaker:
    """Gathers entries until they make a batch."""

    def __init__(self) -> None:
        """Begin with none."""
        self._clear()

    def _clear(self) -> None:
        self.count = 0
        self.size_bytes = 0
        self._rows: dict[str, list[int]] = {kind: [] for kind in COLUMNS}
        self._raw: dict[str, list[bytes]] = {kind: [] for kind in COLUMNS}
        self._labels: list[str | None] = []

    def append(self, entry: Entry) -> None:
        """Take one more entry."""
        for kind in DIGESTS:
            digest = getattr(entry, kind)
            if digest is not None:
                self._add(kind, (digest,))
        self._add("pdq", entry.pdq)
        self._add("vpdq", tuple(dict.fromkeys(entry.vpdq)))
        if entry.label is not None:
            self._labels += [None] * (self.count - len(self._labels))
            self._labels.append(entry.label)
            self.size_bytes += 4 * len(entry.label)  # UTF-8 takes no more
        self.count += 1

    def _add(self, kind: str, identifiers: tuple[bytes, ...]) -> None:
        self._rows[kind] += [self.count] * len(identifiers)
        self._raw[kind] += identifiers
        self.size_bytes += WIDTHS[kind] * len(identifiers)

    def take(self) -> Batch:
        """Return what was gathered, and begin again."""
        if self._labels:
            self._labels += [None] * (self.count - len(self._labels))
        batch = Batch(
            count=self.count,
            rows={kind: np.array(rows, np.uint32) for kind, rows in self._rows.items()},
            raw={
                kind: np.frombuffer(b"".join(raw), np.uint8).reshape(-1, WIDTHS[kind])
                for kind, raw in self._raw.items()
            },
            labels=tuple(self._labels),
        )
        self._clear()
        return batch


def batches[T](
    entries: Iterable[Entry | T], *, size: int = BATCH_ENTRIES
) -> Iterator[Batch | T]:
    """Yield entries by column, at most ``size`` of them at a time and about a mebibyte.

    What is no entry is passed on at once, before the batch of those that stood before it.
    """
    maker = BatchMaker()
    for entry in entries:
        if not isinstance(entry, Entry):
            yield entry
            continue
        maker.append(entry)
        if maker.count >= size or maker.size_bytes >= BATCH_BYTES:
            yield maker.take()
    if maker.count:
        yield maker.take()


def entries_of(batch: Batch) -> Iterator[Entry]:
    """Yield the entries of a batch; PhotoDNA and what else a list carries is not in one."""
    held: list[dict[str, list[bytes]]] = [{} for _ in range(batch.count)]
    for kind in COLUMNS:
        for row, raw in zip(batch.rows[kind].tolist(), batch.raw[kind], strict=True):
            held[row].setdefault(kind, []).append(raw.tobytes())
    for fields, label in zip(held, batch.labels or [None] * batch.count, strict=True):
        md5, sha1, sha256 = (fields.get(kind, [None])[0] for kind in DIGESTS)
        yield Entry(
            label=label,
            md5=md5,
            sha1=sha1,
            sha256=sha256,
            pdq=tuple(fields.get("pdq", ())),
            vpdq=tuple(fields.get("vpdq", ())),
        )
