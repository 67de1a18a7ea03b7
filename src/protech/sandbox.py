"""Lock a process so that whatever hostile media makes of it can only compute and answer.

Three layers: a seccomp allow-list on every thread, landlock without any path, port or signal,
and resource limits. Where the kernel has no landlock, empty namespaces take its place.
Sources: landlock(7), seccomp(2), prctl(2), namespaces(7).
"""

import ctypes
import errno
import mmap
import os
import resource
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_GET_SECCOMP = 21
PR_SET_NO_NEW_PRIVS = 38

# The three system calls have these numbers on every architecture. Source: landlock(7).
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_RESTRICT_SELF = 446
LANDLOCK_CREATE_RULESET_VERSION = 1
LANDLOCK_QUIET = 1 << 0
"""LOG_SAME_EXEC_OFF, since ABI 7: a refused path must not reach the audit log."""
LANDLOCK_ALL_THREADS = 1 << 3
"""TSYNC, since ABI 8; before it only the calling thread and those it starts are held."""

FILE_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many rights over files an ABI knows: all of them are handled, so all are refused."""
NET_RIGHTS = 0b11
"""Bind and connect TCP, since ABI 4."""
SCOPES = 0b11
"""Abstract unix sockets and signals stay inside the domain, since ABI 6."""

CLONE_THREAD = 0x00010000
CLONE_NEW = 0x7E020080
"""Every CLONE_NEW* flag of clone(2)."""
NAMESPACES = 0x10000000 | 0x40000000 | 0x08000000 | 0x00020000
"""CLONE_NEWUSER, NEWNET, NEWIPC, NEWNS."""
MOUNT_BARE = 1 | 2 | 4 | 8
"""MS_RDONLY, NOSUID, NODEV, NOEXEC."""
MOUNT_PRIVATE = (1 << 18) | (1 << 14)
"""MS_PRIVATE and MS_REC."""

UNKNOWN_CALL = -1
"""What libseccomp makes of a name that this architecture never had."""
OPEN_FILES = 64
"""Descriptors a locked worker may hold; it receives one at a time."""

ALLOWED = """
    brk munmap mremap madvise membarrier
    futex set_robust_list rseq set_tid_address sched_yield sched_getaffinity gettid getpid
    read readv pread64 preadv close poll ppoll select pselect6 recvfrom recvmsg
    clock_gettime clock_getres gettimeofday time nanosleep clock_nanosleep
    rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall setitimer
    getrandom uname sysinfo getrusage getcpu exit exit_group
"""
"""What codecs, NumPy and onnxruntime need once they are loaded, and nothing more."""

KILLED = """
    execve execveat ptrace process_vm_readv process_vm_writev pidfd_getfd pidfd_open
    bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register
    keyctl add_key request_key mount umount2 move_mount open_tree fsopen pivot_root chroot
    setns unshare init_module finit_module delete_module kexec_load kexec_file_load
    open_by_handle_at reboot swapon swapoff personality
"""
"""No library probes for these: who calls one is hostile and ends at once.

Everything else that is not allowed answers EPERM, so that a library which looks for a file or a
name service goes on without it.
"""

NO_LANDLOCK = "landlock is missing: use Linux 5.13 or newer, with landlock in its lsm= list"
NO_SECCOMP = "seccomp is missing: use a kernel built with CONFIG_SECCOMP_FILTER"
NO_LIBSECCOMP = "libseccomp is missing: install libseccomp2 and the Python package pyseccomp"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockState:
    """Which layers hold this process; ``missing`` says in words what could not be had."""

    has_seccomp: bool = False
    landlock_abi: int = 0
    has_namespaces: bool = False
    missing: tuple[str, ...] = ()

    @property
    def is_locked(self) -> bool:
        """Whether hostile media may be parsed: seccomp, and landlock or namespaces."""
        return self.has_seccomp and (self.landlock_abi > 0 or self.has_namespaces)


def harden_process() -> None:
    """Leave no core dump and no /proc or ptrace door to others; for who holds media or keys.

    It does not outlive ``exec``: each such process calls it itself.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # A core pattern that is a pipe ignores RLIMIT_CORE; it does not ignore this.
        _prctl(PR_SET_DUMPABLE, 0)


def capability() -> LockState:
    """Return what this kernel and machine offer, without locking anything."""
    filters, no_filters = _seccomp()
    landlock_abi = _landlock_abi()
    missing = [] if landlock_abi else [NO_LANDLOCK]
    return LockState(
        has_seccomp=filters is not None,
        landlock_abi=landlock_abi,
        missing=tuple(missing + no_filters),
    )


def lock_down(*, memory_bytes: int | None, channel: int | None = None) -> LockState:
    """Lock this process for good and return which layers hold.

    Call it with every library loaded and, where landlock is older than ABI 8, with no thread
    started yet. Afterwards no path opens, no process starts, no socket is made, no page becomes
    executable, and bytes are written to ``channel`` only.

    Args:
        memory_bytes: Address space that may be added to what is held now; None: no limit.
        channel: The one descriptor that may be written to; None: none may.

    Cost: about 2 ms.
    """
    filters, missing = _seccomp()
    harden_process()
    _limit(memory_bytes)
    has_seccomp = has_namespaces = False
    landlock_abi = _landlock_abi()
    try:
        _prctl(PR_SET_NO_NEW_PRIVS, 1)
        if landlock_abi:
            _restrict_with_landlock(landlock_abi)
        else:
            missing.append(NO_LANDLOCK)
            _enter_namespaces()
            has_namespaces = True
    except OSError as refused:
        missing.append(f"landlock or namespaces did not take hold: {refused.strerror}")
        landlock_abi = 0
    try:
        if filters is not None:
            allow_list(filters, channel).load()
            has_seccomp = True
    except OSError as refused:
        missing.append(f"seccomp did not take hold: {refused.strerror}")
    return LockState(
        has_seccomp=has_seccomp,
        landlock_abi=landlock_abi,
        has_namespaces=has_namespaces,
        missing=tuple(missing),
    )


def address_space_bytes() -> int:
    """Return the address space that this process holds now."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    return int(pages) * mmap.PAGESIZE


def _limit(memory_bytes: int | None) -> None:
    if memory_bytes is not None:
        limit = address_space_bytes() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))


def _seccomp() -> tuple["ModuleType | None", list[str]]:
    """Return libseccomp's binding, or None and what to do about it."""
    try:
        _prctl(PR_GET_SECCOMP)
    except OSError:
        return None, [NO_SECCOMP]
    try:
        import pyseccomp  # it looks for the C library as it loads, and raises
    except (ImportError, RuntimeError):
        return None, [NO_LIBSECCOMP]
    return pyseccomp, []


def allow_list(seccomp: "ModuleType", channel: int | None) -> Any:  # noqa: ANN401 - untyped
    """Return the filter that ``load`` puts on every thread of this process.

    Raises:
        OSError: libseccomp does not take it.
    """
    rules = seccomp.SyscallFilter(defaction=seccomp.ERRNO(errno.EPERM))
    # A 32-bit or x32 call on a 64-bit kernel would pass by these numbers.
    rules.set_attr(seccomp.Attr.ACT_BADARCH, seccomp.KILL_PROCESS)
    rules.set_attr(seccomp.Attr.CTL_TSYNC, 1)
    for name in ALLOWED.split():
        _add(seccomp, rules, seccomp.ALLOW, name)
    for name in KILLED.split():
        _add(seccomp, rules, seccomp.KILL_PROCESS, name)
    # glibc tries clone3 first; its flags are behind a pointer, which a filter cannot read.
    _add(seccomp, rules, seccomp.ERRNO(errno.ENOSYS), "clone3")
    for name, *conditions in _conditional(seccomp, channel):
        _add(seccomp, rules, seccomp.ALLOW, name, *conditions)
    return rules


def _conditional(seccomp: "ModuleType", channel: int | None) -> Iterator[tuple[Any, ...]]:
    """Give the calls that are allowed with certain arguments only."""
    argument, equal, masked = seccomp.Arg, seccomp.EQ, seccomp.MASKED_EQ
    never_run = argument(2, masked, mmap.PROT_EXEC, 0)
    yield "clone", argument(0, masked, CLONE_THREAD | CLONE_NEW, CLONE_THREAD)
    yield "mprotect", never_run
    # Memory only: a mapped file could be changed under a decoder, or written to.
    yield "mmap", never_run, argument(3, masked, mmap.MAP_ANONYMOUS, mmap.MAP_ANONYMOUS)
    yield "prlimit64", argument(2, equal, 0)
    yield "prctl", argument(0, equal, PR_SET_NAME)
    yield "tgkill", argument(0, equal, os.getpid())
    if channel is not None:
        yield "write", argument(0, equal, channel)
        yield "sendto", argument(0, equal, channel), argument(4, equal, 0)


def _add(seccomp: "ModuleType", rules: Any, action: int, name: str, *conditions: Any) -> None:  # noqa: ANN401 - pyseccomp has no types
    number = seccomp.resolve_syscall(seccomp.Arch.NATIVE, name)
    if number != UNKNOWN_CALL:
        rules.add_rule(action, number, *conditions)


def _landlock_abi() -> int:
    try:
        return _syscall(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_CREATE_RULESET_VERSION)
    except OSError:
        return 0


def ruleset(abi: int) -> tuple[int, int, int]:
    """Return as bits the rights over files and TCP and the scopes that this ABI can refuse."""
    rights = max(count for since, count in FILE_RIGHTS_BY_ABI.items() if since <= abi)
    return (1 << rights) - 1, NET_RIGHTS if abi >= 4 else 0, SCOPES if abi >= 6 else 0


def _restrict_with_landlock(abi: int) -> None:
    """Refuse every path, TCP port, signal and abstract socket that this ABI knows of.

    Raises:
        OSError: The kernel does not take it.
    """
    rights = struct.pack("=QQQ", *ruleset(abi))
    descriptor = _syscall(LANDLOCK_CREATE_RULESET, rights, len(rights), 0)
    flags = (LANDLOCK_QUIET if abi >= 7 else 0) | (LANDLOCK_ALL_THREADS if abi >= 8 else 0)
    try:
        _syscall(LANDLOCK_RESTRICT_SELF, descriptor, flags)
    finally:
        os.close(descriptor)


def _enter_namespaces() -> None:
    """Move into empty namespaces: no network, no shared memory, an empty read-only root.

    Raises:
        OSError: The kernel or the distribution refuses it, or a thread runs already.
    """
    _call("unshare", NAMESPACES)
    _call("mount", b"none", b"/", None, MOUNT_PRIVATE, None)
    _call("mount", b"none", b"/proc", b"tmpfs", MOUNT_BARE, b"size=4k")
    _call("chroot", b"/proc")
    os.chdir("/")


def _prctl(option: int, value: int = 0) -> int:
    return _call("prctl", *(ctypes.c_ulong(word) for word in (option, value, 0, 0, 0)))


def _syscall(number: int, *arguments: object) -> int:
    words = (ctypes.c_ulong(one) if isinstance(one, int) else one for one in arguments)
    return _call("syscall", ctypes.c_long(number), *words)


def _call(name: str, *arguments: object) -> int:
    """Call a function of the C library that answers -1 and errno when it fails.

    Raises:
        OSError: It failed.
    """
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    function.restype = ctypes.c_long
    result: int = function(*arguments)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
