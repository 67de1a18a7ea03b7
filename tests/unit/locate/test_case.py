import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from protech.errors import ConfigError, TrustError
from protech.evidence import case_key
from protech.evidence.case_key import Wraps
from protech.lists.seal import new_identity, recipient_of
from protech.locate.case import ABOUT, LOG_KEY, Case, create_case, is_case, join_case, open_case

NOW = datetime(2026, 11, 28, tzinfo=UTC)
IDENTITY = new_identity()


def unwrap(wraps: Wraps) -> bytes:
    return case_key.open_with_identity(wraps, IDENTITY)


@pytest.fixture
def made(tmp_path: Path) -> Case:
    return create_case(
        tmp_path / "case", name="C-1", is_lab=True, recipients=[recipient_of(IDENTITY)]
    )


def test_a_case_is_opened_by_whom_its_key_is_wrapped_to(made: Case) -> None:
    opened = open_case(made.folder, unwrap)
    assert (opened.name, opened.is_lab, opened.data_key) == ("C-1", True, made.data_key)
    assert opened.pseudonym_key == made.pseudonym_key != made.data_key
    stranger = new_identity()
    with pytest.raises(TrustError, match="not wrapped to"):
        open_case(made.folder, lambda wraps: case_key.open_with_identity(wraps, stranger))


def test_what_was_logged_is_there_when_it_is_opened_again(made: Case) -> None:
    with made.open_log(for_writing=True) as log:
        assert log.append([{"kind": "run"}]) == range(1)
        log.checkpoint(NOW)
    with open_case(made.folder, unwrap).open_log() as log:
        assert [json.loads(one.content) for one in log.read()] == [{"kind": "run"}]
        assert log.last_checkpoint is not None
        assert log.about.key.name == "C-1"


def test_the_key_that_signs_the_log_is_nowhere_in_clear(made: Case) -> None:
    sealed = (made.folder / LOG_KEY).read_bytes()
    seed = made.vault(LOG_KEY).open_bytes(sealed, LOG_KEY.encode())
    assert len(seed) == 32
    assert seed not in sealed
    (made.folder / LOG_KEY).write_bytes(bytes(100))
    with pytest.raises(TrustError):
        made.open_log(for_writing=True)


def test_the_repr_of_a_case_shows_no_key(made: Case) -> None:
    assert made.data_key.hex() not in repr(made)
    assert str(made.data_key) not in repr(made)


def test_a_case_never_takes_the_place_of_another(made: Case) -> None:
    with pytest.raises(ConfigError, match="already"):
        create_case(made.folder, name="C-2", is_lab=True, recipients=[recipient_of(IDENTITY)])


def test_papers_may_be_there_before_the_case(tmp_path: Path) -> None:
    (tmp_path / "case" / "papers").mkdir(parents=True, mode=0o700)
    (tmp_path / "case").chmod(0o700)
    create_case(
        tmp_path / "case", name="C-1", is_lab=False, recipients=[recipient_of(IDENTITY)]
    )
    assert is_case(tmp_path / "case")


@pytest.mark.parametrize("name", ["", "two\nlines", "a" * 201])
def test_a_name_that_nobody_can_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(TrustError, match="name of a case"):
        create_case(tmp_path / "case", name=name, is_lab=True, recipients=[])
    assert not (tmp_path / "case").exists()


def test_a_name_may_have_spaces(tmp_path: Path) -> None:
    name = "Parquet 2026/7 + 8"
    recipients = [recipient_of(IDENTITY)]
    case = create_case(tmp_path / "case", name=name, is_lab=True, recipients=recipients)
    with case.open_log(for_writing=True) as log:
        assert b"Parquet%202026%2F7%20%2B%208\n" in log.checkpoint(NOW)


def test_another_vantage_has_the_key_of_the_case_and_a_log_of_its_own(
    made: Case, tmp_path: Path
) -> None:
    joined = join_case(tmp_path / "second", made, vantage="second place")
    opened = open_case(joined.folder, unwrap)
    assert (opened.data_key, opened.name, opened.is_lab) == (made.data_key, "C-1", True)
    with opened.open_log(for_writing=True) as second, made.open_log() as first:
        second.append([{"kind": "run"}])
        assert second.about.key.name == "C-1/second%20place"
        assert second.about.key.public != first.about.key.public
        assert first.size == 0
    with pytest.raises(ConfigError, match="already"):
        join_case(joined.folder, made, vantage="third")


def test_nothing_joins_a_case_whose_key_is_gone(made: Case, tmp_path: Path) -> None:
    (made.folder / "key.json").unlink()
    with pytest.raises(ConfigError, match="no key any more"):
        join_case(tmp_path / "second", made, vantage="second")
    with pytest.raises(TrustError, match="vantage's name"):
        join_case(tmp_path / "third", made, vantage="")


def _without(folder: Path) -> None:
    (folder / ABOUT).unlink()


def _cut(folder: Path) -> None:
    (folder / ABOUT).write_bytes(b"{")


def _renamed(folder: Path) -> None:
    (folder / ABOUT).write_text(json.dumps({"v": 1, "name": "C-9", "lab": True}))


def _unsaid(folder: Path) -> None:
    (folder / ABOUT).write_text(json.dumps({"v": 1, "name": "C-1", "lab": None}))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (_without, ConfigError, "There is no case"),
        (_cut, TrustError, "was changed"),
        (_renamed, TrustError, "different names"),
        (_unsaid, TrustError, "different names"),
    ],
)
def test_a_case_that_is_not_whole_is_refused(
    made: Case, change: Callable[[Path], None], error: type[Exception], message: str
) -> None:
    change(made.folder)
    with pytest.raises(error, match=message):
        open_case(made.folder, unwrap)
