"""Run a command that dies with the process that started it: ``tether.py PARENT COMMAND...``.

Started as a file, before anything is imported that costs time. Where the supervisor is killed,
the kernel ends proxy and detector with it, and the browser gets nothing instead of too much.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""Source: prctl(2). The setting outlives execve of an ordinary program."""


def tie(parent: int) -> bool:
    """Have the kernel kill this process when its parent ends; False if that has happened."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # The parent may have ended before the call; nothing would be sent any more then.
    return os.getppid() == parent


def command(arguments: list[str], *, parent: int) -> list[str]:
    """Return the command line that runs ``arguments`` tied to the process ``parent``."""
    return [sys.executable, "-I", "-S", __file__, str(parent), *arguments]


if __name__ == "__main__":
    if tie(int(sys.argv[1])):
        os.execv(sys.argv[2], sys.argv[2:])
