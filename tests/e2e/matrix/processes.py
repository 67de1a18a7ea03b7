"""Starts and ends the processes of the matrix, and waits until each says that it is ready."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.matrix.certificates import SiteCertificates, make
from tests.e2e.matrix.deliveries import HOSTS

LOOPBACK = "127.0.0.1"
END_TIMEOUT_S = 10
CHECKOUT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A running site: its ports, and the authority that its certificate hangs from."""

    h2_port: int
    h1_port: int
    clear_port: int
    certificates: SiteCertificates
    process: subprocess.Popen[str]

    @property
    def addresses(self) -> dict[str, str]:
        """Host and port that a browser asks for, and where they really are."""
        return {
            "site.example:443": f"{LOOPBACK}:{self.h2_port}",
            "cdn.example:443": f"{LOOPBACK}:{self.h2_port}",
            "h1.example:443": f"{LOOPBACK}:{self.h1_port}",
            "plain.example:80": f"{LOOPBACK}:{self.clear_port}",
        }


def free_ports(count: int) -> list[int]:
    """Return loopback ports that nobody listens on just now."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind((LOOPBACK, 0))
        return [int(listener.getsockname()[1]) for listener in listeners]


@contextlib.contextmanager
def launched(
    arguments: list[str], *, home: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run ``python ARGUMENTS`` in its own process group until the ``with`` ends.

    With a ``home`` its settings, state and cache are there and not the person's.
    """
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=CHECKOUT,
        env=environment(home),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        end(process)


def environment(home: Path | None = None) -> dict[str, str]:
    """Return an environment in which the checkout's packages are found, at home in ``home``."""
    own = {**os.environ, "PYTHONPATH": f"{CHECKOUT}/src:{CHECKOUT}"}
    if home is not None:
        own["HOME"] = str(home)
        for name in ("CONFIG", "STATE", "CACHE", "DATA"):
            own[f"XDG_{name}_HOME"] = str(home / name.lower())
        own["XDG_RUNTIME_DIR"] = str(home)
    return own


@contextlib.contextmanager
def started(
    arguments: list[str], *, home: Path | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """As ``launched``, once the process has written READY; the second value is that line."""
    with launched(arguments, home=home) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("READY"):
                yield process, line.strip()
                return
        raise RuntimeError(f"{arguments[1]} ended with {process.wait()} before it was ready")


def end(process: subprocess.Popen[str]) -> None:
    """Ask the process to end, then end its whole group."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_TIMEOUT_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


@contextlib.contextmanager
def origin(album: Path, directory: Path) -> Iterator[Origin]:
    """Run the site over the pictures in ``album``; certificates go to ``directory``."""
    certificates = make(directory, list(HOSTS))
    ports = free_ports(3)
    module = ["-m", "tests.e2e.matrix.origin", str(album), str(directory)]
    with started([*module, *map(str, ports)]) as (process, _):
        yield Origin(
            h2_port=ports[0],
            h1_port=ports[1],
            clear_port=ports[2],
            certificates=certificates,
            process=process,
        )
