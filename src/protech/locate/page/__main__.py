"""The page as a process: ``python -m protech.locate.page``, started by ``protech locate``.

What it needs, the case's key among it, comes as one JSON line on standard input: neither the
arguments nor the environment of a process are its own. It ends when standard input does, so
that no page outlives who started it.
"""

import asyncio
import json
import os
import sys
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from protech.errors import ConfigError, ProtechError
from protech.evidence.log import Log
from protech.locate.page.follower import Sources
from protech.locate.page.header import LogState
from protech.locate.page.page import Page
from protech.locate.page.reading import Record
from protech.locate.report.self_test import shipped
from protech.sandbox import harden_process
from protech.serve.tokens import OneTimeTokens
from protech.serve.web import Place, create_app, serve

LINE_BYTES = 64 * 1024

WAY_IN = "Start it again: protech locate page CASE"


def main() -> int:
    """Serve the page until ended; returns the exit code."""
    harden_process()
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(_run(sys.stdin.buffer))
    except ProtechError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def sources_of(log: Log) -> Sources:
    """Return what the page reads of a log that another process appends to."""

    def records(start: int) -> Iterator[tuple[int, Record]]:
        for logged in log.read(start):
            yield logged.index, json.loads(logged.content)

    def state() -> LogState:
        size, signed = log.refresh(), log.last_checkpoint
        if signed is None:
            return LogState(size=size)
        return LogState(size=size, checkpoint_size=signed.size, checkpoint_at=signed.at)

    return Sources(records=records, state=state, self_test=shipped())


async def _run(given: BinaryIO) -> None:
    try:
        told = json.loads(given.readline(LINE_BYTES))
        log, tokens, place = (Path(told[name]) for name in ("log", "tokens", "place"))
        data_key, port = bytes.fromhex(told["data_key"]), int(told["port"])
    except (ValueError, KeyError, TypeError):
        raise ConfigError(
            "The page was not told what to show: it expects one line of JSON with log, tokens,"
            " place, port and data_key on its standard input."
        ) from None
    with Log.open(log, data_key=data_key) as opened:
        where = Place.fresh(port=port, way_in=WAY_IN)
        app = create_app(
            place=where,
            tokens=OneTimeTokens(tokens),
            routes=Page(sources_of(opened)).router(),
        )
        where.publish(place)
        await _until_closed(given, serve(app, where))


async def _until_closed(given: BinaryIO, serving: Coroutine[None, None, None]) -> None:
    """Serve until the other end of ``given``, a pipe, is closed."""
    loop, closed = asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        if not os.read(given.fileno(), LINE_BYTES):
            loop.remove_reader(given)
            closed.set()

    loop.add_reader(given, read)
    tasks = {asyncio.create_task(serving), asyncio.create_task(closed.wait())}
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    for task in done:
        task.result()


if __name__ == "__main__":
    sys.exit(main())
