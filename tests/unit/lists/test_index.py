"""The index against brute force, and against damage."""

import json
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protech.errors import ListFormatError
from protech.lists import index as index_module
from protech.lists.entries import (
    Entry,
)
from protech.lists.index import MANIFEST, NEW, RADIUS_BITS, Hit, Index, build
from protech.salus.policy import PDQ_RADIUS_BITS
from protech.types import Digests, MatchKind, PdqHash

SAME_DIRECTORY = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)


def few(width: int) -> st.SearchStrategy[bytes]:
    """Give digests of which many are equal or begin alike, as brute force must tell apart."""
    alike = st.tuples(st.sampled_from([0, 1, 255]), st.sampled_from([0, 255])).map(
        lambda pair: bytes([pair[0]]) * 8 + bytes([pair[1]]) * (width - 8)
    )
    return alike | st.binary(min_size=width, max_size=width)


PDQ = st.binary(min_size=32, max_size=32) | st.integers(0, 2**40).map(
    lambda number: number.to_bytes(32)
)
ENTRIES = st.lists(
    st.builds(
        Entry,
        label=st.none() | st.text(max_size=8),
        md5=st.none() | few(16),
        sha1=st.none() | few(20),
        sha256=st.none() | few(32),
        pdq=st.lists(PDQ, max_size=3).map(tuple),
    ),
    max_size=12,
)


def distance_bits(left: bytes, right: bytes) -> int:
    return (int.from_bytes(left) ^ int.from_bytes(right)).bit_count()


def brute_exact(entries: Sequence[Entry], asked: Digests) -> set[tuple[MatchKind, int]]:
    found = set()
    for kind in (MatchKind.MD5, MatchKind.SHA1, MatchKind.SHA256):
        rows = [
            row
            for row, entry in enumerate(entries)
            if getattr(entry, kind) == getattr(asked, kind)
        ]
        found |= {(kind, row) for row in rows[:1]}
    return found


def brute_near(entries: Sequence[Entry], asked: PdqHash, radius: int) -> set[tuple[int, int]]:
    """Return distance and row of every entry that is as near as the nearest."""
    near = {
        (distance, row)
        for row, entry in enumerate(entries)
        for bits in entry.pdq
        if (distance := distance_bits(bits, asked.bits)) <= radius
    }
    return {one for one in near if one[0] == min(near)[0]}


def opened(entries: Sequence[Entry], directory: Path) -> Index:
    build(entries, directory)
    return Index.open(directory)


@SAME_DIRECTORY
@given(entries=ENTRIES, asked=st.builds(Digests, md5=few(16), sha1=few(20), sha256=few(32)))
def test_exact_search_finds_what_brute_force_finds(
    tmp_path: Path, entries: list[Entry], asked: Digests
) -> None:
    hits = opened(entries, tmp_path / "index").exact(asked)
    assert {(hit.kind, hit.row) for hit in hits} == brute_exact(entries, asked)
    assert len(hits) == len({hit.kind for hit in hits})


@SAME_DIRECTORY
@given(entries=ENTRIES, asked=PDQ, radius=st.integers(0, 256))
def test_near_search_finds_what_brute_force_finds(
    tmp_path: Path, entries: list[Entry], asked: bytes, radius: int
) -> None:
    query = PdqHash(bits=asked, quality=70)
    hits = opened(entries, tmp_path / "index").near([query], radius_bits=radius)
    expected = brute_near(entries, query, radius)
    assert len(hits) == bool(expected)
    assert {(hit.distance_bits, hit.row) for hit in hits} <= expected


@SAME_DIRECTORY
@given(
    entries=ENTRIES, asked=st.lists(st.builds(PdqHash, bits=PDQ, quality=st.integers(0, 100)))
)
def test_what_a_policy_could_ask_for_is_among_the_hits(
    tmp_path: Path, entries: list[Entry], asked: list[PdqHash]
) -> None:
    hits = opened(entries, tmp_path / "index").near(asked)
    for query in asked:
        for distance, _ in brute_near(entries, query, RADIUS_BITS):
            assert any(
                hit.distance_bits is not None
                and hit.quality is not None
                and hit.distance_bits <= distance
                and hit.quality >= query.quality
                for hit in hits
            )
    pairs = [(hit.distance_bits, hit.quality) for hit in hits]
    assert pairs == sorted(pairs)


@SAME_DIRECTORY
@given(entries=ENTRIES)
def test_labels_come_back(tmp_path: Path, entries: list[Entry]) -> None:
    index = opened(entries, tmp_path / "index")
    labels = [index.label(row) for row in range(len(entries))]
    assert labels == [
        label if label is None else label.encode(errors="replace").decode()
        for label in (entry.label for entry in entries)
    ]


@pytest.mark.parametrize("distance", [30, 31, 32])
def test_the_radius_is_31_bits(tmp_path: Path, distance: int) -> None:
    known = bytes(32)
    query = ((1 << distance) - 1).to_bytes(32)
    index = opened([Entry(pdq=(known,))], tmp_path / "index")
    hits = index.near([PdqHash(bits=query, quality=100)])
    expected = Hit(kind=MatchKind.PDQ, row=0, distance_bits=distance, quality=100)
    assert hits == ([expected] if distance <= 31 else [])
    assert RADIUS_BITS == PDQ_RADIUS_BITS


def test_a_list_longer_than_one_chunk_is_searched_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "CHUNK_HASHES", 4)
    hashes = [os.urandom(32) for _ in range(11)]
    index = opened([Entry(pdq=(one,)) for one in hashes], tmp_path / "index")
    for row, bits in enumerate(hashes):
        near = bytes([bits[0] ^ 1]) + bits[1:]
        hit = index.near([PdqHash(bits=near, quality=60)])[0]
        assert (hit.row, hit.distance_bits) == (row, 1)


@pytest.mark.parametrize("entries", [[], [Entry(md5=bytes(16), pdq=(bytes(32),))]])
def test_lists_of_no_and_of_one_entry_work(tmp_path: Path, entries: list[Entry]) -> None:
    index = opened(entries, tmp_path / "index")
    asked = Digests(md5=bytes(16), sha1=bytes(20), sha256=bytes(32))
    assert [hit.kind for hit in index.exact(asked)] == [MatchKind.MD5] * len(entries)
    assert len(index.near([PdqHash(bits=bytes(32), quality=100)])) == len(entries)
    assert index.near([]) == []
    assert index.count(MatchKind.MD5) == index.count(MatchKind.PDQ) == len(entries)


def test_what_the_maker_says_is_kept(tmp_path: Path) -> None:
    said: dict[str, object] = {}

    def read() -> Iterator[Entry]:
        yield Entry(md5=bytes(16))
        said["seen"] = 1

    build(read(), tmp_path / "index", about=lambda: said)
    assert Index.open(tmp_path / "index").about == {"seen": 1}


def test_every_flipped_bit_and_every_cut_is_found(tmp_path: Path) -> None:
    place = tmp_path / "index"
    build([Entry(label="a", md5=bytes(16), pdq=(bytes(32),))], place)
    for path in sorted(place.iterdir()):
        content = path.read_bytes()
        spoilt = [content + b"\0", content[:-1]] if content else [b"\0"]
        spoilt += [
            content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :]
            for at in range(len(content))
        ]
        for other in spoilt:
            path.write_bytes(other)
            with pytest.raises(ListFormatError, match="made again from the list"):
                Index.open(place)
        path.write_bytes(content)
    Index.open(place)


def test_a_missing_file_and_another_version_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ListFormatError, match="missing"):
        Index.open(tmp_path / "index")
    with monkeypatch.context() as patch:
        patch.setattr(index_module, "FORMAT_VERSION", 99)
        build([], tmp_path / "index")
    with pytest.raises(ListFormatError, match="another version"):
        Index.open(tmp_path / "index")


def test_only_the_owner_can_read_an_index(tmp_path: Path) -> None:
    place = tmp_path / "index"
    build([Entry(md5=bytes(16))], place)
    assert place.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in place.iterdir()} == {0o600}


def test_an_index_in_use_survives_its_replacement(tmp_path: Path) -> None:
    place = tmp_path / "index"
    build([Entry(md5=bytes(16))], place)
    old = Index.open(place)
    build([], place)
    asked = Digests(md5=bytes(16), sha1=bytes(20), sha256=bytes(32))
    assert len(old.exact(asked)) == 1
    assert Index.open(place).exact(asked) == []
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_builds_at_the_same_time_leave_one_whole_index(tmp_path: Path) -> None:
    place = tmp_path / "index"
    entries = [Entry(md5=os.urandom(16)) for _ in range(100)]
    threads = [threading.Thread(target=build, args=(entries, place)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Index.open(place).count(MatchKind.MD5) == 100
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_a_build_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    build([Entry(md5=bytes(16))], tmp_path / "index")
    with pytest.raises(TypeError):
        build([Entry(md5=bytes(16))], tmp_path / "index", about=lambda: {"no": {1, 2}})
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        build([], tmp_path / "file")
    assert {path.name for path in tmp_path.iterdir()} == {"index", "file"}
    assert Index.open(tmp_path / "index").count(MatchKind.MD5) == 1


def test_a_half_built_index_is_known_by_its_name(tmp_path: Path) -> None:
    seen: list[str] = []

    def entries() -> list[Entry]:
        seen.extend(path.name for path in tmp_path.iterdir())
        return []

    build((entry for entry in entries()), tmp_path / "index")
    assert seen == [] or all(name.startswith(NEW) for name in seen)
    body = (tmp_path / "index" / MANIFEST).read_bytes().partition(b"\n")[2]
    assert set(json.loads(body)) == {"v", "files", "about"}
