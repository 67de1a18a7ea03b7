"""A sync from the address to the lists that are in place."""

import shutil
from pathlib import Path

import pytest
from tuf.api.metadata import Delegations, Key, SuccinctRoles

from protech.errors import ConfigError, TrustError
from protech.lists.entries import Use
from protech.lists.keys import tuf_key
from protech.lists.sync.address import address_of
from protech.lists.sync.flow import ROOT_BYTES, known, sync
from protech.lists.sync.taking import State
from tests.repository import LIST, Repository, key, lines
from tests.unit.lists.sync.conftest import ENTRIES, Stage


def test_a_list_comes_whole_and_stays_current(stage: Stage) -> None:
    done = stage.synced()
    assert [(one.name, one.state, one.version) for one in done.outcomes] == [
        (LIST, State.TAKEN, 1)
    ]
    assert stage.has(1)
    assert [one.state for one in stage.synced().outcomes] == [State.CURRENT]


def test_a_delta_brings_it_up_to_date(stage: Stage) -> None:
    stage.synced()
    stage.repository.add(ENTRIES | lines(2, 3), version=2, base=1)
    stage.repository.publish()
    stage.forget_requests()
    assert [one.state for one in stage.synced().outcomes] == [State.PATCHED]
    assert stage.has(2)
    assert sum(".delta.age" in path for path in stage.server.asked()) == 1
    assert not any(".list.age" in path for path in stage.server.asked())


def test_a_repository_that_moved_is_known_by_its_root(stage: Stage, tmp_path: Path) -> None:
    stage.synced()
    stage.repository.add(ENTRIES | lines(2, 3), version=2)
    stage.repository.rotate(stage.repository.owners)
    stage.repository.publish()
    stage.synced()
    later = stage.repository.folder / "metadata" / "2.root.json"
    moved = tmp_path / "moved"
    shutil.copytree(stage.repository.folder, moved)
    for root in (stage.repository.first_root, later.read_bytes()):
        done = sync(stage.device, str(moved), root=root)
        assert [one.state for one in done.outcomes] == [State.CURRENT]
        assert [one.address for one in stage.device.repositories()] == [address_of(str(moved))]
    assert [known(stage.device, str(moved))] == stage.device.repositories()
    assert known(stage.device, stage.server.address) is None


def test_an_address_is_not_trusted_with_a_second_root(stage: Stage, tmp_path: Path) -> None:
    stage.synced()
    other = Repository(tmp_path / "other", recipients=[stage.recipient], name="other")
    other.publish()
    with pytest.raises(TrustError, match="trusted with another root already"):
        stage.sync(root=other.first_root)
    assert stage.has(1)


def test_an_unknown_address_needs_a_root(stage: Stage) -> None:
    with pytest.raises(TrustError, match="--root FILE"):
        stage.sync(root=None)


@pytest.mark.parametrize("room", [0, 1])
def test_a_root_may_have_so_many_bytes_and_no_more(stage: Stage, room: int) -> None:
    root = stage.repository.first_root
    padded = root + b" " * (ROOT_BYTES - len(root) + room)
    if room:
        with pytest.raises(TrustError, match="larger than"):
            stage.sync(root=padded)
    else:
        assert stage.sync(root=padded).error is None


def test_uses_are_remembered_and_can_be_changed(stage: Stage) -> None:
    done = stage.sync(uses=frozenset({Use.MESSAGING}))
    assert [one.state for one in done.outcomes] == [State.OTHER_USE]
    assert [one.state for one in stage.sync(root=None).outcomes] == [State.OTHER_USE]
    done = stage.sync(root=None, uses=frozenset({Use.TRIAGE}))
    assert [one.state for one in done.outcomes] == [State.TAKEN]


def test_a_device_without_a_key_asks_for_nothing(stage: Stage) -> None:
    stage.device.key.unlink()
    stage.forget_requests()
    with pytest.raises(ConfigError, match="lists keys device"):
        stage.sync()
    assert stage.server.asked() == []


def test_a_repository_without_authorities_has_no_lists(stage: Stage) -> None:
    stage.repository.targets.signed.delegations = None
    stage.repository.publish()
    assert stage.synced().outcomes == ()


def test_succinct_delegations_are_refused(stage: Stage) -> None:
    keys: dict[str, Key] = {
        one.keyid: one for one in [tuf_key(key("a").public), tuf_key(key("b").public)]
    }
    role = SuccinctRoles(list(keys), 2, 2, "bin")
    stage.repository.targets.signed.delegations = Delegations(keys, succinct_roles=role)
    stage.repository.publish()
    with pytest.raises(TrustError, match="named authorities"):
        stage.sync()
