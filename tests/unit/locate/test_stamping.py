import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from protech.errors import AuthorityError
from protech.evidence.log_checkpoint import sign_state
from protech.evidence.stamp import Stamps
from protech.lists.checkpoint import log_key
from protech.locate import stamping
from protech.locate.papers import StampAuthority
from protech.locate.stamping import PAUSE_S, Stamper
from protech.signing import Key

NOW = datetime(2026, 11, 28, tzinfo=UTC)
KEY = Key.of_seed(bytes(32))
NOBODY = StampAuthority(certificate=b"none", url="http://127.0.0.1:9/")
"""Nobody listens on the discard port."""


def checkpoint(size: int) -> bytes:
    note = log_key("case", KEY.public)
    at = NOW + timedelta(seconds=size)
    return sign_state(note, size, bytes(32), at, KEY).note


class Ticks:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def allow() -> None:
    """Let packets go."""


def forbid() -> None:
    raise AuthorityError("It is over.")


def test_what_cannot_be_stamped_waits(tmp_path: Path) -> None:
    stamps = Stamps(tmp_path / "stamps")
    asyncio.run(Stamper(stamps, [NOBODY], require_open=allow)(checkpoint(3)))
    assert list(stamps.waiting) == [3]


def test_once_the_run_is_over_nobody_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamps = Stamps(tmp_path / "stamps")
    asked: list[object] = []
    monkeypatch.setattr(stamps, "stamp", lambda *given: asked.append(given))
    asyncio.run(Stamper(stamps, [NOBODY], require_open=forbid)(checkpoint(3)))
    assert list(stamps.waiting) == [3]
    assert asked == []


def test_one_is_due_now_and_then_and_the_last_one_always(tmp_path: Path) -> None:
    stamps = Stamps(tmp_path / "stamps")
    ticks = Ticks()
    stamper = Stamper(stamps, [NOBODY], require_open=forbid, ticks=ticks)

    async def go() -> None:
        await stamper(checkpoint(1))
        await stamper(checkpoint(2))
        ticks.now = PAUSE_S
        await stamper(checkpoint(3))
        await stamper(checkpoint(4), is_last=True)

    asyncio.run(go())
    assert list(stamps.waiting) == [1, 3, 4]


def test_without_an_authority_nothing_waits(tmp_path: Path) -> None:
    stamps = Stamps(tmp_path / "stamps")
    silent = StampAuthority(certificate=b"", url=None)
    asyncio.run(Stamper(stamps, [silent], require_open=allow)(checkpoint(1), is_last=True))
    assert list(stamps.waiting) == []


def test_what_waits_is_not_asked_for_once_the_run_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamps = Stamps(tmp_path / "stamps")
    for size in (1, 2):
        stamps.queue(checkpoint(size))
    sent: list[bytes] = []

    def require_open() -> None:
        if sent:
            raise AuthorityError("It is over.")

    def send(content: bytes) -> bytes:
        sent.append(content)
        return b""

    monkeypatch.setattr(stamping, "sender", lambda _: send)
    monkeypatch.setattr("protech.evidence.stamp.check", lambda *_: None)
    asyncio.run(Stamper(stamps, [NOBODY], require_open=require_open)(checkpoint(3)))
    assert len(sent) == 1
    assert list(stamps.waiting) == [1, 2]
