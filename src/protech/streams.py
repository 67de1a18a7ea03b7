"""The standard streams of a command, closed or full as whoever started it left them."""

import os
import sys
from contextlib import suppress

_STANDARD_ERROR = 2


def open_streams() -> None:
    """Let what comes to a closed stream vanish; the next file opened would take its place."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        pass
    os.close(descriptor)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if name == "stdin" else "w"))


def let_go_of_output() -> None:
    """Drop what was not written: Python would complain again when it flushes at the end."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
