"""Opening known lists by path or name."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from protech.errors import ConfigError, ListFormatError, SourceError, TrustError
from protech.lists import store as module
from protech.lists.device import DeviceLists
from protech.lists.entries import Use
from protech.lists.exceptions import KEYS, sign_exceptions
from protech.lists.formats.exceptions import ExceptionEntry, ExceptionHeader, content_of
from protech.lists.indexes import LOCK
from protech.lists.keys import make_device_key
from protech.lists.store import open_exception_list, open_list, version_at
from protech.lists.sync.flow import sync
from protech.lists.trust import TargetKind
from protech.settings import Places, change_settings
from protech.signing import Key
from protech.types import MatchKind
from tests.as_process import home
from tests.listed import ASKED, ENTRY, header, write
from tests.repository import LIST, OTHER_LIST, Repository, target_of
from tests.repository import header as repository_header
from tests.unit.lists.formats.test_circl import write as write_filter

NOW = datetime.now(UTC).replace(microsecond=0)
EXCEPTED = ExceptionHeader(
    name="unjust",
    version=1,
    author="An examiner",
    created_at=NOW,
    expires_at=NOW + timedelta(days=1),
    lists=frozenset({"mine"}),
)
EXCEPTION = ExceptionEntry(
    lists=frozenset({"mine"}), reason="a landscape", author="An examiner", sha256=bytes(32)
)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "lists"


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff", b"{}\n", b'{"protech_list": 2}\n'])
def test_what_is_no_list_is_refused(tmp_path: Path, cache: Path, content: bytes) -> None:
    (tmp_path / "l").write_bytes(content)
    with pytest.raises(ListFormatError, match="Make it again"):
        open_list(tmp_path / "l", cache=cache)


def test_a_path_without_a_list_is_refused(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(SourceError, match="check its path"):
        open_list(tmp_path / "none", cache=cache)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(SourceError, match="is not a file"):
            open_list(path, cache=cache)


def test_a_list_that_changes_meanwhile_is_refused(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "l", header())
    open_list(path, cache=cache)
    real = os.pread

    def pread(descriptor: int, size: int, at: int) -> bytes:
        if at:
            os.utime(path, ns=(0, 0))
        return real(descriptor, size, at)

    monkeypatch.setattr(os, "pread", pread)
    with pytest.raises(ListFormatError, match="changed while it was read"):
        open_list(path, cache=cache)


def test_of_a_list_that_changes_while_it_is_indexed_no_index_is_kept(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "l", header(), [ENTRY])
    old = path.read_bytes()

    def changing(descriptor: int) -> bytes:
        digest = sha256(descriptor)
        path.write_bytes(write(tmp_path / "m", header(), []).read_bytes())
        return digest

    sha256 = module._sha256
    monkeypatch.setattr(module, "_sha256", changing)
    with pytest.raises(ListFormatError, match="changed while it was read"):
        open_list(path, cache=cache)
    monkeypatch.undo()
    assert [place.name for place in cache.iterdir()] == [LOCK]
    path.write_bytes(old)
    assert len(open_list(path, cache=cache).exact(ASKED)) == 3


def test_what_stands_where_a_list_shall_be_is_asked_without_waiting(tmp_path: Path) -> None:
    assert version_at(tmp_path / "none") == 0
    assert version_at(write(tmp_path / "l", header(version=7))) == 7
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(ConfigError, match="it is not replaced"):
            version_at(path)


def test_a_filter_of_harmless_files_is_a_list_like_any_other(tmp_path: Path) -> None:
    known = open_list(write_filter(tmp_path / "filter", [ASKED.sha1]))
    assert [match.is_known_good for match in known.exact(ASKED)] == [True]
    assert known.counts()[MatchKind.SHA1] == known.reading.entries == 1


class Silenced:
    """An exception list that is signed, in the home of somebody who pinned its signer."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, place in home(folder).items():
            monkeypatch.setenv(name, place)
        self.path = folder / "exceptions"
        self.path.write_bytes(content_of(EXCEPTED, [EXCEPTION]))
        self.signer = sign_exceptions(self.path, name="author", key=Key.generate())

    def pin(self) -> None:
        settings = Places.of_user().settings_file
        settings.parent.mkdir(parents=True, mode=0o700)
        change_settings(settings, {KEYS: [self.signer.text]})


@pytest.fixture
def silenced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Silenced:
    return Silenced(tmp_path, monkeypatch)


def test_an_exception_list_counts_once_its_signer_is_pinned(silenced: Silenced) -> None:
    with pytest.raises(TrustError, match="not signed by a key that the settings pin"):
        open_exception_list(silenced.path, application="triage")
    silenced.pin()
    known = open_exception_list(silenced.path, application="triage")
    assert known.state == ("unjust", 1, 1)


def test_exceptions_are_never_for_a_guarded_person(silenced: Silenced) -> None:
    silenced.pin()
    for source in (silenced.path, "of-an-authority"):
        with pytest.raises(ConfigError, match="guard"):
            open_exception_list(source, application="guard")


def offer_exceptions(folder: Path, *silenced: str) -> DeviceLists:
    """Return a device that has synced an authority's exceptions to these lists."""
    device = DeviceLists(folder / "state")
    repository = Repository(folder / "r", recipients=[make_device_key(device.key)])
    lists = frozenset(silenced)
    content = content_of(
        replace(EXCEPTED, name=LIST, lists=lists), [replace(EXCEPTION, lists=lists)]
    )
    target = target_of(content, repository_header(), kind=TargetKind.EXCEPTIONS)
    target = replace(target, uses=frozenset({Use.TRIAGE}))
    repository.offer(target, content, repository.recipients)
    repository.log_version(target)
    repository.publish()
    done = sync(device, str(repository.folder), root=repository.first_root)
    assert done.error is None
    return device


def test_an_exception_list_of_an_authority_is_found_by_its_name(tmp_path: Path) -> None:
    device = offer_exceptions(tmp_path, OTHER_LIST)
    known = open_exception_list(LIST, application="triage", device=device)
    assert known.in_force == 1
    with pytest.raises(TrustError, match="not for messaging"):
        open_exception_list(LIST, application="messaging", device=device)


def test_an_authority_silences_no_list_of_another(tmp_path: Path) -> None:
    device = offer_exceptions(tmp_path, OTHER_LIST, "baseline")
    with pytest.raises(TrustError, match="lists of others"):
        open_exception_list(LIST, application="triage", device=device)
