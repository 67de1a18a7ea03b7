"""The list for locate: its keys hold together, and nothing else reads or exports it."""

import io
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import ListFormatError, TrustError
from protech.lists.entries import BadEntry, Category, ListHeader, Use
from protech.lists.fetch_key import (
    BLOCK_BYTES,
    PIECES,
    TRACKERS,
    Ed2kFile,
    FetchKey,
    TorrentFile,
    TorrentTree,
    tree_root,
)
from protech.lists.fetch_keys import (
    LINE_BYTES,
    MAGIC,
    KeyWriter,
    key_line,
    read_header,
    read_keys,
)
from protech.lists.formats import circl, hma, icse, ncmec, nsrl, own, tables

NOW = datetime(2026, 1, 2, tzinfo=UTC)
HEADER = ListHeader(
    name="targets",
    version=4,
    category=Category.CSAM,
    uses=frozenset({Use.LOCATE}),
    created_at=NOW,
    issuer="An authority",
)

TORRENT = TorrentFile(
    info_hash=bytes(20),
    file_index=0,
    first_byte=10,
    size_bytes=10,
    piece_bytes=15,
    torrent_bytes=30,
    pieces=(bytes(20),) * 2,
)
LAYER = (bytes(32),) * 3
TREE = TorrentTree(
    info_hash=bytes(32),
    file_index=1,
    first_piece=3,
    torrent_pieces=6,
    root=tree_root(LAYER, piece_bytes=BLOCK_BYTES),
    size_bytes=3 * BLOCK_BYTES,
    piece_bytes=BLOCK_BYTES,
    layer=LAYER,
)

SHA1 = st.binary(min_size=20, max_size=20)
SHA256 = st.binary(min_size=32, max_size=32)


@st.composite
def torrents(draw: st.DrawFn) -> TorrentFile:
    piece = draw(st.integers(1 << 10, 1 << 20))
    first = draw(st.integers(0, 1 << 30))
    size = draw(st.integers(1, 8 * piece))
    pieces = (first + size - 1) // piece - first // piece + 1
    return TorrentFile(
        info_hash=draw(SHA1),
        file_index=draw(st.integers(0, 9999)),
        first_byte=first,
        size_bytes=size,
        piece_bytes=piece,
        torrent_bytes=max(first + size + draw(st.integers(0, piece)), 1),
        pieces=tuple(draw(st.lists(SHA1, min_size=pieces, max_size=pieces))),
        weak=tuple(sorted(draw(st.sets(st.integers(0, pieces - 1), max_size=2)))),
        trackers=draw(st.sampled_from([(), ("udp://198.18.0.1:6969",)])),
        twin=draw(st.none() | SHA1),
    )


@st.composite
def trees(draw: st.DrawFn) -> TorrentTree:
    piece = BLOCK_BYTES << draw(st.integers(0, 4))
    layer = tuple(draw(st.lists(SHA256, min_size=2, max_size=9)))
    if draw(st.booleans()):
        return replace(TREE, root=layer[0], size_bytes=piece, piece_bytes=piece, layer=())
    return replace(
        TREE,
        root=tree_root(layer, piece_bytes=piece),
        size_bytes=len(layer) * piece - draw(st.integers(0, piece - 1)),
        piece_bytes=piece,
        layer=layer,
        torrent_pieces=3 + len(layer),
        weak=tuple(sorted(draw(st.sets(st.integers(0, len(layer) - 1), max_size=2)))),
        twin=draw(st.none() | SHA1),
    )


ED2K = st.builds(
    Ed2kFile,
    md4=st.binary(min_size=16, max_size=16),
    aich=SHA1,
    size_bytes=st.integers(1, 1 << 40),
    servers=st.sampled_from([(), ("198.18.0.1:4661",)]),
)
KEYS: st.SearchStrategy[FetchKey] = torrents() | trees() | ED2K
ED2K_KEY = Ed2kFile(md4=bytes(16), aich=bytes(20), size_bytes=1)


def written(keys: Sequence[FetchKey] = (), header: ListHeader = HEADER) -> bytes:
    file = io.BytesIO()
    writer = KeyWriter(file, header)
    for key in keys:
        writer.write(key)
    writer.finish()
    return file.getvalue()


def read(content: bytes) -> tuple[ListHeader, list[FetchKey | BadEntry]]:
    file = io.BytesIO(content)
    return read_header(file), list(read_keys(file))


@given(keys=st.lists(KEYS, max_size=5))
def test_what_is_written_is_read(keys: list[FetchKey]) -> None:
    assert read(written(keys)) == (replace(HEADER, count=len(keys)), keys)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(HEADER, uses=frozenset({Use.LOCATE, Use.TRIAGE})),
        replace(HEADER, uses=frozenset({Use.TRIAGE})),
        replace(HEADER, category=Category.OWN),
        replace(HEADER, category=Category.KNOWN_GOOD),
    ],
)
def test_a_list_of_another_use_or_category_holds_no_fetch_keys(wrong: ListHeader) -> None:
    with pytest.raises(TrustError, match="one use is locate"):
        KeyWriter(io.BytesIO(), wrong)
    fields = json.loads(written().splitlines()[0])
    fields |= {"uses": sorted(wrong.uses), "category": wrong.category}
    with pytest.raises(TrustError, match="one use is locate"):
        read(json.dumps(fields, separators=(",", ":")).encode() + b"\n")


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b'{"protech_list":1}\n',
        b' {"protech_fetch_keys":1}\n',
        b'{"protech_fetch_keys":3}\n',
        b'{"protech_fetch_keys":2}\n',
        b'{"protech_fetch_keys":2\n',
        b'{"protech_fetch_keys":2,"protech_list":7}\n',
    ],
)
def test_another_header_is_refused(head: bytes) -> None:
    with pytest.raises(ListFormatError):
        read(head)


def broken(key: FetchKey, **edits: object) -> bytes:
    head, line, *_ = written([key]).splitlines()
    return head + b"\n" + json.dumps({**json.loads(line), **edits}).encode() + b"\n"


@pytest.mark.parametrize(
    ("key", "edits", "reason"),
    [
        (TORRENT, {"kind": "magnet"}, "'kind' is none of torrent, torrent_v2, ed2k"),
        (TORRENT, {"info_hash": "00"}, "'info_hash' is not 40 hex digits"),
        (TORRENT, {"info_hash": "zz" * 20}, "'info_hash' is not 40 hex digits"),
        (TORRENT, {"pieces": []}, "'pieces' is not one hash for each piece"),
        (TORRENT, {"pieces": "no"}, f"'pieces' is no list of at most {PIECES} hashes"),
        (TORRENT, {"pieces": [0] * (PIECES + 1)}, f"no list of at most {PIECES} hashes"),
        (TORRENT, {"piece_bytes": 0}, "'piece_bytes' is no whole number from 1"),
        (TORRENT, {"file_index": True}, "'file_index' is no whole number from 0"),
        (TORRENT, {"first_byte": 1 << 50}, "'first_byte' is no whole number from 0"),
        (TREE, {"root": "00" * 32}, "'layer' does not lead to 'root'"),
        (TREE, {"layer": ["00" * 32]}, "'layer' is not one hash for each piece"),
        (TREE, {"size_bytes": 5}, "'layer' is not one hash for each piece"),
        (TREE, {"piece_bytes": 3 * BLOCK_BYTES}, "'piece_bytes' is no power of two"),
        (TORRENT, {"torrent_bytes": 19}, "'torrent_bytes' is no size of a torrent"),
        (TORRENT, {"weak": [2]}, "'weak' names a piece that the file has not"),
        (TORRENT, {"weak": [1, 0]}, "'weak' does not rise"),
        (TORRENT, {"weak": 1}, "'weak' is no list"),
        (TORRENT, {"trackers": ["magnet:?"]}, "'trackers' has what is no address"),
        (TORRENT, {"trackers": [7] * (TRACKERS + 1)}, "'trackers' is no list of at most"),
        (TORRENT, {"twin": "00" * 32}, "'twin' is not 40 hex digits"),
        (TREE, {"twin": None}, "'twin' is not 40 hex digits"),
        (TREE, {"weak": [3]}, "'weak' names a piece that the file has not"),
        (TREE, {"torrent_pieces": 5}, "'torrent_pieces' is fewer than"),
        (ED2K_KEY, {"servers": ["ed2k://|server"]}, "'servers' has what is no address"),
        (ED2K_KEY, {"weak": [1]}, "'weak' names a piece that the file has not"),
        (ED2K_KEY, {"md4": None}, "'md4' is not 32 hex digits"),
        (ED2K_KEY, {"aich": 7}, "'aich' is not 40 hex digits"),
    ],
)
def test_a_key_that_does_not_hold_together_is_named(
    key: FetchKey, edits: dict[str, object], reason: str
) -> None:
    _, [found] = read(broken(key, **edits))
    assert isinstance(found, BadEntry)
    assert (found.line, reason in found.reason) == (2, True)


def test_a_key_without_a_twin_has_the_line_that_it_had_before_there_were_twins() -> None:
    assert b"twin" not in key_line(TORRENT) + key_line(TREE)


def test_a_broken_key_is_not_written() -> None:
    with pytest.raises(ValueError, match="does not hold together"):
        written([replace(TORRENT, pieces=())])


def test_lines_that_are_no_object_or_too_long_are_named_and_the_rest_kept() -> None:
    head, line = written([ED2K_KEY]).splitlines()
    content = b"\n".join(
        [head, b"[]", b"x" * (LINE_BYTES * 2 + 9), line, b"y" * (LINE_BYTES + 1)]
    )
    assert read(content)[1] == [
        BadEntry(line=2, reason="the line is no JSON object in UTF-8"),
        BadEntry(line=3, reason=f"the line is longer than {LINE_BYTES} bytes"),
        ED2K_KEY,
        BadEntry(line=5, reason=f"the line is longer than {LINE_BYTES} bytes"),
    ]


def test_the_line_of_a_key_is_the_line_of_its_list() -> None:
    for key in (TORRENT, TREE, ED2K_KEY):
        assert written([key]).splitlines(keepends=True)[1] == key_line(key)


def test_the_repr_of_a_key_shows_no_key() -> None:
    for key in (TORRENT, TREE, ED2K_KEY):
        assert "\\x00" not in repr(key)


READERS: dict[str, Callable[[BinaryIO], object]] = {
    "own": own.read_header,
    "ncmec": lambda file: list(ncmec.read(file)),
    "hma": lambda file: list(hma.read(file)),
    "icse": lambda file: list(icse.read(file)),
    "csv": lambda file: list(tables.read_csv(file)),
    "text": lambda file: list(tables.read_text(file)),
}

ALL_KINDS: list[FetchKey] = [TORRENT, TREE, ED2K_KEY]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf"])
def test_no_other_reader_reads_it_and_each_says_why(reader: str, before: bytes) -> None:
    with pytest.raises(ListFormatError, match="a list for locate"):
        READERS[reader](io.BytesIO(before + written(ALL_KINDS)))


def test_the_readers_of_files_refuse_it_too(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(written(ALL_KINDS))
    with (tmp_path / "keys").open("rb") as file, pytest.raises(ListFormatError):
        nsrl.read(nsrl.prepare(file.fileno())).__next__()
    with pytest.raises(ListFormatError):
        circl.Bloom.open(tmp_path / "keys")


@pytest.mark.parametrize("reader", READERS)
def test_its_lines_without_their_header_are_no_entries_of_anything(reader: str) -> None:
    headless = written(ALL_KINDS).partition(b"\n")[2]
    assert headless
    try:
        found = READERS[reader](io.BytesIO(headless))
    except ListFormatError:
        found = []
    assert isinstance(found, list)
    assert not [one for one in found if not isinstance(one, BadEntry)]


@pytest.mark.parametrize(
    "matches",
    [
        ncmec.matches, hma.matches, icse.matches, nsrl.matches, circl.matches,
        tables.text_matches, tables.csv_matches,
    ],
)  # fmt: skip
def test_no_other_format_is_seen_in_it(matches: Callable[[bytes], bool]) -> None:
    assert not matches(written(ALL_KINDS))


@given(content=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for head in (b"", written(), b'{"' + MAGIC.encode() + b'":1'):
        with suppress(ListFormatError, TrustError):
            read(head + content)
