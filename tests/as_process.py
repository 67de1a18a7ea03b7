"""The command run as a process: it hardens itself, which the tests' own must not."""

import os
import subprocess
import sys
from pathlib import Path


def run(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run ``protech ARGUMENTS`` with a home of its own in ``folder``."""
    environment = {**os.environ, **home(folder)}
    return subprocess.run(
        [sys.executable, "-m", "protech.cli", *map(str, arguments)],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
    )


def home(folder: Path) -> dict[str, str]:
    """Return what makes ``folder`` the home of a user that has used nothing yet."""
    places = ("CACHE", "CONFIG", "DATA", "STATE")
    return {f"XDG_{place}_HOME": str(folder / place.lower()) for place in places}
