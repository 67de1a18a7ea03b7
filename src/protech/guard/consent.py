"""The pause that the person using the device, and nobody else, may take."""

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

from protech.errors import ConfigError
from protech.settings import write_private

FORMAT_VERSION = 1

LONGEST = timedelta(hours=24)
"""A longer pause is an uninstallation; one found in the file is not believed."""

READ_EVERY = timedelta(seconds=1)
READ_BYTES = 4096


def pause(path: Path, *, now: datetime, minutes: int) -> datetime:
    """Pause until ``minutes`` after ``now`` and return that moment.

    Raises:
        ConfigError: The pause is too long or too short, or the file cannot be written.
    """
    most = LONGEST // timedelta(minutes=1)
    if not 1 <= minutes <= most:
        raise ConfigError(f"A pause lasts 1 to {most} minutes; {minutes} is outside of that.")
    until = (now + timedelta(minutes=minutes)).astimezone(UTC)
    write_private(path, json.dumps({"v": FORMAT_VERSION, "until": until.isoformat()}).encode())
    return until


def resume(path: Path) -> None:
    """End the pause, if there is one.

    Raises:
        ConfigError: The file cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as refused:
        raise ConfigError(
            f"The pause in {path} cannot be ended: {refused.strerror}; remove the file."
        ) from refused


def paused_until(path: Path, *, now: datetime) -> datetime | None:
    """Return when the pause ends, None where there is none.

    A file that is damaged, that another account could have written, or that asks for more than
    may be asked is no pause: whatever is doubtful stays protected.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(descriptor)
        if (
            not stat.S_ISREG(state.st_mode)
            or state.st_uid != os.getuid()
            or state.st_mode & 0o022
        ):
            return None
        until = _until(file.read(READ_BYTES))
    return until if until and now < until <= now + LONGEST else None


class Consent:
    """Whether the guard is paused, looked up at most once a second."""

    def __init__(self, path: Path) -> None:
        """Look at ``path`` when first asked."""
        self._path = path
        self._read_at: datetime | None = None
        self._until: datetime | None = None

    def paused(self, now: datetime) -> bool:
        """Return whether the person paused the guard at ``now``."""
        is_old = self._read_at is None or not (timedelta() <= now - self._read_at < READ_EVERY)
        if is_old:
            self._read_at = now
            self._until = paused_until(self._path, now=now)
        return self._until is not None and now < self._until


def _until(content: bytes) -> datetime | None:
    try:
        fields = json.loads(content)
        if fields["v"] != FORMAT_VERSION:
            return None
        until = datetime.fromisoformat(fields["until"])
    except (ValueError, TypeError, KeyError):
        return None
    return until if until.tzinfo else None
