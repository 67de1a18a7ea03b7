import io
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from tuf.api.exceptions import DownloadHTTPError, ExpiredMetadataError
from tuf.ngclient import Updater
from tuf.ngclient.fetcher import FetcherInterface

from protech.errors import TrustError
from protech.lists import delta
from protech.lists.entries import ListHeader
from protech.lists.keys import PublicKey, make_key, read_public
from protech.lists.publish import release
from protech.lists.publish.setup import Rotation, rotate, rotate_server
from protech.lists.publish.stage import enrol, revoke
from protech.lists.repository.documents import Documents
from protech.lists.seal import new_identity, recipient_of, unseal
from protech.lists.trust import ListTarget, TargetKind, parse_target, plan
from tests.authority import HEADER, NOW, Authority, entry

DEVICE, OTHER = new_identity(), new_identity()
RECIPIENTS = {"laptop": recipient_of(DEVICE), "lab": recipient_of(OTHER)}


class FromDisk(FetcherInterface):
    """Serves a directory to python-tuf's own client."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            yield Path(url.removeprefix("file://")).read_bytes()
        except FileNotFoundError:
            raise DownloadHTTPError("gone", 404) from None


def header(version: int) -> ListHeader:
    return replace(HEADER, version=version)


def key(authority: Authority, name: str) -> PublicKey:
    return make_key(authority.folder / f"{name}.key", name=name)


def key_of(authority: Authority, name: str) -> PublicKey:
    return read_public(authority.folder / f"{name}.key.pub")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority.new(tmp_path / "authority")
    made.stage(range(1, 200), RECIPIENTS)
    made.sign("olga", "omar", "alice", "bob")
    made.publish()
    return made


def client(authority: Authority, folder: Path, now: datetime = NOW) -> Updater:
    """Return python-tuf's client, which trusts the first root."""
    metadata = authority.repository.metadata
    updater = Updater(
        str(folder),
        f"file://{metadata}",
        target_dir=str(folder),
        target_base_url=f"file://{authority.repository.targets}",
        fetcher=FromDisk(),
        bootstrap=(metadata / "1.root.json").read_bytes(),
    )
    updater._trusted_set.reference_time = now
    return updater


def loaded(
    authority: Authority, folder: Path, path: str, identity: str = DEVICE
) -> tuple[ListTarget, bytes]:
    """Return a target as a device would: through python-tuf, decrypted, its digest checked."""
    folder.mkdir(exist_ok=True)
    updater = client(authority, folder)
    file = updater.get_targetinfo(path)
    assert file is not None
    target = parse_target(file.custom, path=path)
    plain = io.BytesIO()
    with Path(updater.download_target(file)).open("rb") as ciphertext:
        unseal(ciphertext, plain, identity)
    return target, plain.getvalue()


def versions(authority: Authority) -> list[int]:
    return [one.version for one in authority.repository.served().offered("baseline")]


def test_a_client_of_tuf_gets_what_was_published(authority: Authority, tmp_path: Path) -> None:
    target, plain = loaded(authority, tmp_path / "device", "baseline.1.list.age")
    assert sha256(plain).digest() == target.sha256
    assert target.entries == 199
    assert plain.split(b"\n", 1)[1] == b"".join(sorted(map(entry, range(1, 200))))
    assert target.others == {"recipients": 2}


def test_a_step_leads_from_one_version_to_the_next(
    authority: Authority, tmp_path: Path
) -> None:
    _, old = loaded(authority, tmp_path / "one", "baseline.1.list.age")
    for version in (2, 3):
        authority.stage(range(version, 200 + version), header=header(version))
        authority.sign("alice", "carol")
        authority.publish()
    offered = authority.repository.served().offered("baseline")
    steps = plan(1, offered)
    assert isinstance(steps, list)
    assert [(one.base, one.version) for one in steps] == [(1, 2), (2, 3)]
    for step in steps:
        _, made = loaded(authority, tmp_path / step.path, step.path)
        out = io.BytesIO()
        assert delta.apply(io.BytesIO(old), io.BytesIO(made), out) == step.sha256
        old = out.getvalue()
    assert loaded(authority, tmp_path / "two", "baseline.3.list.age")[1] == old


def test_a_step_that_does_not_pay_is_not_published(authority: Authority) -> None:
    authority.stage(range(1000, 1100), header=header(2))
    kinds = {one.kind for one in authority.repository.documents().offered("baseline")}
    assert kinds == {TargetKind.FULL}


def test_nothing_is_published_before_enough_people_signed(authority: Authority) -> None:
    authority.stage([5], header=header(2))
    with pytest.raises(TrustError, match="needs 2 more"):
        authority.publish()
    authority.sign("alice")
    with pytest.raises(TrustError, match="needs 1 more"):
        authority.publish()
    with pytest.raises(TrustError, match="Nothing waits for this key"):
        authority.sign("alice")
    with pytest.raises(TrustError, match="may sign nothing"):
        authority.sign("w1")
    assert versions(authority) == [1]
    authority.sign("carol")
    authority.publish()
    assert max(versions(authority)) == 2


def test_nothing_is_published_before_enough_witnesses_cosigned(authority: Authority) -> None:
    authority.stage([5], header=header(2))
    authority.sign("alice", "bob")
    entered = release.enter(authority.repository, NOW)
    assert (entered.log_size, entered.quorum, entered.is_cosigned) == (2, 2, False)
    authority.cosign("w1")
    with pytest.raises(TrustError, match="has too few"):
        release.publish(authority.repository, NOW)
    assert versions(authority) == [1]
    authority.cosign("w2")
    assert release.enter(authority.repository, NOW).is_cosigned
    assert release.publish(authority.repository, NOW).log_size == 2


def test_with_nothing_staged_nothing_is_published(authority: Authority) -> None:
    with pytest.raises(TrustError, match="Nothing waits"):
        release.publish(authority.repository, NOW)


def test_a_ciphertext_that_changed_is_not_published(authority: Authority) -> None:
    authority.stage([5], header=header(2))
    authority.sign("alice", "bob")
    for path in authority.repository.staged_targets.iterdir():
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(TrustError, match="damaged"):
        authority.publish()
    assert versions(authority) == [1]


def test_a_document_that_was_changed_after_signing_is_not_published(
    authority: Authority,
) -> None:
    authority.stage([5], header=header(2))
    authority.sign("alice", "bob")
    path = authority.repository.staged / "2.hotline.json"
    path.write_text(path.read_text().replace('"entries":1', '"entries":2'))
    with pytest.raises(TrustError, match="needs 2 more"):
        authority.publish()


def test_refreshing_keeps_a_repository_fresh(authority: Authority, tmp_path: Path) -> None:
    later = NOW + timedelta(days=4)
    (tmp_path / "device").mkdir()
    with pytest.raises(ExpiredMetadataError):
        client(authority, tmp_path / "device", later).refresh()
    assert release.refresh(authority.repository, later) == later + timedelta(days=3)
    client(authority, tmp_path / "device", later).refresh()
    much_later = NOW + timedelta(days=25)
    release.refresh(authority.repository, much_later)
    client(authority, tmp_path / "device", much_later).refresh()
    assert (authority.repository.metadata / "2.snapshot.json").exists()


def test_a_revoked_device_reads_nothing_published_later(
    authority: Authority, tmp_path: Path
) -> None:
    assert revoke(authority.repository, "lab", ["baseline"], NOW) == {"baseline": 1}
    authority.sign("alice", "bob")
    released = authority.publish()
    assert released.log_size == 1
    _, plain = loaded(authority, tmp_path / "device", "baseline.1.list.age")
    assert plain
    with pytest.raises(TrustError, match="not among those"):
        loaded(authority, tmp_path / "other", "baseline.1.list.age", OTHER)


def test_a_device_that_is_enrolled_reads_what_is_there(
    authority: Authority, tmp_path: Path
) -> None:
    new = new_identity()
    assert enrol(authority.repository, "baseline", {"new": recipient_of(new)}, NOW) == {
        "baseline": 3
    }
    authority.sign("alice", "bob")
    authority.publish()
    assert loaded(authority, tmp_path / "device", "baseline.1.list.age", new)[1]


def test_a_key_is_rotated_and_clients_follow(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "device").mkdir()
    client(authority, tmp_path / "device").refresh()
    new = key(authority, "oscar")
    old = key_of(authority, "olga")
    rotate(authority.repository, "root", Rotation(removed=[old], added=[new]), NOW)
    authority.sign("olga", "omar")
    with pytest.raises(TrustError, match="needs 1 more"):
        authority.publish()
    authority.sign("oscar")
    authority.publish()
    updater = client(authority, tmp_path / "device")
    updater.refresh()
    assert updater._trusted_set.root.version == 2
    assert loaded(authority, tmp_path / "device", "baseline.1.list.age")[1]


def test_an_officer_is_replaced(authority: Authority, tmp_path: Path) -> None:
    rotation = Rotation(removed=[key_of(authority, "alice")], added=[key(authority, "dora")])
    rotate(authority.repository, "hotline", rotation, NOW)
    authority.sign("olga", "omar", "bob", "dora")
    authority.publish()
    assert loaded(authority, tmp_path / "device", "baseline.1.list.age")[1]
    authority.stage([5], header=header(2))
    with pytest.raises(TrustError, match="may sign nothing"):
        authority.sign("alice")


def test_the_servers_key_is_rotated(authority: Authority, tmp_path: Path) -> None:
    before = authority.repository.server_key.read_bytes()
    rotate_server(authority.repository, NOW)
    release.refresh(authority.repository, NOW)
    authority.sign("olga", "omar")
    authority.publish()
    assert authority.repository.server_key.read_bytes() != before
    release.refresh(authority.repository, NOW)
    (tmp_path / "device").mkdir()
    client(authority, tmp_path / "device").refresh()


def killed(authority: Authority, moment: int) -> bool:
    """Publish in a process that is killed at one of the moments when it writes."""
    child = os.fork()
    if child == 0:
        left = moment

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            writes = event == "open" and arguments[1] in {"wb", "w"}
            if writes or event in {"os.rename", "os.remove"}:
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        try:
            release.publish(authority.repository, NOW)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_a_kill_at_any_moment_leaves_the_former_state_or_the_new_one(
    authority: Authority, tmp_path: Path
) -> None:
    authority.stage(range(2, 201), header=header(2))
    authority.sign("alice", "bob")
    release.enter(authority.repository, NOW)
    authority.cosign("w1", "w2")
    seen = []
    for moment in range(100):
        was_killed = killed(authority, moment)
        seen.append(max(versions(authority)))
        path = f"baseline.{seen[-1]}.list.age"
        assert loaded(authority, tmp_path / str(moment), path)[1]
        if not was_killed or not authority.repository.is_staged:
            break
    assert seen == sorted(seen)
    assert set(seen) == {1, 2}
    if authority.repository.is_staged:
        authority.publish()
    assert Documents.read(authority.repository.metadata).versions()["hotline"] == 2
