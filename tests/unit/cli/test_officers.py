import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from protech.lists.keys import read_public
from tests.as_process import run
from tests.authority import Authority, write_list


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.new(tmp_path / "authority", now=datetime.now(UTC))


def test_a_key_is_made_and_shown(tmp_path: Path) -> None:
    secret = tmp_path / "alice.key"
    made = run("lists", "keys", "new", secret, "--name", "alice", "--json", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    shown = run("lists", "keys", "show", f"{secret}.pub", "--json", folder=tmp_path)
    fingerprint = json.loads(made.stdout)["fingerprint"]
    assert json.loads(shown.stdout) == {"v": 1, "name": "alice", "fingerprint": fingerprint}
    again = run("lists", "keys", "new", secret, "--name", "alice", folder=tmp_path)
    assert again.returncode == 2
    assert "never overwritten" in again.stderr


def test_a_devices_key_is_the_same_each_time(tmp_path: Path) -> None:
    first = run("lists", "keys", "device", folder=tmp_path)
    assert first.stdout.startswith("age1")
    again = run("lists", "keys", "device", "--json", folder=tmp_path)
    assert json.loads(again.stdout)["recipient"] == first.stdout.strip()


def test_what_waits_is_shown_before_it_is_signed(authority: Authority, tmp_path: Path) -> None:
    staged = authority.repository.staged
    shown = run("lists", "sign", staged, folder=tmp_path)
    assert "targets 1: 0 signatures, 2 more needed" in shown.stdout
    assert "hotline publishes baseline" in shown.stdout
    for name in ("olga", "omar", "alice", "bob", "carol", "w1", "w2"):
        public = read_public(authority.folder / f"{name}.key.pub")
        assert public.fingerprint in shown.stdout
    assert "log lists.example/log" in shown.stdout
    assert "witnesses: 2 of 2 must cosign" in shown.stdout
    key = authority.folder / "olga.key"
    unsure = run("lists", "sign", staged, "--key", key, folder=tmp_path)
    assert unsure.returncode == 2
    assert "Nothing was signed" in unsure.stderr
    signed = run("lists", "sign", staged, "--key", key, "--yes", "--json", folder=tmp_path)
    assert [one["missing"] for one in json.loads(signed.stdout)["signed"]] == [1, 1]
    waiting = json.loads(run("lists", "sign", staged, "--json", folder=tmp_path).stdout)
    assert [one["signed"] for one in waiting["waiting"]] == [1, 1, 0]


def test_a_passphrase_is_read_from_a_file(authority: Authority, tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text("correct horse\n")
    key = tmp_path / "dora.key"
    asked: list[str | Path] = ["--passphrase-file", words]
    made = run("lists", "keys", "new", key, "--name", "dora", *asked, folder=tmp_path)
    assert made.returncode == 0, made.stderr
    staged = authority.repository.staged
    refused = run("lists", "sign", staged, "--key", key, "--yes", *asked, folder=tmp_path)
    assert refused.returncode == 5
    assert "may sign nothing" in refused.stderr
    without = run("lists", "sign", staged, "--key", key, "--yes", folder=tmp_path)
    assert "has a passphrase" in without.stderr
    gone: list[str | Path] = ["--passphrase-file", tmp_path / "none"]
    unread = run("lists", "sign", staged, "--key", key, *gone, "--yes", folder=tmp_path)
    assert unread.returncode == 2


def test_an_own_list_is_never_shown_or_published(authority: Authority, tmp_path: Path) -> None:
    path = write_list(tmp_path / "a.list", [1])
    path.write_bytes(path.read_bytes().replace(b'"csam"', b'"own"'))
    place = authority.repository.place
    staged = run("lists", "publish", "stage", place, path, folder=tmp_path)
    assert staged.returncode == 5
    assert "never published" in staged.stderr


def test_a_witness_that_nobody_named_cosigns_nothing(
    authority: Authority, tmp_path: Path
) -> None:
    key = authority.folder / "alice.key"
    done = run("lists", "witness", authority.repository.staged, "--key", key, folder=tmp_path)
    assert done.returncode == 5
    assert "none of the witnesses" in done.stderr
