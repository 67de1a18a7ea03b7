"""Keys made from a torrent and its content: those that libtorrent's own view of it gives."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from random import Random

import libtorrent
import pytest

from protech.errors import SourceError
from protech.lists.fetch_key import TorrentFile, TorrentTree, parse_key
from protech.lists.fetch_keys import key_fields
from protech.locate.bittorrent.torrents import fetch_keys, is_filler

PIECE = 1 << 15
V1, V2 = libtorrent.create_torrent.v1_only, libtorrent.create_torrent.v2_only
HYBRID = 0
TRACKERS = ("udp://127.0.0.1:1/announce", "http://127.0.0.1:2/announce")

Make = Callable[..., tuple[bytes, Path]]


def everything(_: PurePosixPath) -> bool:
    return True


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(files: dict[str, bytes], kind: int) -> tuple[bytes, Path]:
        """Write files and return their torrent and where they are."""
        folder = tmp_path / "content"
        entries = []
        for name, data in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            entries.append(libtorrent.create_file_entry(name, len(data)))
        torrent = libtorrent.create_torrent(entries, PIECE, kind)
        torrent.add_tracker(TRACKERS[0], 0)
        torrent.add_tracker(TRACKERS[1], 1)
        torrent.add_tracker("wss://127.0.0.1:3", 2)
        libtorrent.set_piece_hashes(torrent, str(tmp_path))
        single = next(iter(files)) if len(files) == 1 and "/" not in next(iter(files)) else None
        return libtorrent.bencode(
            torrent.generate()
        ), folder if single is None else tmp_path / single

    return make


def album(random: Random) -> dict[str, bytes]:
    """Three files, of which none but the first begins a piece, and one inside a folder."""
    return {
        "content/a.bin": random.randbytes(PIECE * 2 + 100),
        "content/b/b.bin": random.randbytes(PIECE * 3 + 7),
        "content/c.bin": random.randbytes(PIECE // 2),
    }


def whole(key: TorrentFile | TorrentTree) -> None:
    """Fail where a list could not hold the key."""
    assert parse_key(key_fields(key)) == key


@pytest.mark.parametrize("kind", [V1, V2, HYBRID])
def test_keys_are_what_libtorrent_reads_from_the_same_torrent(make: Make, kind: int) -> None:
    files = album(Random(1))
    torrent, folder = make(files, kind)
    keys = fetch_keys(torrent, folder, wanted=everything)
    info = libtorrent.load_torrent_buffer(torrent).ti
    assert info is not None
    hashes = info.info_hashes()
    first = [key for key in keys if isinstance(key, TorrentFile)]
    second = [key for key in keys if isinstance(key, TorrentTree)]
    assert (len(first), len(second)) == (0 if kind == V2 else 3, 0 if kind == V1 else 3)
    layout = info.layout()
    for key in first:
        assert key.info_hash == hashes.v1.to_bytes()
        assert key.first_byte == layout.file_offset(key.file_index)
        assert key.size_bytes == layout.file_size(key.file_index)
        assert key.torrent_pieces == info.num_pieces()
        assert key.pieces == tuple(
            info.hash_for_piece(key.first_piece + i) for i in range(len(key.pieces))
        )
        whole(key)
    for tree in second:
        assert tree.info_hash == hashes.v2.to_bytes()
        assert tree.torrent_pieces == info.num_pieces()
        at = layout.file_index_for_root(libtorrent.sha256_hash(tree.root))
        assert tree.size_bytes == layout.file_size(at)
        assert tree.first_piece == layout.file_offset(at) // PIECE
        whole(tree)
    assert {key.trackers for key in keys} == {()}
    # Each key of a hybrid names the other's info-hash, as handshakes do.
    assert {key.twin for key in first} <= {
        hashes.v2.to_bytes()[:20] if kind == HYBRID else None
    }
    assert {key.twin for key in second} <= {hashes.v1.to_bytes() if kind == HYBRID else None}
    # Of both versions together, the end of a file is followed by padding, which is filler.
    assert [key.weak for key in first] == ([()] * 3 if kind == V1 else [(2,), (3,), ()])[
        : len(first)
    ]
    # The last piece of the second file has seven bytes where no file shares it.
    assert [key.weak for key in second] == [(), (3,), ()][: len(second)]


@pytest.mark.parametrize("kind", [V1, V2, HYBRID])
def test_the_content_of_one_file_may_be_given_as_it_is(make: Make, kind: int) -> None:
    torrent, file = make({"only.bin": Random(2).randbytes(PIECE + 1)}, kind)
    assert file.is_file()
    keys = fetch_keys(torrent, file, wanted=everything)
    assert {key.size_bytes for key in keys} == {PIECE + 1}
    for key in keys:
        whole(key)


def test_a_small_file_of_the_second_version_has_no_layer(make: Make) -> None:
    torrent, file = make({"only.bin": Random(2).randbytes(20_000)}, V2)
    (key,) = fetch_keys(torrent, file, wanted=everything)
    assert isinstance(key, TorrentTree)
    assert key.layer == ()
    whole(key)


@pytest.mark.parametrize("kind", [V1, V2])
def test_pieces_that_prove_nothing_are_named(make: Make, kind: int) -> None:
    random = Random(3)
    twice, other = random.randbytes(PIECE), random.randbytes(PIECE)
    few = bytes(random.choices(range(40), k=PIECE))
    regular = bytes(range(256)) * (PIECE // 256)
    pieces = [random.randbytes(PIECE), bytes(PIECE), twice, few, other, regular]
    files = {"content/a.bin": b"".join(pieces), "content/b.bin": twice + random.randbytes(99)}
    torrent, folder = make(files, kind)
    first, second = fetch_keys(torrent, folder, wanted=everything)
    assert first.weak == (1, 2, 3, 5)
    assert second.weak == (0,)


def test_one_filler_block_makes_a_piece_of_the_second_version_weak(make: Make) -> None:
    random = Random(4)
    data = random.randbytes(PIECE) + random.randbytes(PIECE // 2) + bytes(PIECE // 2)
    for kind, weak in ((V1, ()), (V2, (1,))):
        torrent, file = make({"only.bin": data}, kind)
        assert fetch_keys(torrent, file, wanted=everything)[0].weak == weak


def test_only_the_wanted_files_are_listed_with_trackers_only_where_told(make: Make) -> None:
    torrent, folder = make(album(Random(5)), HYBRID)

    def wanted(path: PurePosixPath) -> bool:
        return path.name == "b.bin"

    keys = fetch_keys(torrent, folder, wanted=wanted, with_trackers=True)
    assert [type(key) for key in keys] == [TorrentFile, TorrentTree]
    assert {key.trackers for key in keys} == {TRACKERS}
    assert fetch_keys(torrent, folder, wanted=lambda _: False) == ()


@pytest.mark.parametrize("kind", [V1, V2])
@pytest.mark.parametrize("change", ["flip", "cut", "grow", "remove"])
def test_other_content_is_refused(make: Make, kind: int, change: str) -> None:
    torrent, folder = make(album(Random(6)), kind)
    file = folder / "b" / "b.bin"
    data = file.read_bytes()
    match change:
        case "flip":
            file.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        case "cut":
            file.write_bytes(data[:-1])
        case "grow":
            file.write_bytes(data + b"x")
        case _:
            file.unlink()
    with pytest.raises(SourceError):
        fetch_keys(torrent, folder, wanted=everything)


@pytest.mark.parametrize(
    ("data", "filler"),
    [
        (b"", True),
        (bytes(1 << 14), True),
        (bytes(range(64)), False),
        (bytes(range(63)) * 9, True),
        (b"the same words again " * 800, True),
        (Random(7).randbytes(1 << 14), False),
    ],
)
def test_filler_is_few_values_or_what_can_be_compressed(data: bytes, filler: bool) -> None:
    assert is_filler(data) is filler
