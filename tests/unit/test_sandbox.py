"""The lock is real: each attempt runs in a process of its own that has locked itself."""

import json
import mmap
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import pyseccomp
import pytest

from protech import sandbox

PROGRAM = """
import ctypes, errno, json, mmap, os, resource, signal, socket, sys, threading
from protech import sandbox

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
report, spare = int(sys.argv[1]), int(sys.argv[2])
file = os.memfd_create("x")
os.ftruncate(file, 10)
page = mmap.mmap(-1, mmap.PAGESIZE)

def call(*numbers):
    if libc.syscall(*(ctypes.c_long(number) for number in numbers)) == -1:
        raise OSError(ctypes.get_errno(), "")

def executable():
    at = ctypes.addressof(ctypes.c_char.from_buffer(page))
    if libc.mprotect(at, mmap.PAGESIZE, 7) == -1:
        raise OSError(ctypes.get_errno(), "")

def threads():
    seen = []
    some = [threading.Thread(target=seen.append, args=(n,)) for n in range(4)]
    [one.start() for one in some], [one.join() for one in some]
    return len(seen)

{before}
state = sandbox.lock_down(memory_bytes={memory}, channel=report)
try:
    answer = [0, {attempt}]
except OSError as refused:
    answer = [refused.errno, None]
except MemoryError:
    answer = [errno.ENOMEM, None]
said = {"errno": answer[0], "value": answer[1], "is_locked": state.is_locked,
    "landlock_abi": state.landlock_abi, "has_seccomp": state.has_seccomp,
    "has_namespaces": state.has_namespaces, "missing": state.missing}
os.write(report, json.dumps(said).encode())
os._exit(0)
"""


def older_kernel(*calls: str) -> str:
    """Return code after which these calls answer as on a kernel that never had them."""
    return f"""
import pyseccomp
rules = pyseccomp.SyscallFilter(defaction=pyseccomp.ALLOW)
for name in {calls!r}:
    rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), name)
if "seccomp" in {calls!r}:  # nor by its older door
    set_seccomp = pyseccomp.Arg(0, pyseccomp.EQ, 22)
    rules.add_rule(pyseccomp.ERRNO(errno.EINVAL), "prctl", set_seccomp)
rules.load()
"""


EPERM, ENOMEM, ENOSYS = 1, 12, 38


class Killed(Exception):
    """The kernel ended the process for what it tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one attempt got, and which layers held the process."""

    errno: int
    value: object
    is_locked: bool
    landlock_abi: int
    has_seccomp: bool
    has_namespaces: bool
    missing: list[str]


def locked(attempt: str, *, before: str = "", memory: int | None = None) -> Report:
    """Lock a fresh process, let it try, and return what it got."""
    code = PROGRAM.replace("{before}", before).replace("{memory}", repr(memory))
    ours, theirs = os.pipe()
    spare = os.open(os.devnull, os.O_WRONLY)
    with os.fdopen(ours, "rb") as report:
        try:
            done = subprocess.run(
                [
                    sys.executable,
                    "-c",
                    code.replace("{attempt}", attempt),
                    f"{theirs}",
                    f"{spare}",
                ],
                pass_fds=(theirs, spare),
                check=False,
                timeout=60,
            )
        finally:
            os.close(theirs)
            os.close(spare)
        said = report.read()
    if done.returncode < 0:
        raise Killed(-done.returncode)
    return Report(**json.loads(said))


def outcome(attempt: str, *, before: str = "", memory: int | None = None) -> tuple[int, object]:
    report = locked(attempt, before=before, memory=memory)
    return report.errno, report.value


@pytest.mark.parametrize(
    "attempt",
    [
        "os.open('/etc/hostname', os.O_RDONLY)",
        "os.open('/proc/self/status', os.O_RDONLY)",
        "os.open(f'/proc/{os.getppid()}/mem', os.O_RDONLY)",
        "os.open('/dev/null', os.O_WRONLY)",
        "os.open('/tmp/new', os.O_CREAT | os.O_WRONLY)",
        "os.stat('/etc/hostname')",
        "os.listdir('/')",
        "os.unlink('/etc/hostname')",
        "os.mkdir('/tmp/new')",
        "os.chmod('/tmp', 0o777)",
        "os.rename('/etc/hostname', '/tmp/new')",
        "os.memfd_create('x')",
        "os.pipe()",
        "os.dup2(report, spare)",
        "socket.socket(socket.AF_INET)",
        "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
        "socket.socket(socket.AF_UNIX)",
        "socket.socketpair()",
        "os.fork()",
        "os.kill(os.getppid(), signal.SIGTERM)",
        "os.kill(os.getppid(), 0)",
        "os.killpg(0, 0)",
        "os.setuid(0)",
        "os.write(spare, b'x')",
        "os.write(file, b'x')",
        "os.pwrite(file, b'x', 0)",
        "os.ftruncate(file, 0)",
        "mmap.mmap(file, 1)",
        "mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)",
        "executable()",
        "call({'x86_64': 302, 'aarch64': 261}[os.uname().machine], 0, 1, 1, 0)",
        "os.sched_setaffinity(os.getppid(), {0})",
        "os.nice(1)",
    ],
)
def test_a_locked_process_is_refused(attempt: str) -> None:
    assert outcome(attempt) == (EPERM, None)


@pytest.mark.parametrize(
    "attempt",
    [
        "os.execv('/bin/true', ['true'])",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "call({'x86_64': 101, 'aarch64': 117}[os.uname().machine], 16, os.getppid(), 0, 0)",
        "call({'x86_64': 310, 'aarch64': 270}[os.uname().machine], 1, 0, 0, 0, 0, 0)",
        "call(425, 8, 0)",
        "call(438, 3, 0, 0)",
        "call({'x86_64': 321, 'aarch64': 280}[os.uname().machine], 0, 0, 0)",
        "os.unshare(os.CLONE_NEWUSER)",
        "os.chroot('/')",
    ],
    ids=[
        "exec",
        "spawn",
        "ptrace",
        "process_vm_readv",
        "io_uring",
        "pidfd_getfd",
        "bpf",
        "unshare",
        "chroot",
    ],
)
def test_what_no_library_needs_ends_the_process(attempt: str) -> None:
    if "spawn" in attempt:  # its clone is refused before any exec
        assert outcome(attempt) == (EPERM, None)
        return
    with pytest.raises(Killed):
        locked(attempt)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="x32 calls exist on x86-64 only")
def test_a_call_by_another_architecture_s_number_ends_the_process() -> None:
    with pytest.raises(Killed):
        locked("call(0x40000000 | 39)")


def test_clone3_looks_missing_so_that_the_c_library_falls_back() -> None:
    assert outcome("call(435, 0, 0)") == (ENOSYS, None)


def test_a_locked_process_still_starts_threads() -> None:
    assert outcome("threads()") == (0, 4)


def test_a_thread_from_before_the_lock_is_locked_too() -> None:
    before = """
turn = threading.Event()
def late():
    turn.wait()
    try:
        os.open('/etc/hostname', os.O_RDONLY)
    except OSError as refused:
        got.append(refused.errno)
got = []
old = threading.Thread(target=late)
old.start()
"""
    assert outcome("(turn.set(), old.join(), got[0])[2]", before=before) == (0, EPERM)


def test_memory_ends_at_the_limit_and_not_before() -> None:
    limit = 256 * 1024 * 1024
    slack = 16 * 1024 * 1024  # what the process takes or gives back as it locks itself
    within, beyond = limit - slack, limit + slack
    assert outcome(f"len(bytearray({within}))", memory=limit) == (0, within)
    assert outcome(f"len(bytearray({beyond}))", memory=limit) == (ENOMEM, None)


def filter_text(channel: int | None) -> str:
    with tempfile.TemporaryFile() as file:
        sandbox.allow_list(pyseccomp, channel).export_pfc(file)
        file.seek(0)
        return file.read().decode()


def test_the_compiled_filter_allows_what_is_listed_and_nothing_else() -> None:
    conditional = {"clone", "mprotect", "mmap", "prlimit64", "prctl", "tgkill"}
    sending = {"write", "sendto"}
    named = set(sandbox.ALLOWED.split()) | conditional
    for channel, allowed in ((None, named), (5, named | sending)):
        text = filter_text(channel)
        rules = re.split(r"# filter for syscall ", text)[1:]
        got = {rule.split('"')[1] for rule in rules if "action ALLOW" in rule}
        assert got == {name for name in allowed if exists(name)}
        assert "ERRNO(1)" in text.rpartition("# default action")[2]


def exists(name: str) -> bool:
    return bool(pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name) >= 0)


def test_the_process_leaves_no_core_and_no_door_for_a_debugger() -> None:
    dumpable = "libc.prctl(3, 0, 0, 0, 0)"
    before = f"sandbox.harden_process(); seen = {dumpable}"
    both = "[seen, resource.getrlimit(resource.RLIMIT_CORE)[1]]"
    assert outcome(both, before=before) == (0, [0, 0])


def test_this_machine_gives_what_it_offers() -> None:
    offered = sandbox.capability()
    report = locked("0")
    assert report.is_locked
    assert report.landlock_abi == offered.landlock_abi
    assert report.missing == list(offered.missing)


def test_without_landlock_namespaces_take_its_place() -> None:
    report = locked("0", before=older_kernel("landlock_create_ruleset"))
    assert report.landlock_abi == 0
    assert report.is_locked is report.has_namespaces
    assert sandbox.NO_LANDLOCK in report.missing


def test_without_landlock_and_namespaces_a_process_is_not_locked() -> None:
    report = locked("0", before=older_kernel("landlock_create_ruleset", "unshare"))
    assert (report.is_locked, report.has_seccomp) == (False, True)
    assert len(report.missing) == 2


def test_without_seccomp_a_process_is_not_locked() -> None:
    report = locked("0", before=older_kernel("seccomp"))
    assert (report.is_locked, report.has_seccomp) == (False, False)
    assert report.landlock_abi > 0
    assert len(report.missing) == 1


@pytest.mark.parametrize("abi", range(1, 8))
def test_every_older_landlock_is_asked_only_for_what_it_knows(abi: int) -> None:
    rights, net, scopes = sandbox.ruleset(abi)
    assert rights.bit_length() == {1: 13, 2: 14, 3: 15, 4: 15}.get(abi, 16)
    assert (net, scopes) == (0b11 if abi >= 4 else 0, 0b11 if abi >= 6 else 0)


def test_state_counts_as_locked_only_with_seccomp_and_one_more_layer() -> None:
    def is_locked(**layers: bool) -> bool:
        return sandbox.LockState(
            has_seccomp=layers.get("seccomp", False),
            landlock_abi=3 if layers.get("landlock") else 0,
            has_namespaces=layers.get("namespaces", False),
        ).is_locked

    assert is_locked(seccomp=True, landlock=True)
    assert is_locked(seccomp=True, namespaces=True)
    assert not is_locked(seccomp=True)
    assert not is_locked(landlock=True, namespaces=True)


def test_address_space_is_what_the_process_holds() -> None:
    before = sandbox.address_space_bytes()
    with mmap.mmap(-1, 64 * 1024 * 1024) as held:  # new for certain, as no heap's memory is
        assert sandbox.address_space_bytes() >= before + len(held)
