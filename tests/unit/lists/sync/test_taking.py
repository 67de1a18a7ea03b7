"""What a device takes of a list, and what it leaves as it was."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from protech.errors import SourceError, TrustError
from protech.lists import delta as deltas
from protech.lists.entries import Category, Use
from protech.lists.sync.taking import State
from protech.lists.trust import CUSTOM, ListTarget, TargetKind
from tests.repository import (
    LIST,
    OTHER_LIST,
    Repository,
    answer,
    header,
    lines,
    plain,
    served,
    target_of,
)
from tests.unit.lists.sync.conftest import ENTRIES, Stage

MORE = ENTRIES | lines(2, 3)
STRANGER = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg"
"""The recipient in age's own documentation."""


def refused(stage: Stage, words: str) -> None:
    """See that the list is refused and that version 1 is as it was."""
    done = stage.sync()
    assert [one.state for one in done.outcomes] == [State.REFUSED]
    with pytest.raises(TrustError, match=words):
        raise done.error or AssertionError
    assert stage.has(1)


def states(stage: Stage) -> list[State]:
    return [one.state for one in stage.synced().outcomes]


def test_a_truncated_target_is_refused(stage: Stage) -> None:
    stage.synced()
    target = stage.repository.add(MORE, version=2)
    stage.repository.publish()
    file = stage.repository.file_of(target)
    file.write_bytes(file.read_bytes()[:-1])
    refused(stage, "not the one that was signed")


def test_a_target_with_another_hash_is_refused(stage: Stage) -> None:
    stage.synced()
    target = stage.repository.add(MORE, version=2)
    stage.repository.publish()
    file = stage.repository.file_of(target)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    refused(stage, "not the one that was signed")


def test_an_endless_target_is_ended_at_its_length(stage: Stage) -> None:
    stage.synced()
    target = stage.repository.add(MORE, version=2)
    stage.repository.publish()
    file = stage.repository.file_of(target)
    file.write_bytes(file.read_bytes() + b"x")
    refused(stage, "longer than it may be")


def test_a_server_that_goes_while_a_list_comes_leaves_the_old_one(stage: Stage) -> None:
    stage.synced()
    target = stage.repository.add(MORE, version=2)
    stage.repository.publish()

    def half(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\nhalf")
        handler.close_connection = True

    stage.server.answers[stage.repository.file_of(target).name] = half
    done = stage.sync()
    assert [one.state for one in done.outcomes] == [State.NOT_FETCHED]
    with pytest.raises(SourceError, match="the connection broke"):
        raise done.error or AssertionError
    assert stage.has(1)
    stage.server.answers.clear()
    assert states(stage) == [State.TAKEN]
    assert stage.has(2)


def test_a_list_whose_file_is_missing_leaves_the_others_alone(stage: Stage) -> None:
    stage.repository.file_of(stage.repository.add(MORE, version=2)).unlink()
    stage.repository.add(lines(4, 5), name=OTHER_LIST)
    stage.repository.publish()
    done = stage.sync()
    assert [one.state for one in done.outcomes] == [State.NOT_FETCHED, State.TAKEN]
    assert stage.has(1, OTHER_LIST)


def test_what_decrypts_to_something_else_than_was_signed_is_refused(stage: Stage) -> None:
    stage.synced()
    target = stage.repository.add(MORE, version=2)
    stage.repository.offer(target, plain(header(version=2), lines(5, 43)), [stage.recipient])
    stage.repository.publish()
    refused(stage, "not what was signed")


@pytest.mark.parametrize(
    "lie",
    [
        {"uses": frozenset({Use.GUARD, Use.MESSAGING})},
        {"category": Category.KNOWN_GOOD},
        {"entries": 1},
        {"expires_at": datetime(2030, 1, 1, tzinfo=UTC)},
    ],
)
@pytest.mark.parametrize("base", [None, 1])
def test_a_list_that_says_otherwise_of_itself_than_was_signed_is_refused(
    stage: Stage, lie: dict[str, object], base: int | None
) -> None:
    stage.synced()
    stage.repository.add(MORE, version=2, base=base, target_changes=lie)
    stage.repository.publish()
    refused(stage, "says otherwise of itself")


def test_what_is_no_list_is_refused(stage: Stage) -> None:
    stage.synced()
    target = stage.repository.add(MORE, version=2, is_logged=False)
    content = b"no list\n"
    bad = replace(target, sha256=hashlib.sha256(content).digest(), size_bytes=len(content))
    stage.repository.offer(bad, content, [stage.recipient])
    stage.repository.log_version(bad)
    stage.repository.publish()
    refused(stage, "says otherwise of itself")


def test_a_list_for_other_devices_is_fetched_once_and_left_alone(stage: Stage) -> None:
    stage.repository.add(lines(4, 5), name=OTHER_LIST, recipients=[STRANGER])
    stage.repository.publish()
    assert set(states(stage)) == {State.TAKEN, State.NOT_FOR_DEVICE}
    stage.forget_requests()
    assert set(states(stage)) == {State.CURRENT, State.NOT_FOR_DEVICE}
    assert not any(OTHER_LIST in path for path in stage.server.asked())
    assert [held.name for held in stage.device.lists()] == [LIST]


def test_a_revoked_device_keeps_the_old_version_and_it_becomes_stale(stage: Stage) -> None:
    stage.synced()
    (before,) = stage.device.lists()
    stage.repository.timestamp.signed.expires += timedelta(days=1)
    stage.repository.add(MORE, version=2, base=1, recipients=[STRANGER])
    stage.repository.publish()
    assert states(stage) == [State.REVOKED]
    assert stage.has(1)
    assert stage.device.lists() == (before,)


def test_a_device_that_is_enrolled_later_gets_the_list(stage: Stage) -> None:
    target = stage.repository.add(ENTRIES, name=OTHER_LIST, recipients=[STRANGER])
    stage.repository.publish()
    stage.synced()
    content = stage.repository.contents[OTHER_LIST, 1]
    stage.repository.offer(target, content, [STRANGER, stage.recipient])
    stage.repository.publish()
    assert set(states(stage)) == {State.CURRENT, State.TAKEN}
    assert stage.has(1, OTHER_LIST)


def test_a_list_withdrawn_stays_and_is_not_renewed(stage: Stage) -> None:
    stage.synced()
    (before,) = stage.device.lists()
    stage.repository.authority.signed.targets.clear()
    stage.repository.timestamp.signed.expires += timedelta(days=1)
    stage.repository.publish()
    assert states(stage) == [State.WITHDRAWN]
    assert stage.device.lists() == (before,)
    assert stage.has(1)


def test_a_list_is_fresh_no_longer_than_its_timestamp_or_its_own_expiry(stage: Stage) -> None:
    stage.synced()
    assert stage.device.lists()[0].fresh_until == stage.repository.timestamp.signed.expires
    stage.repository.timestamp.signed.expires += timedelta(days=1)
    stage.repository.publish()
    stage.synced()
    assert stage.device.lists()[0].fresh_until == stage.repository.timestamp.signed.expires
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    stage.repository.add(MORE, version=2, expires_at=soon)
    stage.repository.publish()
    stage.synced()
    assert stage.device.lists()[0].fresh_until == soon


def test_a_list_that_expired_is_taken_and_stale(stage: Stage) -> None:
    past = datetime(2026, 2, 1, tzinfo=UTC)
    stage.repository.add(MORE, version=2, expires_at=past)
    stage.repository.publish()
    stage.synced()
    assert stage.has(2)
    assert stage.device.lists()[0].is_stale(datetime.now(UTC))


def test_a_version_that_was_taken_back_is_refused(stage: Stage) -> None:
    target = stage.repository.add(MORE, version=2)
    stage.repository.publish()
    stage.synced()
    stage.repository.authority.signed.targets.pop(target.path)
    stage.repository.publish()
    done = stage.sync()
    with pytest.raises(TrustError, match="someone serves an old state"):
        raise done.error or AssertionError
    assert stage.has(2)


def test_a_version_with_another_content_than_it_had_is_refused(stage: Stage) -> None:
    stage.synced()
    stage.repository.leaves.clear()
    stage.repository.add(MORE)
    stage.repository.publish()
    (stage.device.repositories()[0].folder / "checkpoint").unlink()
    done = stage.sync()
    with pytest.raises(TrustError, match="another one than this device has"):
        raise done.error or AssertionError
    assert stage.held() == (1, plain(header(), ENTRIES))


@pytest.mark.parametrize(
    "change",
    [
        {"category": "own"},
        {"category": "adult"},
        {"uses": ["employer"]},
        {"uses": ["locate"]},
        {"uses": []},
        {"v": 2},
        {"sha256": "00"},
        {"list": "hotline/../images"},
        {"version": 3},
        {"kind": "index"},
    ],
)
def test_a_target_that_may_not_be_is_refused(stage: Stage, change: dict[str, object]) -> None:
    stage.synced()
    target = stage.repository.add(MORE, version=2)
    file = stage.repository.authority.signed.targets[target.path]
    file.unrecognized_fields["custom"][CUSTOM].update(change)
    stage.repository.publish()
    refused(stage, ".")


def test_a_target_without_a_word_of_ours_is_refused(stage: Stage) -> None:
    stage.synced()
    target = stage.repository.add(MORE, version=2)
    stage.repository.authority.signed.targets[target.path].unrecognized_fields.clear()
    stage.repository.publish()
    refused(stage, "says nothing that Protech knows")


def test_a_list_for_another_use_is_not_fetched(stage: Stage) -> None:
    stage.synced()
    stage.repository.add(lines(4, 5), name=OTHER_LIST, uses=frozenset({Use.MESSAGING}))
    stage.repository.publish()
    stage.forget_requests()
    done = stage.sync(uses=frozenset({Use.GUARD}))
    assert {one.state for one in done.outcomes} == {State.CURRENT, State.OTHER_USE}
    assert not any(OTHER_LIST in path for path in stage.server.asked())


def test_a_list_that_is_here_is_refused_for_another_use(stage: Stage) -> None:
    stage.synced()
    assert stage.device.lists(Use.GUARD)
    assert stage.device.lists(Use.MESSAGING) == ()
    with pytest.raises(TrustError, match="not for messaging"):
        stage.device.find(LIST, Use.MESSAGING)


def test_fetch_keys_are_taken_for_locate_alone(stage: Stage) -> None:
    head = header(name=OTHER_LIST, uses=frozenset({Use.LOCATE}))
    stage.repository.contents[OTHER_LIST, 1] = content = plain(head, lines(4, 5))
    target = target_of(content, head, kind=TargetKind.FETCH_KEYS)
    stage.repository.offer(target, content, [stage.recipient])
    stage.repository.log_version(target)
    stage.repository.publish()
    assert set(states(stage)) == {State.TAKEN, State.OTHER_USE}
    done = stage.sync(uses=frozenset({Use.LOCATE}))
    assert {one.state for one in done.outcomes} == {State.TAKEN, State.OTHER_USE}
    assert [held.name for held in stage.device.lists()] == [LIST]
    assert stage.held(OTHER_LIST, TargetKind.FETCH_KEYS) == (1, content)


def test_two_repositories_cannot_have_lists_of_one_name(stage: Stage, tmp_path: Path) -> None:
    stage.synced()
    other = Repository(tmp_path / "other", recipients=[stage.recipient], name="other")
    other.add(lines(9, 5), version=9)
    other.publish()
    with served(other.folder) as server:
        stage.server, first = server, stage.server
        done = stage.sync(root=other.first_root)
        assert [one.state for one in done.outcomes] == [State.REFUSED]
        stage.server = first
    assert stage.has(1)


# Deltas.


def second(stage: Stage) -> ListTarget:
    """Offer version 2 whole and as a delta, and return the delta's target."""
    stage.synced()
    whole = stage.repository.add(MORE, version=2, base=1)
    return replace(whole, kind=TargetKind.DELTA, base=1)


def test_a_chain_of_deltas_is_followed(stage: Stage) -> None:
    stage.synced()
    step = set(ENTRIES)
    for version in (2, 3, 4):
        step = (step | lines(version, 2)) - set(sorted(step)[:1])
        stage.repository.add(step, version=version, base=version - 1)
    stage.repository.publish()
    stage.forget_requests()
    assert states(stage) == [State.PATCHED]
    assert stage.has(4)
    steps = [path.split(".")[-3] for path in stage.server.asked() if ".delta." in path]
    assert steps == ["1-2", "2-3", "3-4"]


def test_deltas_larger_than_the_list_are_not_fetched(stage: Stage) -> None:
    stage.synced()
    stage.repository.add(lines(7, 5), version=2, base=1)
    stage.repository.publish()
    stage.forget_requests()
    assert states(stage) == [State.TAKEN]
    assert stage.has(2)
    assert not any(".delta." in path for path in stage.server.asked())


def bad_hash(stage: Stage, delta: ListTarget) -> None:
    file = stage.repository.file_of(delta)
    file.write_bytes(file.read_bytes()[:-1] + b"x")


def gone(stage: Stage, delta: ListTarget) -> None:
    stage.repository.file_of(delta).unlink()


def wrong_base(stage: Stage, delta: ListTarget) -> None:
    served = b'{"protech_delta":1,"list":"hotline-images","base":7,"version":9}\n'
    stage.repository.offer(delta, served, [stage.recipient])
    stage.repository.publish()


def no_delta(stage: Stage, delta: ListTarget) -> None:
    stage.repository.offer(delta, b"no delta", [stage.recipient])
    stage.repository.publish()


def wrong_result(stage: Stage, delta: ListTarget) -> None:
    out = io.BytesIO()
    old = stage.repository.contents[LIST, 1]
    other = plain(header(version=2), ENTRIES | lines(8, 3))
    deltas.make(io.BytesIO(old), io.BytesIO(other), out)
    stage.repository.offer(delta, out.getvalue(), [stage.recipient])
    stage.repository.publish()


def for_others(stage: Stage, delta: ListTarget) -> None:
    stage.repository.offer(delta, b"", [STRANGER])
    stage.repository.publish()


@pytest.mark.parametrize(
    "fault", [bad_hash, gone, wrong_base, no_delta, wrong_result, for_others]
)
def test_a_delta_that_does_not_fit_makes_way_for_the_whole_list(
    stage: Stage, fault: Callable[[Stage, ListTarget], None]
) -> None:
    delta = second(stage)
    stage.repository.publish()
    fault(stage, delta)
    stage.forget_requests()
    assert states(stage) == [State.TAKEN]
    assert stage.has(2)
    assert any(".delta." in path for path in stage.server.asked())


def test_a_delta_whose_result_contradicts_the_whole_list_is_refused(stage: Stage) -> None:
    delta = second(stage)
    lie = replace(delta, sha256=bytes(32))
    stage.repository.offer(lie, b"", [stage.recipient])
    stage.repository.publish()
    refused(stage, "differ in what version 2 is")


def test_a_delta_without_its_whole_list_is_refused(stage: Stage) -> None:
    delta = second(stage)
    stage.repository.authority.signed.targets.pop(
        replace(delta, kind=TargetKind.FULL, base=None).path
    )
    stage.repository.publish()
    refused(stage, "not there whole")


def test_deltas_alone_are_refused(stage: Stage) -> None:
    second(stage)
    for path in [
        path for path in stage.repository.authority.signed.targets if ".list." in path
    ]:
        stage.repository.authority.signed.targets.pop(path)
    stage.repository.publish()
    refused(stage, "in deltas alone")


# Sealed lists.


def test_a_sealed_list_stays_encrypted_on_disk(stage: Stage) -> None:
    stage.repository.add(lines(6, 30), name=OTHER_LIST, is_sealed=True)
    stage.repository.add(lines(6, 31), name=OTHER_LIST, version=2, base=1, is_sealed=True)
    stage.repository.publish()
    stage.synced()
    assert stage.has(2, OTHER_LIST)
    files = [path for path in stage.device.folder.rglob("*") if path.is_file()]
    for line in lines(6, 31):
        assert not any(line in path.read_bytes() for path in files)
    stage.forget_requests()
    assert set(states(stage)) == {State.CURRENT}
    stage.repository.add(lines(6, 32), name=OTHER_LIST, version=3, base=2, is_sealed=True)
    stage.repository.publish()
    assert State.TAKEN in states(stage)
    assert stage.has(3, OTHER_LIST)


def test_a_list_damaged_here_is_taken_again(stage: Stage) -> None:
    stage.repository.add(lines(6, 30), name=OTHER_LIST, is_sealed=True)
    stage.repository.publish()
    stage.synced()
    for held in stage.device.lists():
        content = bytearray(held.path.read_bytes())
        content[-5] ^= 1
        held.path.write_bytes(content)
        with pytest.raises(TrustError), stage.device.opened(held.name):
            pass
    assert set(states(stage)) == {State.TAKEN}
    assert stage.has(1)
    assert stage.has(1, OTHER_LIST)


def test_a_list_whose_record_was_damaged_here_is_taken_again(stage: Stage) -> None:
    stage.synced()
    (held,) = stage.device.lists()
    (held.path.parent / "current.json").write_bytes(b"{")
    with pytest.raises(TrustError, match="was damaged"):
        stage.device.lists()
    assert states(stage) == [State.TAKEN]
    assert stage.has(1)


def test_a_page_in_place_of_a_list_is_refused(stage: Stage) -> None:
    stage.synced()
    target = stage.repository.add(MORE, version=2)
    stage.repository.publish()
    name = stage.repository.file_of(target).name
    stage.server.answers[name] = answer(b"<!doctype html>")
    refused(stage, "not the one that was signed")
