"""Who plays root in a namespace is no root, whatever he puts over /proc."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from protech.errors import AuthorityError
from protech.locate import namespace
from protech.locate.namespace import PROC, require_first_users, uid_map

SPOOF = """
import ctypes, os, subprocess, sys
from protech.locate.namespace import require_first_users
from protech.errors import AuthorityError

def bind(what, over):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(what.encode(), over.encode(), None, 4096, None):
        raise OSError(ctypes.get_errno(), "mount")

what, over = sys.argv[1], sys.argv[2].format(os.getpid())
bind(what, over)
print(open("/proc/self/uid_map").read().split())
try:
    require_first_users()
except AuthorityError as refused:
    print(refused)
"""


def _has_namespaces() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = ["unshare", "-Urm", "true"]
    return subprocess.run(tried, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("text", ["0 1000 1\n", "0 0 65536\n", "", "0 0 1\n1 1 4294967294\n"])
def test_only_all_users_of_the_machine_are_the_first(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(namespace, "uid_map", lambda _: "         0          0 4294967295\n")
    require_first_users()
    monkeypatch.setattr(namespace, "uid_map", lambda _: text)
    with pytest.raises(AuthorityError, match="user namespace"):
        require_first_users()


def test_the_kernel_is_asked() -> None:
    assert uid_map(PROC).split() == Path("/proc/self/uid_map").read_text().split()


def test_a_folder_that_is_not_the_kernels_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "uid_map").write_text("0 0 4294967295\n")
    for folder in (tmp_path, tmp_path / "nowhere", PROC / "self", Path("/sys")):
        with pytest.raises(AuthorityError, match="lies over it"):
            uid_map(folder)


def test_a_path_out_of_the_folder_is_refused() -> None:
    folder = os.open(PROC, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for path in ("self/root", "self/cwd", "nowhere", "sys/fs/binfmt_misc/x"):
            with pytest.raises(OSError):  # noqa: PT011 - which, says the kernel
                namespace._open_within(folder, path)
        with pytest.raises(OSError):  # noqa: PT011 - which, says the kernel
            namespace._kind(-1)
    finally:
        os.close(folder)


@pytest.mark.skipif(not _has_namespaces(), reason="no user namespaces here")
@pytest.mark.parametrize("whole", [False, True])
def test_nothing_that_lies_over_proc_is_believed(tmp_path: Path, whole: bool) -> None:
    """A file of the kernel's whose text anybody chooses, or a folder of his own."""
    spoof = "0 0 4294967295"
    named = f"open('/proc/self/comm', 'w').write('{spoof}'); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", named], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as namer:
        assert namer.stdout is not None
        namer.stdout.readline()
        what, over = f"/proc/{namer.pid}/comm", "/proc/{}/uid_map"
        if whole:
            (tmp_path / "self").mkdir()
            (tmp_path / "self" / "uid_map").write_text(spoof)
            what, over = str(tmp_path), "/proc"
        command = ["unshare", "-Urm", sys.executable, "-c", SPOOF, what, over]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        namer.kill()
    assert not done.returncode, done.stderr
    seen, said = done.stdout.splitlines()
    assert seen == str(spoof.split())
    assert "lies over it" in said
