"""Memory for a sealed list: locked, left out of dumps, and gone afterwards."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from protech.lists.locked import NAME, locked_file

SIZE = 3 * 4096 + 5


def mapping() -> str:
    """Return what the kernel says of the pages of a locked file of this process."""
    parts = re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text())
    return next((part for part in parts if f"memfd:{NAME}" in part), "")


def test_what_is_written_is_read_again() -> None:
    with locked_file(SIZE) as descriptor:
        assert os.fstat(descriptor).st_size == SIZE
        os.pwrite(descriptor, b"x" * SIZE, 0)
        assert os.pread(descriptor, SIZE + 1, 0) == b"x" * SIZE


def test_its_pages_are_locked_and_in_no_dump() -> None:
    with locked_file(SIZE):
        found = mapping()
        assert re.search(r"Locked: +16 kB", found)
        flags = next(line for line in found.splitlines() if line.startswith("VmFlags:"))
        assert {"lo", "dd"} <= set(flags.split())
    assert mapping() == ""


def test_it_is_overwritten_before_it_goes() -> None:
    with locked_file(SIZE) as descriptor:
        os.pwrite(descriptor, b"x" * SIZE, 0)
        kept = os.dup(descriptor)
    try:
        assert os.pread(kept, SIZE, 0) == bytes(SIZE)
    finally:
        os.close(kept)


def test_an_empty_list_has_a_place_too() -> None:
    with locked_file(0) as descriptor:
        assert os.pread(descriptor, 1, 0) == b""


REFUSED = """
import os, resource, sys
from protech.errors import ConfigError
from protech.lists.locked import locked_file
resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
if os.getuid() == 0:
    os.setgid(65534); os.setuid(65534)
with locked_file(65536):
    pass
try:
    with locked_file(65537):
        sys.exit("it was not refused")
except ConfigError as refused:
    sys.stdout.write(str(refused))
sys.stdout.flush()
os._exit(0)  # nobody writes here what it measured
"""


def test_where_the_system_does_not_lock_it_says_how_to_allow_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", REFUSED], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "does not lock 65 KiB" in done.stdout
    for way in ("ulimit -l", "LimitMEMLOCK=", "/etc/security/limits.conf"):
        assert way in done.stdout


RAISED = """
import resource
from protech.lists.locked import locked_file
soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
resource.setrlimit(resource.RLIMIT_MEMLOCK, (4096, hard))
with locked_file(8192):
    pass
"""


def test_a_limit_that_may_be_raised_is_raised() -> None:
    subprocess.run([sys.executable, "-c", RAISED], check=True)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_it_goes_whatever_happens(error: type[BaseException]) -> None:
    with pytest.raises(error), locked_file(SIZE):
        raise error
    assert mapping() == ""
