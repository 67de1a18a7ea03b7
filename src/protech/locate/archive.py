"""The sightings of a case as sealed Parquet files, each for a range of its log.

A file is named for the records it covers and bound to that name; together they cover the log
without a gap, or the archive is refused. What is on the disk is ciphertext (``locate.vault``).
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from protech.errors import ConfigError, SourceError
from protech.evidence.log import Log
from protech.locate.leases import to_ms
from protech.locate.parquet import Cell, Table, write_parquet
from protech.locate.vault import Vault

COLUMNS: Mapping[str, str] = {
    "at_ms": "BIGINT",  # since 1970: when the conversation began
    "lasted_ms": "INTEGER",
    "entry": "VARCHAR",
    "network": "VARCHAR",
    "level": "TINYINT",
    "outcome": "VARCHAR",
    "transport": "VARCHAR",
    "address": "VARCHAR",  # null below level 3
    "port": "INTEGER",
    "pseudonym": "VARCHAR",
    "verdict": "VARCHAR",
    "country": "VARCHAR",
    "asn": "BIGINT",
    "operator": "VARCHAR",
    "flags": "VARCHAR",  # with commas between
    "listed_held": "INTEGER",
    "listed_total": "INTEGER",
}
ORDER = ("entry", "address", "port", "pseudonym", "at_ms")

FILE = re.compile(r"(\d{12})-(\d{12})\.parquet\.sealed")

ARCHIVE_BYTES = 2 << 30
"""What is opened together, in memory: about a hundred million sightings."""


RECORDS_LEAST = 10_000
RECORDS_MOST = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file: it covers the log's records from ``start`` up to before ``end``."""

    start: int
    end: int
    path: Path


class Archive:
    """The sealed files of one case."""

    def __init__(self, directory: Path, *, vault: Vault) -> None:
        """Take the directory, which is made, readable by this user alone.

        Raises:
            ConfigError: It cannot be made.
        """
        self._directory = directory
        self._vault = vault
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as refused:
            raise _unusable(directory, refused) from refused

    @property
    def covered(self) -> int:
        """How many of the log's records the archive covers: the next file begins there."""
        return max((part.end for part in self._parts()), default=0)

    def add(self, start: int, end: int, records: Iterable[Mapping[str, object]]) -> int:
        """Seal the sightings among the log's records from ``start`` up to before ``end``.

        Returns the bytes on disk. What stands there whole is only ever a whole file.

        Raises:
            ConfigError: The disk is full, or the file cannot be written.
            ValueError: The archive goes on at another record.
        """
        if start != self.covered or end <= start:
            raise ValueError("the archive goes on at another record")
        rows = (row_of(one) for one in records if one.get("kind") == "sighting")
        content = write_parquet(rows, columns=COLUMNS, order=ORDER)
        path = self._directory / f"{start:012d}-{end:012d}.parquet.sealed"
        sealed = self._vault.seal_bytes(content, path.name.encode())
        try:
            _write(path, sealed)
        except OSError as refused:
            raise _unusable(self._directory, refused) from refused
        return len(sealed)

    def follow(self, log: Log, *, least: int = RECORDS_LEAST) -> int:
        """Seal what the log holds beyond the archive, in files of at most ``RECORDS_MOST``.

        Returns how many of its records were covered anew: none while there are fewer than
        ``least``, for many small files are slow to open.

        Raises:
            ConfigError: The disk is full, or a file cannot be written.
            TrustError: The log does not hold together.
        """
        first, size = self.covered, log.size
        if size - first < least:
            return 0
        records = log.read(first)
        for start in range(first, size, RECORDS_MOST):
            end = min(start + RECORDS_MOST, size)
            some = islice(records, end - start)
            self.add(start, end, (json.loads(one.content) for one in some))
        return size - first

    def table(self) -> Table:
        """Return all sightings as one table, in memory.

        Raises:
            TrustError: A file was changed, renamed, or is of another case.
            ConfigError: There is none yet, one is missing, or they are too many to open.
        """
        parts = self._parts()
        if not parts:
            raise ConfigError(
                "The archive of sightings is empty: the log holds none yet. Begin with"
                " `protech locate run`."
            )
        if [part.end for part in parts[:-1]] != [one.start for one in parts[1:]]:
            raise ConfigError(
                f"The archive of sightings in {self._directory} has a gap; move it away, and it"
                " is made anew from the log."
            )
        if sum(part.path.stat().st_size for part in parts) > ARCHIVE_BYTES:
            raise ConfigError(
                f"The archive is larger than the {ARCHIVE_BYTES >> 30} GiB that are opened"
                " together; analyse a copy that begins later."
            )
        return Table(self._contents(parts))

    def _contents(self, parts: Iterable[Part]) -> Iterator[bytes]:
        for part in parts:
            try:
                sealed = part.path.read_bytes()
            except OSError as refused:
                raise SourceError(
                    f"A file of the archive cannot be read ({refused.strerror}); make the"
                    " archive anew from the log."
                ) from refused
            yield self._vault.open_bytes(sealed, part.path.name.encode())

    def _parts(self) -> list[Part]:
        found = ((FILE.fullmatch(path.name), path) for path in self._directory.iterdir())
        return sorted(
            (
                Part(start=int(name[1]), end=int(name[2]), path=path)
                for name, path in found
                if name
            ),
            key=lambda part: part.start,
        )


def row_of(record: Mapping[str, object]) -> dict[str, Cell]:
    """Return the row of a sighting's record (``locate.records``)."""
    peer, place, claims = (_fields(record, key) for key in ("peer", "place", "claims"))
    operator, flags = _fields(place, "operator"), place.get("flags")
    began, over = _moment(record["started_at"]), _moment(record["ended_at"])
    plain = {key: record.get(key) for key in ("entry", "network", "outcome", "transport")}
    cells: dict[str, object] = {
        **plain,
        "at_ms": to_ms(began),
        "lasted_ms": (over - began) // timedelta(milliseconds=1),
        "level": record.get("level"),
        "address": peer.get("address"),
        "port": peer.get("port"),
        "pseudonym": peer.get("pseudonym"),
        "verdict": place.get("verdict"),
        "country": place.get("country"),
        "asn": operator.get("asn"),
        "operator": operator.get("name"),
        "flags": ",".join(str(one) for one in flags) if isinstance(flags, list) else "",
        "listed_held": claims.get("listed_held"),
        "listed_total": claims.get("listed_total"),
    }
    return {
        key: value if isinstance(value, Cell) else None
        for key, value in ((name, cells[name]) for name in COLUMNS)
    }


def _fields(record: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = record.get(key)
    return value if isinstance(value, Mapping) else {}


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text))


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and durably."""
    fresh = path.with_suffix(".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    with os.fdopen(os.open(fresh, flags, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _unusable(directory: Path, cause: OSError) -> ConfigError:
    return ConfigError(
        f"The archive of sightings in {directory} cannot be written ({cause.strerror}); check"
        " that the disk is not full and that the directory is yours."
    )
