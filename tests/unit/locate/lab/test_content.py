"""The lab's files and keys: torrents of every kind, and pieces that prove nothing."""

import hashlib
from pathlib import Path
from random import Random

import libtorrent
import pytest

from protech.lists.fetch_key import TorrentFile, TorrentTree, parse_key
from protech.lists.fetch_keys import key_fields
from protech.locate.lab.content import (
    BLANK_PIECES,
    PIECE_BYTES,
    REPEATED_PIECES,
    SHARED_PIECE,
    LabTorrent,
    hashes_of,
    make_content,
)

TRACKERS = ("http://127.0.0.1:1/announce",)


@pytest.fixture(scope="module")
def torrents(tmp_path_factory: pytest.TempPathFactory) -> tuple[LabTorrent, ...]:
    return make_content(tmp_path_factory.mktemp("content"), Random(1), trackers=TRACKERS)


def test_keys_hold_together_as_a_list_reads_them(torrents: tuple[LabTorrent, ...]) -> None:
    for torrent in torrents:
        for key in torrent.keys:
            assert parse_key(key_fields(key)) == key


def test_info_hashes_are_those_of_libtorrent(torrents: tuple[LabTorrent, ...]) -> None:
    for torrent in torrents:
        theirs = libtorrent.torrent_info(torrent.torrent).info_hashes()
        known = {theirs.v1.to_bytes(), theirs.v2.to_bytes()}
        assert {key.info_hash for key in torrent.keys} <= known


def test_there_are_both_versions_and_a_hybrid_with_two_keys(
    torrents: tuple[LabTorrent, ...],
) -> None:
    kinds = [tuple(type(key) for key in torrent.keys) for torrent in torrents]
    assert kinds == [(TorrentFile,), (TorrentTree,), (TorrentFile, TorrentTree), (TorrentFile,)]
    assert [number for one in torrents for number in one.numbers] == [0, 1, 2, 3, 4]
    first, second = torrents[2].keys
    assert (first.twin, second.twin) == (second.info_hash[:20], first.info_hash)
    assert {key.twin for one in torrents for key in one.keys if one is not torrents[2]} == {
        None
    }


def test_blank_repeated_and_shared_pieces_are_weak(torrents: tuple[LabTorrent, ...]) -> None:
    weak = {*BLANK_PIECES, *REPEATED_PIECES, SHARED_PIECE}
    for torrent in torrents[:3]:
        assert all(set(key.weak) == weak for key in torrent.keys)
        assert torrent.blank == weak
        assert not torrent.telling & weak


def test_telling_pieces_lie_wholly_in_the_listed_file(torrents: tuple[LabTorrent, ...]) -> None:
    album = torrents[3]
    key = album.keys[0]
    assert isinstance(key, TorrentFile)
    whole = b"".join(
        path.read_bytes() for path in sorted((album.folder / album.name).iterdir())
    )
    for piece in album.telling:
        begin = piece * PIECE_BYTES
        assert key.first_byte <= begin
        assert begin + PIECE_BYTES <= key.first_byte + key.size_bytes
        digest = hashlib.sha1(whole[begin : begin + PIECE_BYTES]).digest()
        assert digest == hashes_of(key)[piece - key.first_piece]


def test_the_same_seed_gives_the_same_files(
    torrents: tuple[LabTorrent, ...], tmp_path: Path
) -> None:
    again = make_content(tmp_path, Random(1), trackers=TRACKERS)
    assert [one.keys for one in again] == [one.keys for one in torrents]


def test_keys_name_the_trackers_they_are_given(torrents: tuple[LabTorrent, ...]) -> None:
    assert all(key.trackers == TRACKERS for one in torrents for key in one.keys)
