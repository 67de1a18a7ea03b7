"""Work on a list behind a lock, and what comes of it where there is none."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import pytest

from protech.errors import ListFormatError, SandboxError
from protech.lists import confined as module
from protech.lists.confined import answer, answer_for_stdin
from protech.lists.records import End, Record, Refusal, record_bytes, records
from protech.sandbox import LockState

LOCKED = LockState(has_seccomp=True, landlock_abi=1)


def nothing(file: BinaryIO) -> Iterator[Record]:
    yield End()


def refusing(file: BinaryIO) -> Iterator[Record]:
    yield from ()
    raise ListFormatError("no, do this")


def test_nothing_is_read_where_the_process_is_not_locked() -> None:
    out = io.BytesIO()
    state = LockState(missing=("landlock is missing: do this",))
    code = answer(io.BytesIO(), out, work=refusing, lock=lambda: state)
    assert code == SandboxError.exit_code
    (refusal,) = records(bytearray(out.getvalue()))
    assert isinstance(refusal, Refusal)
    assert refusal.is_sandbox
    assert "do this" in refusal.text


def test_what_is_answered_is_written_out() -> None:
    out = io.BytesIO()
    assert answer(io.BytesIO(), out, work=nothing, lock=lambda: LOCKED) == 0
    assert out.getvalue() == record_bytes(End())


def test_what_is_answered_is_not_held_back_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = iter(range(100))
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(now_s)))
    out = io.BufferedWriter(raw := io.BytesIO())
    seen: list[int] = []

    def telling(file: BinaryIO) -> Iterator[Record]:
        yield End()
        seen.append(len(raw.getvalue()))
        yield End()

    answer(io.BytesIO(), out, work=telling, lock=lambda: LOCKED)
    assert seen == [len(record_bytes(End()))]


def test_what_is_no_list_is_answered_with_the_reason() -> None:
    out = io.BytesIO()
    code = answer(io.BytesIO(b"x"), out, work=refusing, lock=lambda: LOCKED)
    assert code == ListFormatError.exit_code
    (refusal,) = records(bytearray(out.getvalue()))
    assert refusal == Refusal(is_sandbox=False, text="no, do this")


def test_the_process_answers_on_its_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks: list[object] = []

    def lock_down(**options: object) -> LockState:
        locks.append(options["channel"])
        return LOCKED

    monkeypatch.setattr(module, "lock_down", lock_down)
    with (tmp_path / "out").open("w+b") as out:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"x")))
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=out))
        assert answer_for_stdin(refusing) == ListFormatError.exit_code
        assert locks == [out.fileno()]
    assert len(list(records(bytearray((tmp_path / "out").read_bytes())))) == 1
