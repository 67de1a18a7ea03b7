"""A tied command dies with its parent and otherwise runs as it would."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from protech.guard import tether

PARENT = """
import os, subprocess, sys
from protech.guard import tether
child = [sys.executable, "-c", "print('runs', flush=True); import time; time.sleep(60)"]
process = subprocess.Popen(tether.command(child, parent=os.getpid()), stdout=subprocess.PIPE)
process.stdout.readline()
print(process.pid, flush=True)
process.wait()
"""


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def test_a_killed_parent_takes_its_child_along() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.send_signal(signal.SIGKILL)
    end = time.monotonic() + 5
    while is_alive(child) and time.monotonic() < end:
        os.sched_yield()
    assert not is_alive(child)


def test_a_parent_that_is_gone_already_starts_nothing() -> None:
    arguments = [sys.executable, "-c", "print('runs')"]
    done = subprocess.run(
        tether.command(arguments, parent=1), capture_output=True, check=True, timeout=30
    )
    assert done.stdout == b""


def test_the_command_runs_with_its_arguments_and_exit_code() -> None:
    code = "import sys; print(sys.argv[1:]); sys.exit(7)"
    done = subprocess.run(
        tether.command([sys.executable, "-c", code, "a b"], parent=os.getpid()),
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 7
    assert done.stdout == b"['a b']\n"


def test_this_process_can_be_tied_in_a_child() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0 if tether.tie(os.getppid()) and not tether.tie(1) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
