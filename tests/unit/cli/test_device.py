"""``protech lists sync`` and ``check``, run as processes."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from protech.lists.keys import make_device_key
from tests.as_process import home, run
from tests.repository import LIST, ORIGIN, Repository, answer, lines, served

ENTRIES = lines(1, 40)


class Stage:
    """A repository in a folder and the home of a user whose device is enrolled there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.device = Path(home(folder)["XDG_STATE_HOME"]) / "protech" / "lists"
        recipient = make_device_key(self.device / "device.key")
        for each in (self.device.parent, self.device):
            each.chmod(0o700)
        self.repository = Repository(folder / "repository", recipients=[recipient])
        self.repository.add(ENTRIES)
        self.publish()
        self.root = folder / "root.json"
        self.root.write_bytes(self.repository.first_root)

    def publish(self) -> None:
        self.repository.publish()

    def run(self, *arguments: str | Path) -> CompletedProcess[str]:
        return run("lists", *arguments, folder=self.folder)

    def sync(self, *arguments: str | Path) -> CompletedProcess[str]:
        return self.run("sync", self.repository.folder, "--root", self.root, *arguments)

    def check(self, *arguments: str | Path) -> CompletedProcess[str]:
        return self.run("check", self.repository.folder, "--root", self.root, *arguments)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_lists_are_brought_here_and_the_roots_digest_is_said(stage: Stage) -> None:
    done = stage.sync()
    assert done.returncode == 0
    assert done.stdout.startswith(f"{ORIGIN}: root 1, 1 in the log\n  {LIST} 1: taken, fresh ")
    digest = hashlib.sha256(stage.repository.first_root).hexdigest()
    assert digest in done.stderr.replace(" ", "")
    again = stage.run("sync", "--json")
    assert (again.returncode, again.stderr) == (0, "")
    told = json.loads(again.stdout)
    assert (told["v"], told["repository"], told["error"]) == (1, ORIGIN, None)
    assert [(one["name"], one["version"], one["state"]) for one in told["lists"]] == [
        (LIST, 1, "current")
    ]


def test_a_list_that_is_refused_ends_with_the_code_for_trust(stage: Stage) -> None:
    stage.sync()
    stage.repository.add(ENTRIES | lines(2, 2), version=2, is_logged=False)
    stage.publish()
    done = stage.run("sync", "--json")
    assert done.returncode == 5
    assert "is not in the log" in done.stderr
    assert json.loads(done.stdout)["lists"][0]["state"] == "refused"


def test_a_stale_list_is_said_loudly(stage: Stage) -> None:
    past = datetime.now(UTC) - timedelta(days=1)
    stage.repository.add(ENTRIES | lines(2, 2), version=2, expires_at=past)
    stage.publish()
    done = stage.sync()
    assert done.returncode == 0
    assert f"the list {LIST} is STALE; it stays in use" in done.stderr


def test_one_repository_that_fails_leaves_the_others_alone(stage: Stage) -> None:
    stage.sync()
    other = Repository(
        stage.folder / "other", recipients=stage.repository.recipients, name="other"
    )
    other.publish()
    root = stage.folder / "other.json"
    root.write_bytes(other.first_root)
    assert stage.run("sync", other.folder, "--root", root).returncode == 0
    (other.folder / "metadata" / "timestamp.json").unlink()
    done = stage.run("sync")
    assert done.returncode == 3
    assert "current" in done.stdout


def test_without_a_root_nothing_is_trusted(stage: Stage) -> None:
    done = stage.run("sync", stage.repository.folder)
    assert done.returncode == 5
    assert "--root FILE" in done.stderr
    done = stage.run("sync")
    assert done.returncode == 2
    assert "No repository is known here" in done.stderr


def test_a_repository_is_forgotten_on_request(stage: Stage) -> None:
    assert stage.run("sync", "--forget").returncode == 2
    assert stage.run("sync", stage.repository.folder, "--forget").returncode == 3
    stage.sync()
    assert stage.run("show", LIST).returncode == 0
    indexes = Path(home(stage.folder)["XDG_CACHE_HOME"]) / "protech" / "lists"
    assert list(indexes.glob("*/manifest")) != []
    done = stage.run("sync", stage.repository.folder, "--forget")
    assert (done.returncode, done.stdout) == (0, "forgotten, with its lists\n")
    assert list((stage.device / "repositories").iterdir()) == []
    assert list(indexes.glob("*/manifest")) == []


def test_uses_are_remembered(stage: Stage) -> None:
    done = stage.sync("--use", "messaging", "--json")
    assert json.loads(done.stdout)["lists"][0]["state"] == "other_use"
    assert json.loads(stage.run("sync", "--json").stdout)["lists"][0]["state"] == "other_use"
    done = stage.run("sync", "--json", "--use", "guard")
    assert json.loads(done.stdout)["lists"][0]["state"] == "taken"


def test_nothing_that_is_printed_names_address_or_digest(stage: Stage) -> None:
    with served(stage.repository.folder) as server:
        done = stage.run("sync", server.address, "--root", stage.root)
        server.answers["timestamp.json"] = answer(b"<html>")
        failed = stage.run("sync")
    gone = stage.run("sync")
    assert (done.returncode, failed.returncode, gone.returncode) == (0, 5, 3)
    for each in (failed, gone):
        assert "127.0.0.1" not in each.stdout + each.stderr
        assert "Traceback" not in each.stderr


def test_a_repository_that_holds_is_said_to_hold(stage: Stage) -> None:
    seen = stage.folder / "seen"
    done = stage.check("--save", seen)
    assert done.returncode == 0
    assert {line.split()[0] for line in done.stdout.splitlines()} == {"holds"}
    stage.repository.add(ENTRIES | lines(2, 2), version=2, base=1)
    stage.publish()
    done = stage.check("--earlier", seen, "--save", seen)
    assert "begins with the 1 leaves seen before" in done.stdout
    rows = [json.loads(line) for line in stage.check("--json").stdout.splitlines()]
    assert all(row["holds"] for row in rows)
    assert {f"list {LIST}", "witnesses", "leaves", "versions"} <= {row["check"] for row in rows}


def test_what_does_not_hold_is_said_and_the_checkpoint_is_not_kept(stage: Stage) -> None:
    target = stage.repository.add(ENTRIES | lines(2, 2), version=2)
    stage.publish()
    file = stage.repository.file_of(target)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    done = stage.check("--save", stage.folder / "seen")
    assert done.returncode == 5
    assert f"FAILS  list {LIST}" in done.stdout
    assert "1 of the checks above did not hold" in done.stderr
    assert not (stage.folder / "seen").exists()
    assert stage.check("--metadata").returncode == 0


def test_a_file_that_is_not_there_is_said_to_be(stage: Stage) -> None:
    done = stage.run("check", stage.repository.folder, "--root", stage.folder / "nothing")
    assert done.returncode == 2
    assert "cannot be read" in done.stderr
