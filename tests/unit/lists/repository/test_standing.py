"""Who vouches for a list that a device holds, checked again from the first root of trust."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from protech.errors import TrustError
from protech.lists.device import DeviceLists
from protech.lists.keys import make_device_key
from protech.lists.pinned import Pinned
from protech.lists.repository.standing import HISTORY, Standing, standing
from protech.lists.sync.flow import sync
from protech.lists.trust import ListTarget
from tests.repository import AUTHORITY, LIST, Repository, key, lines


class Desk:
    """A repository and a device that has its list."""

    def __init__(self, folder: Path) -> None:
        self.device = DeviceLists(folder / "device")
        recipient = make_device_key(self.device.key)
        self.repository = Repository(folder / "served", recipients=[recipient])
        self.repository.add(lines(1, 5))
        self.repository.publish()
        self.sync()

    def sync(self) -> None:
        done = sync(self.device, str(self.repository.folder), root=self.repository.first_root)
        assert done.error is None

    @property
    def pinned(self) -> Pinned:
        (pinned,) = self.device.repositories()
        return pinned

    @property
    def target(self) -> ListTarget:
        return self.device.find(LIST).target

    def standing(self, *, now: datetime | None = None, **changes: object) -> Standing:
        return standing(
            self.pinned.metadata,
            self.pinned.root,
            replace(self.target, **changes),  # type: ignore[arg-type]  # each test names its own
            now=now or datetime.now(UTC),
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_it_says_who_signed_and_who_might_have(desk: Desk) -> None:
    found = desk.standing()
    repository = desk.repository
    assert found.authority == AUTHORITY
    assert found.signers == {one.public for one in repository.officers[:2]}
    assert found.speakers == {
        one.public for one in (*repository.officers, *repository.owners, repository.server)
    }
    assert found.fresh_until == repository.timestamp.signed.expires


def test_it_follows_later_roots(desk: Desk) -> None:
    repository = desk.repository
    first = desk.standing().root_sha256
    new = key("a new owner")
    from protech.lists.keys import tuf_key

    repository.root.signed.add_key(tuf_key(new.public), "root")
    repository.rotate(repository.owners)
    repository.root.signed.version = 2
    repository.rotate(repository.owners)
    repository.publish()
    desk.sync()
    found = desk.standing()
    assert found.root_sha256 == first
    assert new.public in found.speakers


@pytest.mark.parametrize(
    "name",
    ["targets.json", f"{AUTHORITY}.json", "snapshot.json", "timestamp.json"],
)
def test_every_document_must_be_as_it_was_signed(desk: Desk, name: str) -> None:
    path = desk.pinned.metadata / name
    content = path.read_bytes()
    told = json.loads(content)
    told["signed"]["expires"] = "2099-01-01T00:00:00Z"
    for other in (json.dumps(told).encode(), b"{}", content[:-5]):
        path.write_bytes(other)
        with pytest.raises(TrustError, match="does not show any more who vouches"):
            desk.standing()
    path.unlink()
    with pytest.raises(TrustError, match="does not show any more who vouches"):
        desk.standing()


def test_a_later_root_that_the_first_did_not_sign_is_refused(desk: Desk) -> None:
    history = desk.pinned.metadata / HISTORY
    strange = Repository(desk.repository.folder / "x", recipients=[], name="strange")
    strange.root.signed.version = 1
    strange.rotate(strange.owners)
    forged = (strange.folder / "metadata" / "2.root.json").read_bytes()
    (history / "2.root.json").write_bytes(forged)
    with pytest.raises(TrustError, match="does not show any more"):
        desk.standing()
    (history / "2.root.json").write_bytes(desk.repository.first_root)
    with pytest.raises(TrustError, match="does not show any more"):
        desk.standing()


def test_documents_that_do_not_belong_together_are_refused(desk: Desk) -> None:
    for name in ("targets.json", f"{AUTHORITY}.json", "snapshot.json", "timestamp.json"):
        path = desk.pinned.metadata / name
        before = path.read_bytes()
        desk.repository.publish()
        desk.sync()
        path.write_bytes(before)
        with pytest.raises(TrustError, match="does not show any more"):
            desk.standing()
        desk.repository.publish()
        desk.sync()
        desk.standing()


def test_what_has_expired_vouches_for_nothing(desk: Desk) -> None:
    last = desk.repository.timestamp.signed.expires
    desk.standing(now=last - timedelta(seconds=1))
    with pytest.raises(TrustError, match="does not show any more"):
        desk.standing(now=last)


def test_another_target_than_the_one_on_offer_is_refused(desk: Desk) -> None:
    for changes in ({"version": 2}, {"sha256": bytes(32)}, {"issuer": "Another"}):
        with pytest.raises(TrustError, match="does not show any more"):
            desk.standing(**changes)


def test_an_expired_list_is_refused(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    ends_at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    desk.repository.add(lines(1, 6), version=2, expires_at=ends_at)
    desk.repository.publish()
    desk.sync()
    assert desk.standing().fresh_until == ends_at
    with pytest.raises(TrustError, match="does not show any more"):
        desk.standing(now=ends_at)


def test_the_first_root_must_be_one(desk: Desk) -> None:
    content = (desk.pinned.metadata / "timestamp.json").read_bytes()
    for first in (content, b"", b"{}"):
        with pytest.raises(TrustError, match="does not show any more"):
            standing(desk.pinned.metadata, first, desk.target, now=datetime.now(UTC))
