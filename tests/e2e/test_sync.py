"""An authority publishes with the commands, a device syncs, and a scan uses what came."""

import json
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.as_process import run
from tests.make_data import encode, make_photo
from tests.repository import Server, served

OWNERS = ("olga", "omar")
OFFICERS = ("alice", "bob")
WITNESSES = ("tower", "harbour")

OTHER = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg"
"""Another device: the recipient in age's own documentation."""


class Stage:
    """An authority, its web server, and a device that it has enrolled."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder = folder
        self.server = server
        self.repository = folder / "repository"
        self.photos = folder / "photos"
        self.root = self.repository / "public" / "metadata" / "1.root.json"
        for name in (*OWNERS, *OFFICERS, *WITNESSES):
            self.lists("keys", "new", folder / f"{name}.key", "--name", name)
        device = self.lists("keys", "device", "--json")
        self.recipient = json.loads(device.stdout)["recipient"]
        people = [
            option
            for role, names in (
                ("owner", OWNERS), ("officer", OFFICERS), ("witness", WITNESSES)
            )
            for name in names
            for option in (f"--{role}", folder / f"{name}.key.pub")
        ]  # fmt: skip
        self.lists(
            "publish", "new", self.repository, "--origin", "lists.example.org/log",
            "--authority", "hotline", "--list", "baseline", *people, "--quorum", "2",
        )  # fmt: skip

    def lists(self, *arguments: str | Path, code: int = 0) -> CompletedProcess[str]:
        done = run("lists", *arguments, folder=self.folder)
        assert done.returncode == code, done.stderr
        return done

    def list_of(self, *seeds: int, **changes: object) -> Path:
        """Write an authority's list of photos, made from an own list of them."""
        mine = self.folder / f"mine {seeds}"
        mine.mkdir(exist_ok=True)
        for seed in seeds:
            (mine / f"{seed}.png").write_bytes(encode(make_photo(seed), "PNG"))
        own = self.folder / "own.list"
        self.lists("make", mine, "--out", own)
        header, *entries = own.read_text().splitlines()
        fields = {
            **json.loads(header),
            "name": "baseline",
            "category": "csam",
            "uses": ["guard", "triage"],
            "issuer": "A hotline of tests",
            "legal_basis": "none: a test",
            "legal_class": "baseline",
            **changes,
        }
        lines = [json.loads(entry) for entry in entries]
        for line in lines:
            line.pop("label")
        path = self.folder / "baseline.list"
        path.write_text("".join(f"{json.dumps(each)}\n" for each in (fields, *lines)))
        return path

    def publish(self, path: Path, version: int, *options: str) -> None:
        """Stage, sign, log, witness and publish a version."""
        self.lists(
            "publish", "stage", self.repository, path, "--version", str(version), *options
        )
        self.sign_and_publish(*(OWNERS if version == 1 else ()), *OFFICERS)

    def sign_and_publish(self, *people: str) -> None:
        staged = self.repository / "staged"
        for name in people:
            self.lists("sign", staged, "--key", self.folder / f"{name}.key", "--yes")
        self.lists("publish", "log", self.repository)
        for name in WITNESSES:
            self.lists("witness", staged, "--key", self.folder / f"{name}.key", "--first")
        self.lists("publish", "now", self.repository)

    def sync(self, *options: str | Path) -> str:
        """Sync and return what became of the list."""
        done = self.lists("sync", self.server.address, "--json", *options)
        (one,) = json.loads(done.stdout)["lists"]
        return f"{one['version']} {one['state']}"

    def scan(self) -> dict[str, str]:
        """Scan photos 1 to 3 with the list, by its name; return the reason for each."""
        self.photos.mkdir(exist_ok=True)
        for seed in (1, 2, 3):
            (self.photos / f"{seed}.png").write_bytes(encode(make_photo(seed), "PNG"))
        done = run(
            "scan", self.photos, "--list", "baseline", "--fast", "--json", folder=self.folder
        )
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == any(row["decision"] == "block" for row in rows), done.stderr
        for match in (match for row in rows for match in row["matches"]):
            assert (match["list"], match["stale"], match["entry"]) == ("baseline", False, None)
        return {Path(row["path"]).stem: row["reason"] for row in rows}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with served(tmp_path / "repository" / "public") as server:
        yield Stage(tmp_path, server)


def test_what_is_published_is_synced_and_scanned_with(stage: Stage) -> None:
    devices = ("--device", f"laptop={stage.recipient}", "--device", f"other={OTHER}")
    stage.publish(stage.list_of(1), 1, *devices)
    assert stage.sync("--root", stage.root) == "1 taken"
    assert stage.scan() == {"1": "known", "2": "none", "3": "none"}
    seen = stage.folder / "seen"
    check = ("check", stage.server.address, "--root", stage.root)
    stage.lists(*check, "--save", seen)

    stage.publish(stage.list_of(1, 2), 2)
    assert stage.sync().startswith("2 ")
    assert stage.scan() == {"1": "known", "2": "known", "3": "none"}
    stage.lists(*check, "--earlier", seen, "--save", seen)

    stage.lists("publish", "revoke", stage.repository, "--device", "laptop")
    stage.publish(stage.list_of(1, 2, 3), 3)
    assert stage.sync() == "2 revoked"
    assert stage.scan() == {"1": "known", "2": "known", "3": "none"}

    done = stage.lists("sync", stage.server.address, "--forget")
    assert done.stdout == "forgotten, with its lists\n"
    assert run("scan", stage.photos, "--list", "baseline", folder=stage.folder).returncode == 3


def test_a_sealed_list_is_used_and_never_lies_open_on_the_disk(stage: Stage) -> None:
    stage.publish(stage.list_of(1, sealed=True), 1, "--device", f"laptop={stage.recipient}")
    assert stage.sync("--root", stage.root) == "1 taken"
    assert stage.scan() == {"1": "known", "2": "none", "3": "none"}
    entry = json.loads((stage.folder / "baseline.list").read_text().splitlines()[1])
    secrets = [entry["sha256"].encode(), bytes.fromhex(entry["sha256"])]
    for place in ("state", "cache"):
        files = [path for path in (stage.folder / place).rglob("*") if path.is_file()]
        assert files or place == "cache"
        for path in files:
            assert not any(secret in path.read_bytes() for secret in secrets)


@pytest.mark.slow
def test_a_list_for_the_guard_alone_is_refused_to_a_scan(stage: Stage) -> None:
    path = stage.list_of(1, uses=["guard"])
    stage.publish(path, 1, "--device", f"laptop={stage.recipient}")
    assert stage.sync("--root", stage.root) == "1 taken"
    stage.photos.mkdir()
    done = run("scan", stage.photos, "--list", "baseline", "--fast", folder=stage.folder)
    assert done.returncode == 5
    assert "is for guard, not for triage" in done.stderr
