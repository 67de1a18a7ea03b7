"""``python -m protech.serve.detector``: the service that holds lists, models and workers."""

import argparse
import asyncio
import os
import signal
import socket
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from protech.allocator import share_arenas
from protech.errors import ConfigError, ProtechError, TrustError
from protech.salus.engine import Engine
from protech.salus.policy import GUARD, MESSAGING, TRIAGE, PolicySettings
from protech.sandbox import harden_process
from protech.serve.detector_service import Detector, Judging
from protech.streams import only_our_words
from protech.types import Decision

POLICIES = {settings.name: settings for settings in (GUARD, TRIAGE, MESSAGING)}

THREADS_PER_WORKER = 4
"""Cached verdicts and known files need no worker; they must not wait behind those that do."""

BACKLOG = 128


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    options = _parser().parse_args(arguments)
    harden_process()
    share_arenas()
    only_our_words()
    try:
        with (
            Engine.open(
                lists=options.list,
                models=None if options.models in ("packaged", "none") else options.models,
                use_models=options.models != "none",
                settings=_settings(options),
                workers=options.workers,
                judges_video=options.policy != GUARD.name,  # the guard cannot hold one back yet
                allow_unsandboxed=options.policy == GUARD.name,
            ) as engine,
            listening(options.socket) as listener,
        ):
            asyncio.run(_serve(engine, listener, options))
    except ProtechError as error:
        sys.stderr.write(f"protech detector: {error}\n")
        return error.exit_code
    return 0


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """Listen at ``path``, in a directory of this user alone, for the length of the ``with``.

    Raises:
        TrustError: Others can enter the directory.
        ConfigError: A detector serves there already, or the path cannot be used.
    """
    try:
        directory = path.parent.stat()
        if directory.st_uid != os.getuid() or stat.S_IMODE(directory.st_mode) & 0o077:
            raise TrustError(
                f"The directory of the detector's socket, {path.parent}, is open to others;"
                " make it yours alone with chmod 700."
            )
        _clear(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        listener.listen(BACKLOG)
    except OSError as refused:
        raise ConfigError(
            f"The detector cannot listen at {path}: {refused.strerror or refused};"
            " name a shorter or another path with --socket."
        ) from refused
    try:
        with listener:
            yield listener
    finally:
        path.unlink(missing_ok=True)


def _clear(path: Path) -> None:
    """Remove the socket of a service that is gone; refuse to take over a living one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except FileNotFoundError:
            return
        except ConnectionRefusedError:
            path.unlink()
            return
    raise ConfigError(
        f"A detector serves at {path} already; stop it, or name another path with --socket."
    )


async def _serve(engine: Engine, listener: socket.socket, options: argparse.Namespace) -> None:
    judging = Judging(engine, threads=options.workers * THREADS_PER_WORKER)
    detector = Detector(judging, state=lambda: _state(engine, options))
    serving = asyncio.create_task(detector.serve(listener))
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        await asyncio.to_thread(judging.close)


def _state(engine: Engine, options: argparse.Namespace) -> dict[str, Any]:
    known = ((one.ref, one.reading.entries) for one in engine.known)
    return {
        "process": os.getpid(),
        "workers": options.workers,
        "policy": options.policy,
        "adult_filter": options.adult_filter,
        "sandboxed": engine.is_sandboxed,
        "lists": [
            {"name": ref.name, "version": ref.version, "stale": ref.stale, "count": count}
            for ref, count in known
        ],
    }


def _settings(options: argparse.Namespace) -> PolicySettings:
    settings = POLICIES[options.policy]
    return replace(
        settings,
        unsure=Decision(options.unsure) if options.unsure else settings.unsure,
        unscannable=(
            Decision(options.unscannable) if options.unscannable else settings.unscannable
        ),
        is_adult_filter_on=options.adult_filter,
    )


def _parser() -> argparse.ArgumentParser:
    decisions = [decision.value for decision in Decision]
    parser = argparse.ArgumentParser(
        prog="python -m protech.serve.detector",
        description="Judge media for the guard; started by `protech guard`, not by hand.",
    )
    parser.add_argument("--socket", type=Path, required=True, help="where to listen")
    parser.add_argument("--list", action="append", default=[], help="a known list")
    parser.add_argument("--models", default="packaged", help="a directory, packaged or none")
    parser.add_argument("--policy", choices=sorted(POLICIES), default=GUARD.name)
    parser.add_argument("--adult-filter", action="store_true", help="hide what is explicit")
    parser.add_argument("--unsure", choices=decisions, help="decision of row 5")
    parser.add_argument("--unscannable", choices=decisions, help="decision of row 7")
    parser.add_argument("--workers", type=_count, default=os.cpu_count() or 1)
    return parser


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 64:
        raise argparse.ArgumentTypeError("give a number of workers from 1 to 64")
    return number


if __name__ == "__main__":
    sys.exit(main())
