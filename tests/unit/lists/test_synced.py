"""A synced list in use: its newest version here, stale when nobody vouches for it, sealed."""

import hashlib
import json
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from protech.errors import SourceError, TrustError
from protech.lists import synced
from protech.lists.device import DeviceLists
from protech.lists.entries import Use
from protech.lists.keys import make_device_key
from protech.lists.store import open_list
from protech.lists.sync.flow import sync
from protech.lists.synced import LOOK_S, SyncedList
from protech.types import Digests, MatchKind, PdqHash
from tests.listed import header as own_header
from tests.listed import write
from tests.repository import LIST, OTHER_LIST, Repository, lines

NOW = datetime.now(UTC)
FIRST, SECOND = lines(1, 1), lines(2, 1)


class Here:
    """A device with a list and a sealed one, and a clock to turn on."""

    def __init__(self, folder: Path) -> None:
        self.device = DeviceLists(folder / "state" / "lists")
        recipient = make_device_key(self.device.key)
        self.repository = Repository(folder / "repository", recipients=[recipient])
        self.repository.add(FIRST)
        self.repository.add(FIRST, name=OTHER_LIST, is_sealed=True)
        self.sync()
        self.cache = folder / "cache"
        self.now = NOW
        self.seconds = 0.0

    def sync(self) -> None:
        self.repository.publish()
        done = sync(self.device, str(self.repository.folder), root=self.repository.first_root)
        assert done.error is None

    def open(self, name: str = LIST, use: str = "triage") -> SyncedList:
        return SyncedList(
            name,
            use=use,
            device=self.device,
            cache=self.cache,
            clock=lambda: self.now,
            ticks=lambda: self.seconds,
        )


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


def asked(entries: set[bytes]) -> tuple[Digests, PdqHash]:
    (line,) = entries
    fields = json.loads(line)
    sha256 = bytes.fromhex(fields["sha256"])
    other = hashlib.sha1(sha256).digest()
    digests = Digests(md5=other[:16], sha1=other, sha256=sha256)
    return digests, PdqHash(bits=bytes.fromhex(fields["pdq"][0]), quality=90)


@pytest.mark.parametrize("name", [LIST, OTHER_LIST])
def test_a_synced_list_matches_and_prints_no_entry(here: Here, name: str) -> None:
    known = here.open(name)
    digests, hash_ = asked(FIRST)
    found = [*known.exact(digests), *known.near([hash_], radius_bits=31)]
    assert [match.kind for match in found] == [MatchKind.SHA256, MatchKind.PDQ]
    assert {(match.source.name, match.entry) for match in found} == {(name, None)}
    assert known.counts()[MatchKind.PDQ] == 1
    assert (known.header.count, known.reading.entries) == (1, 1)


def test_a_sealed_list_leaves_no_index_on_the_disk(here: Here) -> None:
    here.open(OTHER_LIST)
    assert list(here.cache.rglob("*")) == []


def test_it_is_found_by_its_name_where_no_file_has_it(
    here: Here, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = open_list(LIST, use="triage", cache=here.cache, device=here.device)
    assert known.ref.name == LIST
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match="protech lists sync"):
        open_list("no-such-list", device=here.device)


def test_another_use_is_refused(here: Here) -> None:
    with pytest.raises(TrustError, match="not for messaging"):
        here.open(use=Use.MESSAGING)


def test_it_is_stale_once_nobody_vouches_that_it_is_the_newest(here: Here) -> None:
    known = here.open()
    assert [known.ref.stale] == [False]
    here.now += timedelta(days=31)
    assert [known.ref.stale] == [True]
    assert known.exact(asked(FIRST)[0])[0].source.stale


def versions(known: SyncedList) -> Iterator[int]:
    """Yield the version in use until it changes."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        yield known.ref.version
        time.sleep(0.01)


def test_a_newer_version_takes_its_place_without_a_pause(here: Here) -> None:
    known = here.open()
    here.repository.add(FIRST | SECOND, version=2)
    here.sync()
    assert known.ref.version == 1
    here.seconds += LOOK_S
    assert 2 in versions(known)
    assert known.exact(asked(SECOND)[0])


def test_one_that_cannot_be_opened_leaves_the_old_one_in_use(
    here: Here, caplog: pytest.LogCaptureFixture
) -> None:
    known = here.open()
    here.repository.add(FIRST | SECOND, version=2)
    here.sync()
    here.device.find(LIST).path.write_bytes(b"damaged")
    here.seconds += LOOK_S
    with caplog.at_level(logging.WARNING, logger=synced.__name__):
        end = time.monotonic() + 60
        while not caplog.messages and time.monotonic() < end:
            assert known.ref.version == 1
            time.sleep(0.01)
    assert caplog.messages == ["list not renewed error=TrustError"]
    assert known.exact(asked(FIRST)[0])


def test_a_look_that_finds_nothing_new_changes_nothing(here: Here) -> None:
    known = here.open()
    here.seconds += LOOK_S
    known.ref  # noqa: B018 - asking is what makes it look
    end = time.monotonic() + 60
    while not known._looking.acquire(blocking=False) and time.monotonic() < end:
        time.sleep(0.01)
    assert known.ref.version == 1


def test_a_file_of_its_name_does_not_take_its_place(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    write(stick / LIST, own_header())
    monkeypatch.chdir(stick)
    assert open_list(LIST, device=here.device, cache=here.cache).exact(asked(FIRST)[0])
    own = open_list(f"./{LIST}", device=here.device, cache=here.cache)
    assert own.header.name == own_header().name
