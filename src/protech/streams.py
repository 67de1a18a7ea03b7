"""The standard streams of a process: closed, full, and what may be said on them."""

import logging
import os
import sys
from collections.abc import Iterable
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


def only_our_words(*, silenced: Iterable[str] = ()) -> None:
    """Let only our own loggers speak, on stderr; a library's may name hosts or what it decodes.

    ``silenced`` are loggers that would otherwise find handlers of their own.
    """
    logging.lastResort = None
    logging.getLogger().handlers = [logging.NullHandler()]
    for name in silenced:
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL + 1)
        logger.propagate = False
    own = logging.getLogger("protech")
    own.propagate = False
    own.setLevel(logging.INFO)
    speaker = logging.StreamHandler()
    speaker.setFormatter(logging.Formatter("protech %(levelname)s %(message)s"))
    own.handlers = [speaker]
