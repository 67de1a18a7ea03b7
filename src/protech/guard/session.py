"""A guard while it runs, as the process that started it and its user's commands see it."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from protech.guard.plan import Plan, Rooms, free, parts, text_of
from protech.guard.running import Running
from protech.guard.supervise import Supervisor
from protech.serve.detector_client import DetectorClient, DetectorUnavailable

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def say(text: str) -> None:
    """Tell the person what goes on; stdout is kept for results."""
    sys.stderr.write(f"protech: {text}\n")
    sys.stderr.flush()


def with_ports(plan: Plan) -> Plan:
    """Return ``plan`` with ports that are free now.

    Raises:
        ConfigError: The proxy's port is in use.
    """
    page = ("127.0.0.1", plan.page_port or 0)
    return replace(
        plan, listen=free(plan.listen, option="--listen"), page_port=free(page, option=None)[1]
    )


@contextmanager
def supervised(plan: Plan, *, say: Callable[[str], None]) -> Iterator[Supervisor]:
    """Run the parts of ``plan`` for the length of the ``with``; signals ask it to stop.

    Raises:
        PartError: A part did not start.
    """
    supervisor = Supervisor(parts(plan), say=say)

    def stop(_: int, __: FrameType | None) -> None:
        supervisor.ask_to_stop()

    before = {number: signal.signal(number, stop) for number in STOPS}
    try:
        with supervisor:
            yield supervisor
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def running_of(plan: Plan) -> Running:
    """Return what a guard that has just become ready says about itself."""
    return Running(
        process=os.getpid(),
        listen=text_of(plan.listen),
        certificate=os.fspath(plan.rooms.authority),
        detector=os.fspath(plan.rooms.detector),
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def detector_state(path: Path) -> dict[str, Any] | None:
    """Return the state of the detector at ``path``, None where it does not answer."""

    async def ask() -> dict[str, Any] | None:
        async with DetectorClient(path) as client:
            try:
                return await client.state()
            except DetectorUnavailable:
                return None

    return asyncio.run(ask())


def page_address(rooms: Rooms) -> str | None:
    """Return an address that opens the guard's page once, None where there is no page."""
    from protech.serve.tokens import OneTimeTokens
    from protech.serve.web import entry_url

    return entry_url(rooms.page, OneTimeTokens(rooms.tokens))
