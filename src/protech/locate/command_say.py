"""What the commands tell a person: one line each, and nothing in it can steer a terminal."""

import sys
from contextlib import suppress


def on_one_line(text: str) -> str:
    """Return a text, whoever it is of, as one line that can be shown."""
    return "".join(mark if mark.isprintable() else "\N{REPLACEMENT CHARACTER}" for mark in text)


def say(text: str) -> None:
    """Tell the person what goes on; stdout is kept for results."""
    with suppress(OSError):  # nobody listens any more, and what goes on goes on
        sys.stderr.write(f"protech: {on_one_line(text)}\n")
        sys.stderr.flush()
