"""Making a list of one's own pictures."""

from pathlib import Path

import pytest

from protech.errors import ConfigError, SourceError
from protech.lists.batch import Batch
from protech.lists.entries import Entry
from protech.lists.reader import reading
from protech.salus.enlist import Enlisted, enlist
from protech.types import Unscannable
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
