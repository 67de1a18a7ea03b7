"""A repository that the device trusts."""

from pathlib import Path

import pytest

from protech.errors import ConfigError, TrustError
from protech.lists.entries import Use
from protech.lists.pinned import Pinned, id_of, read_pinned

ROOT = b"a root of trust"
USES = frozenset({Use.GUARD})


@pytest.fixture
def pinned(tmp_path: Path) -> Pinned:
    made = Pinned(folder=tmp_path / id_of(ROOT), address="https://example.org/", uses=USES)
    made.begin(ROOT)
    return made


def test_a_repository_is_known_once_it_has_proved_itself(pinned: Pinned) -> None:
    assert read_pinned(pinned.folder) is None
    pinned.keep()
    assert read_pinned(pinned.folder) == pinned


def test_its_root_is_the_one_that_was_given(pinned: Pinned) -> None:
    assert pinned.root == ROOT
    pinned.begin(b"another")
    assert pinned.root == ROOT


@pytest.mark.parametrize("content", [b"another root", b""])
def test_a_changed_root_is_refused(pinned: Pinned, content: bytes) -> None:
    (pinned.folder / "pinned.root.json").write_bytes(content)
    with pytest.raises(TrustError, match="is gone or was changed"):
        _ = pinned.root


def test_a_lost_root_is_refused(pinned: Pinned) -> None:
    (pinned.folder / "pinned.root.json").unlink()
    with pytest.raises(TrustError, match="is gone or was changed"):
        _ = pinned.root


def test_it_knows_the_roots_that_it_has_trusted(pinned: Pinned) -> None:
    history = pinned.metadata / "root_history"
    (history / "2.root.json").write_bytes(b"the second")
    assert pinned.knows(ROOT)
    assert pinned.knows(b"the second")
    assert not pinned.knows(b"a third")


def test_what_was_being_downloaded_is_gone_at_the_next_beginning(pinned: Pinned) -> None:
    (pinned.coming / "target").write_bytes(b"half")
    pinned.begin(ROOT)
    assert list(pinned.coming.iterdir()) == []


def test_the_last_checkpoint_is_remembered(pinned: Pinned) -> None:
    assert pinned.checkpoint is None
    pinned.keep_checkpoint(b"note")
    assert pinned.checkpoint == b"note"


def test_what_is_for_others_is_remembered(pinned: Pinned) -> None:
    assert pinned.unreadable == frozenset()
    pinned.keep_unreadable(frozenset({"a", "b"}))
    assert pinned.unreadable == {"a", "b"}
    (pinned.folder / "unreadable.json").write_bytes(b"{")
    assert pinned.unreadable == frozenset()


def test_there_are_no_shelves_at_first(pinned: Pinned) -> None:
    assert list(pinned.shelves()) == []
    (pinned.folder / "lists").rmdir()
    assert list(pinned.shelves()) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"v": 2}', b'{"v": 1}', b'{"v":1,"address":"a","uses":["x"]}'],
)
def test_a_damaged_record_is_said_to_be(pinned: Pinned, content: bytes) -> None:
    (pinned.folder / "repository.json").write_bytes(content)
    with pytest.raises(TrustError, match="was damaged"):
        read_pinned(pinned.folder)


def test_a_record_that_cannot_be_read_is_not_an_unknown_repository(pinned: Pinned) -> None:
    (pinned.folder / "repository.json").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        read_pinned(pinned.folder)


def test_the_address_does_not_show(pinned: Pinned) -> None:
    assert "example.org" not in repr(pinned)
