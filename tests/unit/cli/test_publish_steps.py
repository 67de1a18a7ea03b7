import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from protech.lists.seal import new_identity, recipient_of
from tests.as_process import run
from tests.authority import Authority, write_list

DEVICE = recipient_of(new_identity())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.new(tmp_path / "authority", now=datetime.now(UTC))


def publish(
    authority: Authority, step: str, *rest: str | Path
) -> subprocess.CompletedProcess[str]:
    place = authority.repository.place
    return run("lists", "publish", step, place, *rest, folder=authority.folder / "home")


def answer(authority: Authority, step: str, *rest: str | Path) -> dict[str, object]:
    done = publish(authority, step, *rest, "--json")
    assert done.returncode == 0, done.stderr
    value: dict[str, object] = json.loads(done.stdout)
    return value


def test_a_list_goes_from_a_file_to_the_public(authority: Authority, tmp_path: Path) -> None:
    path = write_list(tmp_path / "a.list", [1, 2, 3])
    staged = answer(authority, "stage", path, "--device", f"laptop={DEVICE}")
    assert (staged["entries"], staged["recipients"], staged["delta_bytes"]) == (3, 1, None)
    too_soon = publish(authority, "now")
    assert too_soon.returncode == 5
    assert "needs 2 more" in too_soon.stderr
    authority.sign("olga", "omar", "alice", "bob")
    assert answer(authority, "log") == {"v": 1, "log_size": 1, "cosigned": False, "quorum": 2}
    assert "protech lists witness" in publish(authority, "now").stderr
    authority.cosign("w1", "w2", now=datetime.now(UTC))
    assert "publish now" in publish(authority, "log").stdout
    assert answer(authority, "now")["lists"] == [
        {"list": "baseline", "version": 1, "kind": "full", "entries": 3}
    ]
    assert "until" in answer(authority, "refresh")
    assert answer(authority, "status") == {"v": 1, "waiting": []}
    assert "served until" in publish(authority, "status").stdout


def test_devices_come_and_go(authority: Authority, tmp_path: Path) -> None:
    path = write_list(tmp_path / "a.list", [1])
    publish(authority, "stage", path, "--device", f"laptop={DEVICE}")
    other = recipient_of(new_identity())
    answer(authority, "enrol", "--list", "baseline", "--device", f"other={other}")
    assert set(authority.repository.recipients("baseline")) == {"laptop", "other"}
    answer(authority, "revoke", "--device", "other")
    assert set(authority.repository.recipients("baseline")) == {"laptop"}
    wrong = publish(authority, "enrol", "--list", "baseline", "--device", "other")
    assert "--device laptop=age1" in wrong.stderr


def test_it_is_said_who_must_sign_a_change(authority: Authority) -> None:
    authority.sign("olga", "omar", "alice", "bob")
    assert answer(authority, "renew", "hotline") == {
        "v": 1,
        "waiting": [{"role": "hotline", "version": 1, "missing": 2}],
    }
    authority.sign("alice", "bob")
    publish(authority, "rotate", "server")
    assert "root 1 waits for 2 more" in publish(authority, "status").stdout
    key = authority.folder / "w1.key.pub"
    waiting = answer(authority, "rotate", "witnesses", "--witness", key, "--quorum", "1")
    assert waiting["waiting"] == [{"role": "root", "version": 1, "missing": 2}]
    assert publish(authority, "rotate", "witnesses").returncode == 2
    alice = authority.folder / "alice.key.pub"
    people: list[str | Path] = ["--remove", alice, "--add", key, "--needed", "3"]
    assert "hotline 1 waits for 3" in publish(authority, "rotate", "hotline", *people).stdout
    assert (
        "targets 1"
        in publish(authority, "delegate", "--authority", "hotline", "--list", "national").stdout
    )


def test_a_repository_that_is_none_is_said(tmp_path: Path) -> None:
    done = run("lists", "publish", "status", tmp_path / "none", folder=tmp_path)
    assert done.returncode == 5
