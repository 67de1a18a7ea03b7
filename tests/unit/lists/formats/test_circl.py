"""The Bloom filter of known files: what is in it is found, and a damaged one is refused."""

import hashlib
import os
import struct
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protech.errors import ListFormatError, SourceError
from protech.lists.formats import circl
from protech.lists.formats.circl import HEADER, MOST_PROBES, Bloom
from protech.salus.examine import Known
from protech.types import Digests, ListRef, Match, MatchKind, PdqHash

SHA1 = st.binary(min_size=20, max_size=20)


def write(
    path: Path, known: Sequence[bytes], *, bits: int = 4099, probes: int = 5, fill: int = 0
) -> Path:
    """Write a filter; the places are those that the reader asks for (see the conformance)."""
    array = bytearray([fill]) * ((bits + 63) // 64 * 8)
    path.write_bytes(HEADER.pack(1, 100, 0.01, probes, bits, len(known)) + array)
    descriptor = os.open(path, os.O_RDWR)
    bloom = Bloom(descriptor, path.read_bytes()[: HEADER.size], ListRef(name="x", version=0))
    for sha1 in known:
        for place in bloom._places(sha1):
            array[place // 8] |= 1 << place % 8
    os.pwrite(descriptor, array, HEADER.size)
    bloom.close()
    return path


def digests(sha1: bytes) -> Digests:
    return Digests(md5=bytes(16), sha1=sha1, sha256=bytes(32))


KNOWN = [hashlib.sha1(bytes([i])).digest() for i in range(50)]


def test_a_file_of_the_filter_is_known_good_by_its_sha_1(tmp_path: Path) -> None:
    with Bloom.open(write(tmp_path / "f", KNOWN), version=3) as bloom:
        assert bloom.entries == 50
        source = ListRef(name="circl-hashlookup", version=3)
        assert bloom.ref == source
        match = Match(source=source, kind=MatchKind.SHA1, is_known_good=True)
        assert bloom.exact(digests(KNOWN[0])) == [match]
        assert bloom.exact(digests(bytes(20))) == []


def test_it_is_a_known_list_to_the_engine(tmp_path: Path) -> None:
    bloom = Bloom.open(write(tmp_path / "f", KNOWN))
    known: Known = bloom
    assert known.exact(digests(KNOWN[1]))[0].is_known_good
    bloom.close()


def test_its_header_says_that_it_is_harmless_and_how_many_files_it_has(tmp_path: Path) -> None:
    os.utime(write(tmp_path / "f", KNOWN), (0, 86_400))
    with Bloom.open(tmp_path / "f", name="x", version=7) as bloom:
        header = bloom.header
    assert header.is_known_good
    assert (header.name, header.version, header.count) == ("x", 7, 50)
    assert header.created_at.isoformat() == "1970-01-02T00:00:00+00:00"


def test_nothing_resembles_a_file_of_the_filter(tmp_path: Path) -> None:
    with Bloom.open(write(tmp_path / "f", KNOWN)) as bloom:
        assert bloom.near([PdqHash(bits=bytes(32), quality=100)]) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(known=st.lists(SHA1, max_size=30), other=SHA1)
def test_what_is_in_a_filter_is_always_found(
    known: list[bytes], other: bytes, tmp_path: Path
) -> None:
    with Bloom.open(write(tmp_path / "f", known, bits=4099)) as bloom:
        assert all(bloom.contains(one) for one in known)
        assert known or not bloom.contains(other)


def test_it_says_how_often_it_is_mistaken(tmp_path: Path) -> None:
    with Bloom.open(write(tmp_path / "f", KNOWN)) as bloom:
        random = [hashlib.sha1(b"%d" % i).digest() for i in range(20_000)]
        share = sum(map(bloom.contains, random)) / len(random)
        assert abs(share - bloom.false_positive_rate) < 1e-3


def test_a_filter_that_knows_everything_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ListFormatError, match="would call 100% of all files known"):
        Bloom.open(write(tmp_path / "f", [], fill=0xFF))


def test_a_filter_that_is_cut_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "f", KNOWN)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(ListFormatError, match="cut short"):
        Bloom.open(path)
    path.write_bytes(whole + b"what its maker adds")
    Bloom.open(path).close()


def test_a_filter_that_is_cut_while_in_use_knows_less_and_harms_nobody(tmp_path: Path) -> None:
    path = write(tmp_path / "f", KNOWN)
    with Bloom.open(path) as bloom:
        os.truncate(path, 0)
        assert not any(map(bloom.contains, KNOWN))
        assert bloom.false_positive_rate == 1.0


GOOD = (1, 100, 0.01, 5, 4096, 50)
WRONG = {
    "version": (2, *GOOD[1:]),
    "no capacity": (1, 0, *GOOD[2:]),
    "rate": (1, 100, float("nan"), *GOOD[3:]),
    "no probe": (*GOOD[:3], 0, *GOOD[4:]),
    "too many probes": (*GOOD[:3], MOST_PROBES + 1, *GOOD[4:]),
    "no bits": (*GOOD[:4], 0, 0),
    "more than it holds": (*GOOD[:5], 101),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_header_that_cannot_be_is_refused(wrong: str, tmp_path: Path) -> None:
    assert circl.matches(HEADER.pack(*GOOD))
    (tmp_path / "f").write_bytes(HEADER.pack(*WRONG[wrong]) + bytes(512))
    with pytest.raises(ListFormatError, match="no Bloom filter"):
        Bloom.open(tmp_path / "f")


def test_as_many_probes_as_may_be_are_made(tmp_path: Path) -> None:
    with Bloom.open(write(tmp_path / "f", KNOWN[:5], probes=MOST_PROBES)) as bloom:
        assert bloom.contains(KNOWN[0])


def test_a_filter_that_is_larger_than_its_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(HEADER.pack(*GOOD[:4], 1 << 63, 50) + bytes(512))
    with pytest.raises(ListFormatError, match="cut short"):
        Bloom.open(tmp_path / "f")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_filter_or_refused(content: bytes, tmp_path: Path) -> None:
    for head in (b"", struct.pack("<QQdQQ", 1, 8, 0.1, 3, 64)):
        (tmp_path / "f").write_bytes(head + content)
        with suppress(ListFormatError):
            Bloom.open(tmp_path / "f").close()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be opened"):
        Bloom.open(tmp_path / "none")
    with pytest.raises(SourceError, match="cannot be read"):
        Bloom.open(tmp_path)


def test_it_can_be_closed_twice(tmp_path: Path) -> None:
    bloom = Bloom.open(write(tmp_path / "f", KNOWN))
    bloom.close()
    bloom.close()
