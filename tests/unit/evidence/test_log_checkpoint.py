"""Checkpoints of a case's log: size, root and time, and nothing that is not signed."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from protech.errors import TrustError
from protech.evidence.log_checkpoint import parse_state, read_state, sign_state
from protech.lists.checkpoint import Checkpoint, log_key, signed
from protech.signing import Key

KEY = Key.of_seed(bytes(32))
LOG = log_key("protech/case/1", KEY.public)
AT = datetime(2026, 11, 28, 13, 26, 0, 123456, tzinfo=UTC)


def test_a_state_comes_back_to_the_millisecond() -> None:
    state = sign_state(LOG, 3, bytes(32), AT, KEY)
    assert parse_state(state.note, LOG) == state
    assert (state.size, state.at.microsecond) == (3, 123000)
    assert b"\ntime 2026-11-28T13:26:00.123Z\n" in state.note


def test_there_may_be_none_yet(tmp_path: Path) -> None:
    assert read_state(tmp_path / "checkpoint", LOG) is None


def test_another_key_or_origin_is_refused() -> None:
    note = sign_state(LOG, 3, bytes(32), AT, KEY).note
    other = log_key(LOG.name, Key.generate().public)
    for key in (other, replace(LOG, name="other")):
        with pytest.raises(TrustError):
            parse_state(note, key)


@pytest.mark.parametrize(
    "lines",
    [(), ("time",), ("time x",), ("2026-11-28",), ("time 2026-11-28T13:26:00",), ("a", "b")],
)
def test_a_checkpoint_without_its_time_is_refused(lines: tuple[str, ...]) -> None:
    checkpoint = Checkpoint(origin=LOG.name, size=0, root=bytes(32), extensions=lines)
    note = signed(checkpoint, key=LOG, sign=KEY.sign)
    with pytest.raises(TrustError, match="time"):
        parse_state(note, LOG)
