"""One guard for each user: the lock that says so, and what a running guard tells the others."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from protech.errors import ConfigError

FORMAT_VERSION = 1

LOCK = "guard.lock"
STATE = "guard.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A running guard as ``guard status`` and the page see it."""

    process: int
    listen: str
    certificate: str
    detector: str
    started_at: str


@contextmanager
def only_one(directory: Path) -> Iterator[None]:
    """Hold the guard's lock in the runtime ``directory`` for the length of the ``with``.

    Raises:
        ConfigError: Another guard of this user holds it.
    """
    descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise ConfigError(
                "The guard is running already; see it with `protech guard status`, stop it with"
                " Ctrl-C where it was started."
            ) from held
        (directory / STATE).unlink(missing_ok=True)
        try:
            yield
        finally:
            (directory / STATE).unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def announce(directory: Path, running: Running) -> None:
    """Say to this user's other processes that the guard is ready."""
    new = directory / f".{STATE}"
    new.write_text(json.dumps({"v": FORMAT_VERSION, **asdict(running)}))
    new.replace(directory / STATE)


def running_guard(directory: Path) -> Running | None:
    """Return the guard that runs and is ready, None where there is none."""
    if not _is_locked(directory / LOCK):
        return None
    try:
        fields = json.loads((directory / STATE).read_bytes())
        if fields.pop("v") != FORMAT_VERSION:
            return None
        running = Running(**fields)
        datetime.fromisoformat(running.started_at)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return running


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
