"""The log during a sync: what it leaves out, takes back, or shows to one device alone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from protech.errors import TrustError
from protech.lists.sync.taking import State
from tests.repository import LIST, ORIGIN, Repository, key, lines, served
from tests.unit.lists.sync.conftest import ENTRIES, Stage


def refused(stage: Stage, words: str) -> None:
    with pytest.raises(TrustError, match=words):
        stage.sync()
    assert stage.has(1)


def offer_second(stage: Stage, *, is_logged: bool = True) -> None:
    stage.repository.add(ENTRIES | lines(2, 3), version=2, is_logged=is_logged)
    stage.repository.publish()


def test_a_version_that_is_not_in_the_log_is_not_loaded(stage: Stage) -> None:
    stage.synced()
    offer_second(stage, is_logged=False)
    done = stage.sync()
    assert [one.state for one in done.outcomes] == [State.REFUSED]
    with pytest.raises(TrustError, match="is not in the log"):
        raise done.error or AssertionError
    assert stage.has(1)
    assert not any("2.list.age" in path for path in stage.server.asked())


def test_a_version_that_is_in_the_log_with_two_contents_is_not_loaded(stage: Stage) -> None:
    stage.synced()
    other = stage.repository.add(lines(3, 7), version=2)
    stage.repository.authority.signed.targets.pop(other.path)
    offer_second(stage)
    done = stage.sync()
    with pytest.raises(TrustError, match="is twice in the log"):
        raise done.error or AssertionError
    assert stage.has(1)


def test_a_log_that_shrank_is_refused(stage: Stage) -> None:
    offer_second(stage)
    stage.synced()
    stage.repository.leaves.pop()
    stage.repository.write_log()
    with pytest.raises(TrustError, match="has 1 leaves and had 2 before"):
        stage.sync()
    assert stage.has(2)


def test_a_log_with_another_past_is_refused(stage: Stage) -> None:
    stage.synced()
    stage.repository.leaves[0] = stage.repository.leaves[0].replace(b"2026", b"2025")
    offer_second(stage)
    refused(stage, "another past")


def test_leaves_that_the_checkpoint_was_not_signed_for_are_refused(stage: Stage) -> None:
    stage.synced()
    offer_second(stage)
    entries = stage.repository.folder / "log" / "entries"
    content = entries.read_bytes().splitlines(keepends=True)
    entries.write_bytes(content[0] + content[1].replace(b"2026", b"2025"))
    refused(stage, "not those that its checkpoint was signed for")


def test_a_log_that_was_cut_is_refused(stage: Stage) -> None:
    stage.synced()
    offer_second(stage)
    entries = stage.repository.folder / "log" / "entries"
    entries.write_bytes(entries.read_bytes()[:-1])
    refused(stage, "it was cut, or is being uploaded")


def test_leaves_behind_the_checkpoint_do_no_harm(stage: Stage) -> None:
    entries = stage.repository.folder / "log" / "entries"
    entries.write_bytes(entries.read_bytes() + b"coming\nhalf")
    stage.synced()
    assert stage.has(1)


def test_of_a_log_with_two_faces_both_devices_refuse_the_other(
    stage: Stage, tmp_path: Path
) -> None:
    """The log's key and one witness of three show two devices two histories after version 1."""
    stage.synced()
    with served(tmp_path / "second") as server:
        second = Stage(tmp_path / "second device", server)
        second.synced()
        for side, each in enumerate((stage, second)):
            each.repository.add(ENTRIES | lines(10 + side, 3), version=2)
            # One witness was deceived first: it cosigns the history that it saw, and no other.
            others = each.repository.witnesses[: 2 if side == 0 else 1]
            each.repository.cosigners = [(f"witness-{i}", w) for i, w in enumerate(others)]
            each.repository.publish()
        stage.synced()
        refused(second, "cosigned by 1 of the 2 witnesses")
        # Even with every witness bribed, a device that meets the other side sees the fork.
        second.repository.cosigners = None
        second.repository.write_log()
        second.synced()
        assert stage.has(2)
        assert second.has(2)
        for each, other in ((stage, second), (second, stage)):
            each.server.folder = other.repository.folder
            with pytest.raises(TrustError, match="another past"):
                each.sync()
            assert each.has(2)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_cosignatures_are_refused(stage: Stage, count: int) -> None:
    stage.synced()
    witnesses = stage.repository.witnesses[:count]
    stage.repository.cosigners = [(f"witness-{i}", one) for i, one in enumerate(witnesses)]
    offer_second(stage)
    refused(stage, f"cosigned by {count} of the 2")


def test_a_witness_that_the_root_does_not_pin_does_not_count(stage: Stage) -> None:
    stage.synced()
    pinned = stage.repository.witnesses[0]
    strangers = [key("stranger 1"), key("stranger 2")]
    stage.repository.cosigners = [
        ("witness-0", pinned),
        ("witness-1", strangers[0]),
        ("stranger", strangers[1]),
    ]
    offer_second(stage)
    refused(stage, "cosigned by 1 of the 2")


def test_one_witness_twice_counts_once(stage: Stage) -> None:
    stage.synced()
    pinned = stage.repository.witnesses[0]
    stage.repository.cosigners = [("witness-0", pinned), ("witness-1", pinned)]
    offer_second(stage)
    refused(stage, "cosigned by 1 of the 2")


def test_cosignatures_of_the_future_do_not_count(stage: Stage) -> None:
    stage.synced()
    stage.repository.cosigned_at = datetime.now(UTC) + timedelta(days=2)
    offer_second(stage)
    refused(stage, "cosigned by 0 of the 2")


def test_a_checkpoint_of_another_log_is_refused(stage: Stage) -> None:
    stage.synced()
    stage.repository.origin = f"other.{ORIGIN}"
    offer_second(stage)
    refused(stage, "of another log than the one pinned")


def test_a_checkpoint_that_the_log_did_not_sign_is_refused(stage: Stage) -> None:
    stage.synced()
    stage.repository.log = key("another log")
    offer_second(stage)
    refused(stage, "not signed by its log")


def test_a_new_root_can_begin_another_log(stage: Stage) -> None:
    stage.synced()
    repository = stage.repository
    repository.origin, repository.log = f"second.{ORIGIN}", key("second log")
    repository.pin()
    repository.rotate(repository.owners)
    offer_second(stage)
    assert stage.synced().repository == f"second.{ORIGIN}"
    assert stage.has(2)


def test_a_log_that_is_gone_stops_the_sync(stage: Stage, tmp_path: Path) -> None:
    fresh = Repository(tmp_path / "fresh", recipients=[stage.recipient])
    fresh.add(ENTRIES)
    fresh.publish()
    (fresh.folder / "log" / "checkpoint").write_bytes(b"<html>")
    stage.server.folder = fresh.folder
    with pytest.raises(TrustError, match="checkpoint"):
        stage.sync()
    assert stage.device.lists() == ()
    assert LIST not in {one.name for one in stage.device.lists()}
