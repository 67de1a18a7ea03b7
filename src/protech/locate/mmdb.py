"""MMDB files that the operator brings: countries and network operators of addresses.

The only door to maxminddb, and to its reader in Python alone: such a file comes from a
stranger, and the reader in C would be one parser of foreign bytes more outside the sandbox. It
is read into memory once, so that what is asked is what was hashed. Whoever names the digest
that the file must have is told of every changed bit; without it, of what no longer holds
together.

Source: the MaxMind DB file format, version 2.0.
"""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType

import maxminddb
from maxminddb.const import MODE_FD

# By its own name: `maxminddb.open_database` takes the reader in C where it can.
from maxminddb.reader import Reader

from protech.errors import ConfigError, SourceError, TrustError
from protech.locate.adapter import Address

MMDB_BYTES = 1 << 30
"""The largest files of cities have 130 MB."""

COUNTRY_FIELDS = ("country_code", "country", "registered_country")
NUMBER_FIELDS = ("autonomous_system_number", "asn", "as_number")
NAME_FIELDS = ("autonomous_system_organization", "as_name", "as_organization", "as_org")
"""What the databases in use call it: GeoLite2, DB-IP, ip-location-db, IPinfo."""

OPERATOR_NAME_LETTERS = 64
ASN_LIMIT = 1 << 32  # RFC 6793

NOTHING: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What one database says of an address; None where it says nothing."""

    country: str | None = None
    asn: int | None = None
    operator: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MmdbFile:
    """One MMDB file: its name, the day it was built, its digest, and what it answers."""

    name: str
    day: date
    sha256: bytes = field(repr=False)
    _reader: Reader = field(repr=False)

    def origin(self, address: Address) -> Origin:
        """Return what the file says of an address.

        Raises:
            TrustError: The file does not hold together.

        Cost: about 25 microseconds.
        """
        if address.version == 6 and self._reader.metadata().ip_version == 4:
            return Origin()
        try:
            record = self._reader.get(address)
        except _BROKEN as broken:
            raise _damaged(self.name) from broken
        fields = record if isinstance(record, dict) else NOTHING
        return Origin(
            country=_country(fields),
            asn=_number(fields),
            operator=_operator(fields),
        )


_BROKEN = (maxminddb.InvalidDatabaseError, ValueError, TypeError, KeyError, OverflowError)
"""Text that is no UTF-8, keys that are maps: what the reader leaves to Python."""


def read_mmdb(path: Path, *, name: str, sha256: bytes | None = None) -> MmdbFile:
    """Return the database in a file.

    Args:
        path: The file.
        name: What records call it.
        sha256: The digest that it must have, where the operator knows it.

    Raises:
        SourceError: It cannot be read.
        ConfigError: It is no MMDB file.
        TrustError: It is not the file of that digest.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MMDB_BYTES + 1)
    except OSError as refused:
        raise SourceError(
            f"The database {path} cannot be read ({refused.strerror}); name one that can."
        ) from refused
    return parse_mmdb(content, name=name, sha256=sha256)


def parse_mmdb(content: bytes, *, name: str, sha256: bytes | None = None) -> MmdbFile:
    """Return the database in ``content``; as ``read_mmdb``."""
    found = hashlib.sha256(content).digest()
    if sha256 is not None and found != sha256:
        raise TrustError(
            f"The database '{name}' is not the one whose digest the settings name; get it"
            " again, or check with whoever supplied it."
        )
    if len(content) > MMDB_BYTES:
        raise _no_mmdb(name)
    try:
        reader = Reader(io.BytesIO(content), MODE_FD)
        day = datetime.fromtimestamp(reader.metadata().build_epoch, UTC).date()
        is_usable = reader.metadata().ip_version in {4, 6}
    except (*_BROKEN, OSError, RecursionError) as broken:
        raise _no_mmdb(name) from broken
    if not is_usable or reader.metadata().binary_format_major_version != 2:
        raise _no_mmdb(name)
    return MmdbFile(name=name, day=day, sha256=found, _reader=reader)


def _country(fields: Mapping[str, object]) -> str | None:
    """Return the two letters of ISO 3166; whatever else stands there is nothing."""
    for key in COUNTRY_FIELDS:
        value = fields.get(key)
        if isinstance(value, dict):
            value = value.get("iso_code")
        if isinstance(value, str) and len(value) == 2 and value.isascii() and value.isalpha():
            return value.upper()
    return None


def _number(fields: Mapping[str, object]) -> int | None:
    for key in NUMBER_FIELDS:
        value = fields.get(key)
        if isinstance(value, str) and value.upper().removeprefix("AS").isdecimal():
            value = int(value.upper().removeprefix("AS")[:11])
        if isinstance(value, int) and 0 < value < ASN_LIMIT:
            return value
    return None


def _operator(fields: Mapping[str, object]) -> str | None:
    """Return the name of the network's operator, made fit for a page and a report."""
    for key in NAME_FIELDS:
        value = fields.get(key)
        if isinstance(value, str):
            shown = "".join(one for one in value if one.isprintable()).strip()
            return shown[:OPERATOR_NAME_LETTERS] or None
    return None


def _no_mmdb(name: str) -> ConfigError:
    return ConfigError(
        f"The database '{name}' is no MMDB file that can be read; get it again from its maker."
    )


def _damaged(name: str) -> TrustError:
    return TrustError(
        f"The database '{name}' does not hold together: it was damaged or forged. Get it again"
        " from its maker, and name its digest in the settings."
    )
