"""The index against brute force, and against damage."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from protech.errors import ListFormatError
from protech.lists import bands, kernel, seals
from protech.lists.batch import Batch, batches
from protech.lists.entries import WIDTHS, Entry
from protech.lists.index import NEW, RADIUS_BITS, Hit, Index, build, build_parts
from protech.lists.seals import MANIFEST
from protech.salus.policy import PDQ_RADIUS_BITS
from protech.types import Digests, MatchKind, PdqHash

SAME_DIRECTORY = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)

DIGESTS = (MatchKind.MD5, MatchKind.SHA1, MatchKind.SHA256)

ONE = Entry(label="a", md5=bytes(16), sha256=bytes(32), pdq=(bytes(32),), vpdq=(bytes(32),))


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
        vpdq=st.lists(PDQ, max_size=3).map(tuple),
    ),
    max_size=12,
)


def distance_bits(left: bytes, right: bytes) -> int:
    return (int.from_bytes(left) ^ int.from_bytes(right)).bit_count()


def brute_exact(entries: Sequence[Entry], asked: Digests) -> set[tuple[MatchKind, int]]:
    found = set()
    for kind in DIGESTS:
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
    build(batches(entries), directory)
    return Index.open(directory)


def raw(*hashes: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(len(hashes), -1)


@SAME_DIRECTORY
@given(entries=ENTRIES, asked=st.builds(Digests, md5=few(16), sha1=few(20), sha256=few(32)))
def test_exact_search_finds_what_brute_force_finds(
    tmp_path: Path, entries: list[Entry], asked: Digests
) -> None:
    index = opened(entries, tmp_path / "index")
    hits = index.exact(asked)
    assert {(hit.kind, hit.row) for hit in hits} == brute_exact(entries, asked)
    assert len(hits) == len({hit.kind for hit in hits})
    for kind in DIGESTS:
        query, row = index.exact_many(kind, raw(getattr(asked, kind), bytes(WIDTHS[kind])))
        zeros = Digests(md5=bytes(16), sha1=bytes(20), sha256=bytes(32))
        assert set(zip(query.tolist(), row.tolist(), strict=True)) == {
            (number, row)
            for number, digests in enumerate((asked, zeros))
            for one, row in brute_exact(entries, digests)
            if one == kind
        }


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
@given(entries=ENTRIES, asked=st.lists(PDQ, max_size=3), radius=st.integers(0, 256))
def test_every_hash_within_the_radius_is_found(
    tmp_path: Path, entries: list[Entry], asked: list[bytes], radius: int
) -> None:
    # A batch takes each frame of a video once, as vPDQ does.
    index = opened(entries, tmp_path / "index")
    queries = np.frombuffer(b"".join(asked), np.uint8).reshape(-1, 32)
    for kind, name in ((MatchKind.PDQ, "pdq"), (MatchKind.VPDQ, "vpdq")):
        known = [
            (row, bits)
            for row, entry in enumerate(entries)
            for bits in (entry.pdq if name == "pdq" else dict.fromkeys(entry.vpdq))
        ]
        found = zip(*index.near_all(kind, queries, radius_bits=radius), strict=True)
        assert [tuple(int(each) for each in pair) for pair in found] == [
            (query, row, place, distance_bits(bits, one))
            for query, one in enumerate(asked)
            for place, (row, bits) in enumerate(known)
            if distance_bits(bits, one) <= radius
        ]
    assert [index.frames_of(row) for row in range(len(entries))] == [
        len(set(entry.vpdq)) for entry in entries
    ]


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
    assert index.label(len(entries)) is None
    assert index.entries == len(entries)


@pytest.mark.parametrize("path", kernel.paths())
@pytest.mark.parametrize("count", [9_000, 170_000])
def test_a_column_with_bands_finds_what_comparing_all_finds(
    tmp_path: Path, path: str, count: int
) -> None:
    random = np.random.default_rng(count)
    known = random.integers(0, 256, (count, 32), np.uint8)
    known[: count // 20] = known[0]  # near-duplicates: their groups are crowded
    known[: count // 20, 31] = random.integers(0, 256, count // 20)
    build([batch_of(known)], tmp_path / "index")
    index = Index.open(tmp_path / "index", path=path)
    assert bands.widths_for(count)
    queries = np.concatenate([known[[0, 5, count // 2, -1]], known[[count // 3] * 3]])
    queries[-2:, :4] ^= 0x0F
    queries[-1, 4:8] ^= 0xF0
    away = np.bitwise_count(queries.view("<u8")[:, None] ^ known.view("<u8")[None])
    distances = away.sum(axis=2, dtype=np.uint16)
    for radius in (0, 1, 15, 16, 31, 40):
        found = index.near_all(MatchKind.PDQ, queries, radius_bits=radius)
        near = np.nonzero(distances <= radius)
        np.testing.assert_array_equal(np.stack(found[:3]), [near[0], near[1], near[1]])
        np.testing.assert_array_equal(found[3], distances[near])
        [hit] = index.near([PdqHash(bits=queries[2].tobytes(), quality=60)], radius_bits=radius)
        assert (hit.row, hit.distance_bits) == (count // 2, 0)


def batch_of(hashes: NDArray[np.uint8]) -> Batch:
    """Return entries of one PDQ hash each."""
    kinds = ("md5", "sha1", "sha256", "vpdq")
    no_rows = np.zeros(0, np.uint32)
    return Batch(
        count=len(hashes),
        rows=dict.fromkeys(kinds, no_rows) | {"pdq": np.arange(len(hashes), dtype=np.uint32)},
        raw={kind: np.zeros((0, WIDTHS[kind]), np.uint8) for kind in kinds} | {"pdq": hashes},
    )


@pytest.mark.parametrize("distance", [30, 31, 32])
def test_the_radius_is_31_bits(tmp_path: Path, distance: int) -> None:
    known = bytes(32)
    query = ((1 << distance) - 1).to_bytes(32)
    index = opened([Entry(pdq=(known,))], tmp_path / "index")
    hits = index.near([PdqHash(bits=query, quality=100)])
    expected = Hit(kind=MatchKind.PDQ, row=0, distance_bits=distance, quality=100)
    assert hits == ([expected] if distance <= 31 else [])
    assert RADIUS_BITS == PDQ_RADIUS_BITS


@pytest.mark.parametrize("entries", [[], [Entry(md5=bytes(16), pdq=(bytes(32),))]])
def test_lists_of_no_and_of_one_entry_work(tmp_path: Path, entries: list[Entry]) -> None:
    index = opened(entries, tmp_path / "index")
    asked = Digests(md5=bytes(16), sha1=bytes(20), sha256=bytes(32))
    assert [hit.kind for hit in index.exact(asked)] == [MatchKind.MD5] * len(entries)
    assert len(index.near([PdqHash(bits=bytes(32), quality=100)])) == len(entries)
    assert len(index.near_all(MatchKind.PDQ, raw(bytes(32)))[0]) == len(entries)
    assert index.near([]) == []
    assert index.count(MatchKind.MD5) == index.count(MatchKind.PDQ) == len(entries)


def test_of_equal_entries_the_first_is_named(tmp_path: Path) -> None:
    same = Entry(md5=b"\1" * 16, sha1=b"\2" * 20, pdq=(b"\3" * 32,))
    index = opened([Entry(), same, same, same], tmp_path / "index")
    asked = Digests(md5=b"\1" * 16, sha1=b"\2" * 20, sha256=bytes(32))
    assert {(hit.kind, hit.row) for hit in index.exact(asked)} == {
        (MatchKind.MD5, 1),
        (MatchKind.SHA1, 1),
    }
    [hit] = index.near([PdqHash(bits=b"\3" * 32, quality=60)])
    assert hit.row == 1
    assert index.near_all(MatchKind.PDQ, raw(b"\3" * 32))[1].tolist() == [1, 2, 3]


def test_what_the_maker_says_is_kept(tmp_path: Path) -> None:
    said: dict[str, object] = {}

    def read() -> Iterator[Batch]:
        yield from batches([Entry(md5=bytes(16))])
        said["seen"] = 1

    build(read(), tmp_path / "index", about=lambda: said)
    assert Index.open(tmp_path / "index").about == {"seen": 1}


def test_every_flipped_bit_and_every_cut_is_found(tmp_path: Path) -> None:
    place = tmp_path / "index"
    build(batches([ONE]), place)
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


def test_a_flipped_bit_anywhere_in_a_large_index_is_found(tmp_path: Path) -> None:
    place = tmp_path / "index"
    random = np.random.default_rng(7)
    build([batch_of(random.integers(0, 256, (200_000, 32), np.uint8))], place)
    for path in sorted(place.iterdir()):
        content = bytearray(path.read_bytes())
        places = random.integers(0, len(content), 5).tolist() if content else []
        for at in places and [0, len(content) - 1, *places]:
            bit = 1 << int(random.integers(8))
            content[at] ^= bit
            path.write_bytes(content)
            with pytest.raises(ListFormatError):
                Index.open(place)
            content[at] ^= bit
        path.write_bytes(content)
    Index.open(place)


def test_a_missing_file_and_another_version_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ListFormatError, match="missing"):
        Index.open(tmp_path / "index")
    with monkeypatch.context() as patch:
        patch.setattr(seals, "FORMAT_VERSION", 99)
        build([], tmp_path / "index")
    with pytest.raises(ListFormatError, match="another version"):
        Index.open(tmp_path / "index")
    build([], tmp_path / "index")
    (tmp_path / "index" / "pdq.rows").unlink()
    with pytest.raises(ListFormatError, match="missing"):
        Index.open(tmp_path / "index")


def test_only_the_owner_can_read_an_index(tmp_path: Path) -> None:
    place = tmp_path / "index"
    build(batches([Entry(md5=bytes(16))]), place)
    assert place.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in place.iterdir()} == {0o600}


def test_an_index_in_use_survives_its_replacement(tmp_path: Path) -> None:
    place = tmp_path / "index"
    build(batches([Entry(md5=bytes(16))]), place)
    old = Index.open(place)
    build([], place)
    asked = Digests(md5=bytes(16), sha1=bytes(20), sha256=bytes(32))
    assert len(old.exact(asked)) == 1
    assert Index.open(place).exact(asked) == []
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_builds_at_the_same_time_leave_one_whole_index(tmp_path: Path) -> None:
    place = tmp_path / "index"
    entries = [Entry(md5=os.urandom(16)) for _ in range(100)]
    threads = [
        threading.Thread(target=lambda: build(batches(entries), place)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Index.open(place).count(MatchKind.MD5) == 100
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_a_build_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    build(batches([Entry(md5=bytes(16))]), tmp_path / "index")
    with pytest.raises(TypeError):
        build(batches([ONE]), tmp_path / "index", about=lambda: {"no": {1, 2}})
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        build([], tmp_path / "file")
    assert {path.name for path in tmp_path.iterdir()} == {"index", "file"}
    assert Index.open(tmp_path / "index").count(MatchKind.MD5) == 1


def test_a_half_built_index_is_known_by_its_name(tmp_path: Path) -> None:
    seen: list[str] = []

    def read() -> Iterator[Batch]:
        seen.extend(path.name for path in tmp_path.iterdir())
        yield from batches([ONE])

    build(read(), tmp_path / "index")
    assert len(seen) == 1
    assert seen[0].startswith(NEW)
    body = (tmp_path / "index" / MANIFEST).read_bytes().partition(b"\n")[2]
    assert set(json.loads(body)) == {"v", "entries", "seed", "seals", "parts", "about"}


KILLED = """
import os, sys, time
from pathlib import Path
from protech.lists.batch import batches
from protech.lists.entries import Entry
from protech.lists.index import build

def read():
    yield from batches(Entry(md5=os.urandom(16), pdq=(os.urandom(32),)) for _ in range(20_000))
    print("half", flush=True)
    time.sleep(60)

build(read(), Path(sys.argv[1]))
"""


def test_a_kill_while_building_leaves_the_old_index(tmp_path: Path) -> None:
    place = tmp_path / "index"
    build(batches([ONE]), place)
    command = [sys.executable, "-c", KILLED, str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        process.send_signal(signal.SIGKILL)
    assert Index.open(place).count(MatchKind.MD5) == 1
    left = {path.name for path in tmp_path.iterdir()} - {"index"}
    assert all(name.startswith(NEW) for name in left)


FULL = """
import os, resource, sys
from pathlib import Path
from protech.lists.batch import batches
from protech.lists.entries import Entry
from protech.lists.index import build

resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
entries = (Entry(sha256=os.urandom(32), pdq=(os.urandom(32),)) for _ in range(40_000))
try:
    build(batches(entries), Path(sys.argv[1]))
except OSError as full:
    sys.exit(f"no room: {full.errno}")
"""


def test_a_full_disk_leaves_the_old_index(tmp_path: Path) -> None:
    place = tmp_path / "index"
    build(batches([ONE]), place)
    command = [sys.executable, "-c", FULL, str(place)]
    shown = subprocess.run(command, capture_output=True, check=False, text=True)
    assert (shown.returncode, shown.stderr) == (1, "no room: 27\n")
    assert Index.open(place).count(MatchKind.SHA256) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


@SAME_DIRECTORY
@given(entries=ENTRIES, asked=st.builds(Digests, md5=few(16), sha1=few(20), sha256=few(32)))
def test_an_index_in_memory_answers_as_one_on_the_disk(
    tmp_path: Path, entries: list[Entry], asked: Digests
) -> None:
    index = Index.of(build_parts(batches(entries), about=lambda: {"seen": 1}))
    assert index.about == {"seen": 1}
    assert index.exact(asked) == opened(entries, tmp_path / "index").exact(asked)
    labels = [index.label(row) for row in range(len(entries))]
    assert [label is None for label in labels] == [entry.label is None for entry in entries]


def test_parts_can_be_kept_by_whoever_asked_for_them() -> None:
    parts = {name: bytes(part) for name, part in build_parts(batches([ONE])).items()}
    assert len(Index.of(parts).near([PdqHash(bits=bytes(32), quality=60)])) == 1
    for name, content in parts.items():
        with pytest.raises(ListFormatError):
            Index.of({other: part for other, part in parts.items() if other != name})
        if content:
            spoilt = content[:-1] + bytes([content[-1] ^ 4])
            with pytest.raises(ListFormatError):
                Index.of({**parts, name: spoilt})
            with pytest.raises(ListFormatError):
                Index.of({**parts, name: content[:-1]})
