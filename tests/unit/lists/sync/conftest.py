"""A repository with one list, its server on loopback, and a device that is to get it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protech.lists.device import DeviceLists
from protech.lists.keys import make_device_key
from protech.lists.sync.flow import Synced, sync
from protech.lists.trust import TargetKind
from tests.repository import LIST, Repository, Server, lines, served

ENTRIES = lines(1, 40)


class Stage:
    """What every test of a sync has."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder = folder
        self.server = server
        self.device = DeviceLists(folder / "device")
        self.recipient = make_device_key(self.device.key)
        self.repository = Repository(server.folder, recipients=[self.recipient])
        self.repository.add(ENTRIES)
        self.repository.publish()

    def sync(self, **options: Any) -> Synced:
        """Sync, with the root that the repository was first published with."""
        options.setdefault("root", self.repository.first_root)
        return sync(self.device, self.server.address, **options)

    def synced(self) -> Synced:
        """Sync and see that all of it held."""
        done = self.sync()
        assert done.error is None
        return done

    def held(self, name: str = LIST, kind: TargetKind = TargetKind.FULL) -> tuple[int, bytes]:
        """Return version and content of the list that is in use."""
        with self.device.opened(name, kind=kind) as (held, descriptor):
            return held.target.version, os.pread(descriptor, held.target.size_bytes, 0)

    def has(self, version: int, name: str = LIST) -> bool:
        """Whether this version is in use, byte for byte."""
        return self.held(name) == (version, self.repository.contents[name, version])

    def forget_requests(self) -> None:
        """Start counting anew."""
        self.server.requests.clear()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with served(tmp_path / "served") as server:
        yield Stage(tmp_path, server)
