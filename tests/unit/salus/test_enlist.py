"""Making a list of one's own pictures."""

from pathlib import Path

import pytest

from protech.errors import ConfigError, SourceError
from protech.lists.batch import Batch
from protech.lists.entries import Entry
from protech.lists.reader import reading
from protech.salus.enlist import Enlisted, enlist, listed
from protech.types import Digests, Findings, Frame, Kind, PdqHash, Unscannable
from tests.make_data import encode, make_noise, make_photo
from tests.unit.lists.test_batch import entries_of


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mine")
    (folder / "below").mkdir()
    (folder / "a.jpg").write_bytes(encode(make_photo(1), "JPEG"))
    (folder / "below" / "b.png").write_bytes(encode(make_photo(2), "PNG"))
    (folder / "grey.png").write_bytes(encode(make_photo(1)[:1, :1].repeat(99, 0), "PNG"))
    (folder / "cut.jpg").write_bytes(encode(make_noise(1, 64, 64), "JPEG")[:300])
    (folder / "note.txt").write_text("no picture")
    return folder


def read(path: Path) -> list[Entry]:
    with path.open("rb") as file, reading(file.fileno()) as (_, lines):
        return entries_of(line for line in lines if isinstance(line, Batch))


def test_every_picture_is_an_entry_and_the_rest_is_told(pictures: Path, tmp_path: Path) -> None:
    told: list[tuple[str, Unscannable]] = []
    out = tmp_path / "mine.list"
    counts: list[int] = []
    made = enlist(
        pictures,
        out,
        name="mine",
        on_skip=lambda path, why: told.append((path.name, why)),
        on_item=counts.append,
    )
    assert counts == [1, 2, 3, 4, 5]
    assert made == Enlisted(name="mine", version=1, entries=3, skipped=1, others=1)
    assert told == [("cut.jpg", Unscannable.CORRUPT)]
    entries = read(out)
    assert [entry.label for entry in entries] == ["a.jpg", "below/b.png", "grey.png"]
    assert all(entry.md5 and entry.sha1 and entry.sha256 for entry in entries)
    # A picture of one colour is near to every other: it is known by its digests alone.
    assert [bool(entry.pdq) for entry in entries] == [True, True, False]
    assert out.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["mine.list"]


def test_made_again_it_is_the_next_version(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.list"
    assert [enlist(pictures / "below", out).version for _ in range(2)] == [1, 2]
    assert enlist(pictures / "below", out).name == "below"


def test_what_cannot_be_written_leaves_nothing(pictures: Path, tmp_path: Path) -> None:
    for out in (tmp_path, tmp_path / "none" / "mine.list"):
        with pytest.raises(ConfigError, match="--out"):
            enlist(pictures / "below", out)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_list_is_not_replaced(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="is no list, so it is not replaced"):
        enlist(pictures / "below", tmp_path / "thesis.txt")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_only_a_directory_is_made_a_list_of(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is no directory"):
        enlist(pictures / "a.jpg", tmp_path / "mine.list")
    with pytest.raises(SourceError, match="check the path"):
        enlist(pictures / "none", tmp_path / "mine.list")


def test_a_folder_without_pictures_makes_an_empty_list(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    made = enlist(tmp_path / "empty", tmp_path / "mine.list")
    assert (made.entries, read(tmp_path / "mine.list")) == (0, [])


def test_an_empty_list_never_replaces_a_list(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.list"
    enlist(pictures, out)
    before = out.read_bytes()
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="stays as it is"):
        enlist(tmp_path / "empty", out)
    assert out.read_bytes() == before


def test_the_list_itself_is_no_item(pictures: Path) -> None:
    left_out: list[Path] = []

    def make() -> Enlisted:
        return enlist(
            pictures,
            pictures / "mine.list",
            workers=1,
            on_skip=lambda path, _why: left_out.append(path),
        )

    assert make().others == make().others
    assert not [path for path in left_out if "mine.list" in path.name]


# ---- what of an item is listed ---------------------------------------------------------------

DIGESTS = Digests(md5=bytes(16), sha1=bytes(20), sha256=bytes(32))


def hashed(number: int, *, quality: int = 100) -> PdqHash:
    return PdqHash(bits=bytes([number]) * 32, quality=quality)


def found(kind: Kind, *frames: Frame, unscannable: Unscannable | None = None) -> Findings:
    return Findings(kind=kind, digests=DIGESTS, frames=frames, unscannable=unscannable)


def test_a_video_is_listed_by_the_good_frames_of_its_first_stream() -> None:
    film = found(
        Kind.VIDEO,
        Frame(hashes=(hashed(1),)),
        Frame(hashes=(hashed(2, quality=49),)),
        Frame(hashes=(hashed(1),)),
        Frame(hashes=(hashed(3),)),
        Frame(track=1, hashes=(hashed(4),)),
    )
    (entry,) = listed(film, label="film")
    assert (entry.label, entry.sha256, entry.pdq) == ("film", DIGESTS.sha256, ())
    assert entry.vpdq == (hashed(1).bits, hashed(3).bits)


def test_a_video_that_is_turned_is_listed_as_stored_and_as_displayed() -> None:
    film = found(Kind.VIDEO, Frame(hashes=(hashed(1), hashed(11))))
    stored, displayed = listed(film, label="film")
    assert (stored.vpdq, displayed.vpdq) == ((hashed(1).bits,), (hashed(11).bits,))
    assert (stored.md5, displayed.md5) == (DIGESTS.md5, None)


def test_a_video_without_good_frames_is_listed_by_its_digests() -> None:
    (entry,) = listed(found(Kind.VIDEO, Frame(hashes=(hashed(1, quality=3),))), label="film")
    assert (entry.sha1, entry.vpdq) == (DIGESTS.sha1, ())


def test_what_is_broken_or_has_no_frames_is_not_listed() -> None:
    frame = Frame(hashes=(hashed(1),))
    broken = found(Kind.VIDEO, frame, unscannable=Unscannable.CORRUPT)
    assert listed(broken, label="film") == []
    assert listed(found(Kind.VIDEO), label="sound") == []
