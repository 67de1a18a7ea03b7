"""A .torrent file is read whole or refused with a reason."""

import contextlib
import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import SourceError
from protech.locate.bittorrent.bencode import Bencoded, encode
from protech.locate.bittorrent.torrent_file import read_torrent

Fields = dict[bytes, Bencoded]

ROOT = b"r" * 32


def first(**changed: Bencoded) -> Fields:
    info: Fields = {
        b"name": b"only.bin",
        b"length": 20_000,
        b"piece length": 16_384,
        b"pieces": b"p" * 40,
    }
    return info | {key.encode().replace(b"_", b" "): value for key, value in changed.items()}


def second(**changed: Bencoded) -> Fields:
    info: Fields = {
        b"name": b"only.bin",
        b"meta version": 2,
        b"piece length": 16_384,
        b"file tree": {b"only.bin": {b"": {b"length": 9, b"pieces root": ROOT}}},
    }
    return info | {key.encode().replace(b"_", b" "): value for key, value in changed.items()}


def torrent(info: Bencoded, **fields: Bencoded) -> bytes:
    more = {key.encode().replace(b"_", b" "): value for key, value in fields.items()}
    if b"announce list" in more:
        more[b"announce-list"] = more.pop(b"announce list")
    return encode({b"info": info, **more})


def test_the_first_version_is_read() -> None:
    info = first()
    read = read_torrent(torrent(info))
    assert read.first is not None
    assert read.first.info_hash == hashlib.sha1(encode(info)).digest()
    assert (read.first.size_bytes, read.second, read.is_one_file) == (20_000, None, True)


def test_the_second_version_is_read() -> None:
    info = second()
    read = read_torrent(torrent(info))
    assert read.second is not None
    assert read.second.info_hash == hashlib.sha256(encode(info)).digest()
    assert (read.first, read.second.pieces, read.is_one_file) == (None, 1, True)


def test_a_folder_of_one_file_is_no_file() -> None:
    assert not read_torrent(torrent(second(name=b"folder"))).is_one_file
    tree: Fields = {b"only.bin": {b"in.bin": {b"": {b"length": 0}}}}
    assert not read_torrent(torrent(second(file_tree=tree))).is_one_file


def test_trackers_are_those_that_can_be_asked_each_once() -> None:
    tiers: list[Bencoded] = [[b"udp://b:1", b"http://a/"], [b"wss://c", 7], 7]
    read = read_torrent(torrent(first(), announce=b"http://a/", announce_list=tiers))
    assert read.trackers == ("http://a/", "udp://b:1")


def test_trackers_are_no_more_than_a_key_holds() -> None:
    tier: list[Bencoded] = [b"http://%d/" % i for i in range(99)]
    assert len(read_torrent(torrent(first(), announce_list=[tier])).trackers) == 64


def file(length: Bencoded, *path: bytes, attr: bytes = b"") -> Fields:
    return {b"length": length, b"path": [*path], b"attr": attr}


def files(*named: Bencoded) -> Fields:
    info = first(files=[*named])
    del info[b"length"]
    return info


def test_files_stand_one_after_the_other_and_padding_is_known() -> None:
    info = files(
        file(9_000, b"a"), file(7_384, b".pad", b"7384", attr=b"p"), file(9, b"b", b"c")
    )
    read = read_torrent(torrent(info)).first
    assert read is not None
    assert [(one.first_byte, one.is_padding) for one in read.files] == [
        (0, False),
        (9_000, True),
        (16_384, False),
    ]
    assert str(read.files[2].path) == "b/c"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"de",
        b"d4:info" + encode(first()),
        torrent(7),
        torrent({}),
        torrent({b"piece length": 16_384}),
        torrent(first(piece_length=0)),
        torrent(first(piece_length=b"16384")),
        torrent(first(pieces=b"p" * 39)),
        torrent(first(pieces=b"p" * 60)),
        torrent(first(length=-1)),
        torrent(first(name=b"..")),
        torrent(first(name=b"a/b")),
        torrent(first(name=7)),
        torrent(files()),
        torrent(files(7)),
        torrent(files(file(20_000, b"a", b"..", b"b"))),
        torrent(files(file(20_000, b""))),
        torrent(files(file(20_000, b"a\0b"))),
        torrent(files(file(20_000))),
        torrent(files(file(b"20000", b"a"))),
        torrent(files(file(20_000, b"a", attr=b"l"))),
        torrent(second(piece_length=16_385)),
        torrent(second(piece_length=8_192)),
        torrent(second(file_tree={b"a": 7})),
        torrent(second(file_tree={b"a": {b"": 7}})),
        torrent(second(file_tree={b"a": {b"": {b"length": 9}}})),
        torrent(second(file_tree={b"a": {b"": {b"length": 9, b"pieces root": b"r"}}})),
        torrent(second(file_tree={b"a": {b"": {b"length": 1 << 15, b"pieces root": ROOT}}})),
        torrent(
            second(file_tree={b"a": {b"": {b"length": 1 << 15, b"pieces root": ROOT}}}),
            piece_layers={ROOT: b"l" * 64},
        ),
        b"d4:infod4:name1:a6:lengthi1e12:piece lengthi16384e6:pieces20:" + b"p" * 20 + b"ee",
    ],
)
def test_what_does_not_hold_together_is_refused(data: bytes) -> None:
    with pytest.raises(SourceError):
        read_torrent(data)


@pytest.mark.parametrize("make", [first, second])
@given(data=st.data())
def test_no_change_makes_it_fail_otherwise(
    make: Callable[[], Fields], data: st.DataObject
) -> None:
    whole = bytearray(torrent(make()))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(SourceError):
        read_torrent(bytes(whole))
