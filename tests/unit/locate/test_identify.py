import hashlib
import io
from collections.abc import Sequence
from dataclasses import replace

import pytest

from protech.errors import ListFormatError
from protech.lists.fetch_key import BLOCK_BYTES, FetchKey, TorrentFile, TorrentTree
from protech.lists.fetch_keys import KeyWriter, key_line
from protech.locate.adapter import Network
from protech.locate.identify import Watch, entry_of, read_watch
from protech.merkle import leaf_hash, verify_inclusion
from tests.unit.lists.test_fetch_keys import ALL_KINDS, ED2K_KEY, HEADER, TREE

PIECE = 1 << 15


def sha1(text: str) -> bytes:
    return hashlib.sha1(text.encode()).digest()


def torrent(name: str, pieces: Sequence[bytes], **edits: object) -> TorrentFile:
    key = TorrentFile(
        info_hash=sha1(name),
        file_index=0,
        first_byte=0,
        size_bytes=PIECE * len(pieces),
        piece_bytes=PIECE,
        torrent_bytes=PIECE * len(pieces),
        pieces=tuple(pieces),
    )
    return replace(key, **edits)  # type: ignore[arg-type]


def watch(*keys: FetchKey) -> Watch:
    file = io.BytesIO()
    writer = KeyWriter(file, HEADER)
    for key in keys:
        writer.write(key)
    writer.finish()
    file.seek(0)
    return read_watch(file, sha256=hashlib.sha256(file.getvalue()).digest())


def weak(*keys: FetchKey) -> list[set[int]]:
    return [set(target.weak) for target in watch(*keys).targets]


def test_every_key_is_a_target_of_its_network() -> None:
    found = watch(*ALL_KINDS)
    assert [target.key for target in found.targets] == ALL_KINDS
    assert [target.network for target in found.targets] == [
        Network.BITTORRENT,
        Network.BITTORRENT,
        Network.ED2K,
    ]
    assert (found.list_name.name, found.list_name.version) == (HEADER.name, HEADER.version)
    assert found.issuer == HEADER.issuer


def test_each_key_can_be_shown_to_be_of_the_list_without_the_others() -> None:
    found = watch(*ALL_KINDS)
    for target in found.targets:
        assert verify_inclusion(
            found.proof_of(target),
            leaf=leaf_hash(key_line(target.key)),
            index=target.number,
            size=len(found.targets),
            root=found.tree_root,
        )


def test_an_entry_says_nothing_of_its_key_and_stays_the_same() -> None:
    [target] = watch(TREE).targets
    assert target.entry == entry_of(HEADER.issuer or "", HEADER.name, key_line(TREE))
    assert len(target.entry) == 16
    assert target.entry not in key_line(TREE).decode()


def test_what_the_list_calls_weak_is_weak() -> None:
    assert weak(torrent("a", [sha1("1"), sha1("2")], weak=(1,))) == [{1}]


@pytest.mark.parametrize("byte", [b"\x00", b"\xff"])
def test_a_blank_piece_is_weak(byte: bytes) -> None:
    blank = hashlib.sha1(byte * PIECE).digest()
    assert weak(torrent("a", [sha1("1"), blank])) == [{1}]


def test_a_blank_piece_of_a_tree_is_weak() -> None:
    leaf = hashlib.sha256(bytes(BLOCK_BYTES)).digest()
    blank = hashlib.sha256(leaf + leaf).digest()
    key = TorrentTree(
        info_hash=bytes(32),
        file_index=0,
        first_piece=0,
        torrent_pieces=1,
        root=blank,
        size_bytes=PIECE,
        piece_bytes=PIECE,
    )
    assert weak(key) == [{0}]


def test_a_piece_that_is_there_twice_is_weak() -> None:
    assert weak(torrent("a", [sha1("1"), sha1("2"), sha1("1")])) == [{0, 2}]


def test_a_piece_of_two_different_files_is_weak_in_both() -> None:
    one = torrent("a", [sha1("1"), sha1("2")])
    other = torrent("b", [sha1("3"), sha1("4"), sha1("2")])
    assert weak(one, other) == [{1}, {2}]


def test_the_same_file_in_two_torrents_stays_provable() -> None:
    pieces = [sha1("1"), sha1("2")]
    assert weak(torrent("a", pieces), torrent("b", pieces), ED2K_KEY) == [set(), set(), set()]


def test_nothing_is_looked_for_where_a_line_is_no_key() -> None:
    file = io.BytesIO()
    KeyWriter(file, HEADER).finish()
    file.write(b'{"kind":"magnet"}\n')
    file.seek(0)
    with pytest.raises(ListFormatError, match=r"line 2: 'kind' is none of"):
        read_watch(file, sha256=bytes(32))
