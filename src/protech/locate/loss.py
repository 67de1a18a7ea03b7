"""How the other end of a connection is lost, and which faults are this machine's own."""

import errno
from enum import StrEnum

from protech.errors import ConfigError

OURS = {
    errno.EADDRNOTAVAIL: "no such source address, or no free port of it",
    errno.EMFILE: "too many open files of this process",
    errno.ENFILE: "too many open files of the system",
    errno.ENOBUFS: "no memory for sockets",
}
"""What stands in our own way, and not in a peer's."""


class Loss(StrEnum):
    """How the other end is no longer there, or never was."""

    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"
    RESET = "reset"
    CLOSED = "closed"


class Lost(Exception):
    """The other end is not there, or no longer."""

    def __init__(self, loss: Loss) -> None:
        super().__init__(loss.value)
        self.loss = loss


_LOSSES = {
    errno.ECONNREFUSED: Loss.REFUSED,
    errno.ECONNRESET: Loss.RESET,
    errno.EPIPE: Loss.RESET,
    errno.ETIMEDOUT: Loss.TIMED_OUT,
}


def lost_by(fault: OSError) -> Lost | ConfigError:
    """Return what a fault of the system's means: nobody there, or this machine's own lack."""
    if fault.errno in OURS:
        return ConfigError(
            f"No peer can be reached from this machine: {OURS[fault.errno]}. Check the source"
            " address and the limits of open files, or ask fewer peers at a time."
        )
    return Lost(_LOSSES.get(fault.errno or 0, Loss.UNREACHABLE))
