"""The page of a case as a process of its own, while a run or a person wants it.

The case's key goes to it through a pipe, which also ends it: it never outlives who started it.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from protech.errors import ConfigError
from protech.evidence.log import FRAMES
from protech.locate.case import LOG, Case
from protech.serve.tokens import OneTimeTokens
from protech.serve.web import entry_url

START_S = 30.0
READ_BYTES_S = 10e6
"""So many of a log's bytes are read and checked in a second at least; opening it takes that."""
LOOK_S = 0.05
END_S = 10.0


@contextmanager
def page_of(case: Case, *, port: int = 0) -> Iterator[str]:
    """Give an address that opens the page of a case once, in a browser of this account.

    Args:
        case: The case, whose log the page reads as it grows.
        port: On loopback; 0 takes a free one.

    Raises:
        ConfigError: The page did not come up.
    """
    with tempfile.TemporaryDirectory(prefix="protech-page-") as rooms:
        tokens, place = Path(rooms, "tokens"), Path(rooms, "place")
        told = {
            "log": os.fspath(case.folder.resolve() / LOG),
            "tokens": os.fspath(tokens),
            "place": os.fspath(place),
            "port": port or _free_port(),
            "data_key": case.data_key.hex(),
        }
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "protech.locate.page"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        try:
            _tell(process, told)
            yield _address(process, place, OneTimeTokens(tokens), within_s=patience_s(case))
        finally:
            _end(process)


def _tell(process: subprocess.Popen[bytes], told: dict[str, object]) -> None:
    assert process.stdin is not None  # noqa: S101 - a pipe was asked for
    try:
        process.stdin.write(json.dumps(told).encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError:
        raise _silent() from None


def patience_s(case: Case) -> float:
    """Return how long the page of a case may take to come up."""
    frames = case.folder / LOG / FRAMES
    return START_S + (frames.stat().st_size / READ_BYTES_S if frames.exists() else 0)


def _address(
    process: subprocess.Popen[bytes], place: Path, tokens: OneTimeTokens, *, within_s: float
) -> str:
    end = time.monotonic() + within_s
    while time.monotonic() < end and process.poll() is None:
        if place.exists() and (address := entry_url(place, tokens)) is not None:
            return address
        time.sleep(LOOK_S)
    raise _silent()


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None  # noqa: S101 - a pipe was asked for
    with suppress(BrokenPipeError):  # it ended before us
        process.stdin.close()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _silent() -> ConfigError:
    return ConfigError(
        "The page of the case did not come up; what it printed above says why. The run needs"
        " no page: start it with --no-page."
    )
