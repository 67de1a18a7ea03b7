import os
from pathlib import Path

import pytest

from protech.errors import ConfigError, TrustError
from protech.lists.publish.place import Repository, new_file, settle
from protech.lists.seal import new_identity, recipient_of
from tests.authority import Authority


def test_what_waits_goes_before_what_is_served(tmp_path: Path) -> None:
    repository = Authority.new(tmp_path / "a").repository
    assert repository.versions() == {}
    assert repository.documents().versions() == {"root": 1, "targets": 1, "hotline": 1}
    repository.unstage()
    with pytest.raises(TrustError, match="no document root"):
        repository.documents()


def test_where_there_is_no_repository_it_is_said(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "a")
    with pytest.raises(ConfigError, match="lists publish new"), repository.turn():
        pass


def test_recipients_are_kept_privately(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    assert repository.recipients("baseline") == {}
    recipients = {"laptop": recipient_of(new_identity())}
    repository.keep_recipients("baseline", recipients)
    assert repository.recipients("baseline") == recipients
    path = repository.private / "baseline" / "recipients.json"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(TrustError, match="recipient is none"):
        repository.keep_recipients("baseline", {"laptop": "age1"})
    path.write_text("{")
    with pytest.raises(TrustError, match="damaged"):
        repository.recipients("baseline")


def test_what_a_kill_left_behind_is_deleted(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    left = repository.plain("baseline") / ".new-x"
    left.touch()
    repository.plain("baseline")
    assert not left.exists()


def test_a_new_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    with new_file(tmp_path) as (out, path):
        out.write(b"whole")
        settle(out)
        path.replace(tmp_path / "there")
    with new_file(tmp_path) as (out, _):
        out.write(b"half")
    assert [one.name for one in tmp_path.iterdir()] == ["there"]
    assert (tmp_path / "there").read_bytes() == b"whole"


def test_no_room_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="make room"), new_file(tmp_path):
        raise OSError(28, os.strerror(28))
