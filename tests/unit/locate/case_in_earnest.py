"""A case whose commands run in this process: its anchors alone are a lab's."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from protech.lists.fetch_key import FetchKey
from protech.locate import command_papers, command_run
from protech.locate.adapter import Network
from protech.locate.case import PAPERS
from protech.locate.command import add_command
from protech.locate.demo.office import LIST, publish_list
from protech.locate.demo.people import CASE, People, found_authority, sign_papers
from protech.locate.papers import Anchors
from tests.unit.lists.test_fetch_keys import TORRENT

WHERE = {
    "XDG_STATE_HOME": "state",
    "XDG_CONFIG_HOME": "config",
    "XDG_CACHE_HOME": "cache",
    "XDG_RUNTIME_DIR": "run",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where a person works, and the papers that wait for a case to begin."""

    folder: Path
    people: People
    anchors: Anchors

    @property
    def case(self) -> Path:
        return self.folder / "case"

    @property
    def papers(self) -> Path:
        return self.case / PAPERS

    @property
    def identity(self) -> tuple[str, str]:
        """The options that open the case."""
        path = self.folder / "identity.txt"
        path.touch(mode=0o600)
        path.write_text(self.people.identity + "\n")
        return "--identity", str(path)

    def options(self, *words: str | Path) -> argparse.Namespace:
        """Read a command line as the command does."""
        top = argparse.ArgumentParser()
        add_command(top.add_subparsers())
        return top.parse_args(["locate", *map(str, words)])


def ground(
    folder: Path, monkeypatch: pytest.MonkeyPatch, keys: Sequence[FetchKey] = (TORRENT,)
) -> Ground:
    """Publish a list, sync it for this user, and file signed papers."""
    for name, place in WHERE.items():
        (folder / place).mkdir(mode=0o700)
        monkeypatch.setenv(name, str(folder / place))
    now = datetime.now(UTC)
    office = publish_list(folder / "office", keys, now)
    (folder / "state" / "protech").mkdir(mode=0o700)
    office.device.folder.rename(folder / "state" / "protech" / "lists")
    people = People.fresh()
    anchors = found_authority(folder, people, office)
    networks = frozenset({Network.BITTORRENT})
    papers = folder / "case" / PAPERS
    (folder / "case").mkdir(mode=0o700)
    sign_papers(papers, people, anchors, list_name=LIST, networks=networks, now=now)
    for module in (command_run, command_papers):
        monkeypatch.setattr(module, "system_anchors", lambda: anchors)
    return Ground(folder=folder, people=people, anchors=anchors)


__all__ = ["CASE", "LIST", "Ground", "ground"]
