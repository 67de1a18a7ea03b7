"""MMDB files: what they say, and what damaged and hostile ones may do."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmdb_writer import IPSet, MMDBWriter  # type: ignore[attr-defined] # its own argument

from protech.errors import ConfigError, SourceError, TrustError
from protech.locate.mmdb import Origin, parse_mmdb, read_mmdb

RECORDS: Mapping[str, Any] = {
    "192.0.2.0/24": {"country": {"iso_code": "FR"}},
    "198.51.100.0/24": {"country_code": "de", "asn": "AS3320", "as_name": "Deutsche\u202e T"},
    "203.0.113.0/24": {
        "autonomous_system_number": 3215,
        "autonomous_system_organization": "O" * 100,
    },
    "2001:db8::/32": {"country": "Be"},
    "2001:db9::/32": {"country": "Belgium", "asn": -3, "as_name": 7},
    "2001:dba::/32": ["FR"],
}


def made(tmp_path: Path, records: Mapping[str, Any], *, ip_version: int = 6) -> bytes:
    writer = MMDBWriter(ip_version=ip_version, ipv4_compatible=ip_version == 6)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(tmp_path / "made.mmdb"))
    return (tmp_path / "made.mmdb").read_bytes()


def test_what_the_databases_in_use_say_is_read(tmp_path: Path) -> None:
    content = made(tmp_path, RECORDS)
    database = read_mmdb(tmp_path / "made.mmdb", name="a", sha256=sha256(content).digest())
    assert database.sha256 == sha256(content).digest()
    assert abs((datetime.now(UTC).date() - database.day).days) <= 1
    said = {text: database.origin(ip_address(text)) for text in ASKED}
    assert said == ASKED


ASKED = {
    "192.0.2.9": Origin(country="FR"),
    "198.51.100.1": Origin(country="DE", asn=3320, operator="Deutsche T"),
    "203.0.113.1": Origin(asn=3215, operator="O" * 64),
    "2001:db8::1": Origin(country="BE"),
    "2001:db9::1": Origin(),
    "2001:dba::1": Origin(),
    "10.0.0.1": Origin(),
}


def test_a_database_of_ipv4_says_nothing_of_ipv6(tmp_path: Path) -> None:
    records = {"192.0.2.0/24": {"country_code": "FR"}}
    database = parse_mmdb(made(tmp_path, records, ip_version=4), name="a")
    assert database.origin(ip_address("2001:db8::1")) == Origin()
    assert database.origin(ip_address("192.0.2.1")).country == "FR"


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read_mmdb(tmp_path / "none", name="a")


@pytest.mark.parametrize("content", [b"", b"no database", b"\xab\xcd\xefMaxMind.com\xff" * 3])
def test_what_is_no_database_is_refused(content: bytes) -> None:
    with pytest.raises(ConfigError, match="no MMDB file"):
        parse_mmdb(content, name="a")


def test_a_file_larger_than_any_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = made(tmp_path, RECORDS)
    monkeypatch.setattr("protech.locate.mmdb.MMDB_BYTES", len(content))
    parse_mmdb(content, name="a")
    monkeypatch.setattr("protech.locate.mmdb.MMDB_BYTES", len(content) - 1)
    with pytest.raises(ConfigError, match="no MMDB file"):
        parse_mmdb(content, name="a")


def test_with_its_digest_every_flipped_bit_is_told(tmp_path: Path) -> None:
    content = made(tmp_path, RECORDS)
    digest = sha256(content).digest()
    for place in range(0, len(content), 37):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        with pytest.raises(TrustError, match="not the one"):
            parse_mmdb(bytes(changed), name="a", sha256=digest)


def test_a_damaged_file_is_an_error_or_says_something_else_and_nothing_worse(
    tmp_path: Path,
) -> None:
    content = made(tmp_path, RECORDS)
    chance = random.Random(11)
    refused = 0
    tail = content.index(b"\xab\xcd\xefMaxMind.com") - 400
    for turn in range(2500):
        changed = bytearray(content)
        place = chance.randrange(tail, len(content)) if turn % 2 else turn % len(content)
        changed[place] ^= 1 << chance.randrange(8)
        try:
            database = parse_mmdb(bytes(changed), name="a")
            for text in ASKED:
                database.origin(ip_address(text))
        except (ConfigError, TrustError):
            refused += 1
    assert refused > 100


def test_a_file_that_was_cut_is_an_error_or_says_something_else(tmp_path: Path) -> None:
    content = made(tmp_path, RECORDS)
    for size in range(0, len(content), 23):
        with pytest.raises(ConfigError, match="no MMDB file"):
            parse_mmdb(content[:size], name="a")


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_whatever_a_file_holds_it_is_a_database_or_an_error(data: bytes, meta: bytes) -> None:
    for content in (data, data + b"\xab\xcd\xefMaxMind.com" + meta):
        with pytest.raises(ConfigError, match="no MMDB file"):
            parse_mmdb(content, name="a")


def test_pointers_that_go_in_a_circle_are_an_error(tmp_path: Path) -> None:
    address = ip_address("192.0.2.1")
    content = made(tmp_path, {"192.0.2.0/24": {"country": {"iso_code": "FR"}}})
    reader = parse_mmdb(content, name="a")._reader
    pointer, _ = reader._find_address_in_tree(bytearray(address.packed))
    offset = pointer - reader.metadata().node_count - 16  # in the data section
    start = offset + reader.metadata().search_tree_size + 16
    itself = bytes([0x01, 0x04, 0x20 | offset >> 8, offset & 0xFF])  # an array of a pointer
    database = parse_mmdb(content[:start] + itself + content[start + 4 :], name="a")
    with pytest.raises(TrustError, match="does not hold together"):
        database.origin(address)
