"""A worker that a hostile file has taken over: it does what the item's bytes name.

The tests start it in place of ``protech.salus.worker``; the first argument says how it begins.
It locks and serves with the product's own code; only what loads and measures is another.
"""

import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from protech.errors import ConfigError, ModelError
from protech.salus import wire, worker
from protech.salus.sampling import Sampling
from protech.salus.seekable import Seekable
from protech.salus.sniff import MediaType
from protech.types import Frame, Limits, Measured, PdqHash

CHANNEL = int(sys.argv[-1])
LIBC = ctypes.CDLL(None, use_errno=True)
CHILDREN: list[int] = []


def say(data: bytes) -> None:
    while data:
        data = data[os.write(CHANNEL, data) :]


def head(size_bytes: int, kind: int = wire.MessageKind.MEASURED) -> bytes:
    return struct.pack("<4sBI", wire.MESSAGE_MAGIC, kind, size_bytes)


def hang() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        time.sleep(1)


def say_and_hang(data: bytes) -> Callable[[], object]:
    def deed() -> None:
        say(data)
        hang()

    return deed


def say_and_exit(data: bytes) -> Callable[[], object]:
    def deed() -> None:
        say(data)
        os._exit(0)

    return deed


def spin() -> None:
    while True:
        pass


def eat() -> None:
    kept = []
    while True:
        kept.append(bytearray(16 * 1024 * 1024))


def trickle() -> None:
    say(head(1000))
    while True:
        say(b"x")
        time.sleep(0.05)


READY = wire.message_bytes(
    wire.Ready(has_seccomp=True, landlock_abi=7, has_namespaces=False, warm_bytes=0)
)
OTHER = wire.message_bytes(wire.Answer(sequence=0, measured=Measured(width_px=1)))

DEEDS: dict[str, Callable[[], object]] = {
    "open": lambda: os.open("/etc/hostname", os.O_RDONLY),
    "proc": lambda: os.open("/proc/self/status", os.O_RDONLY),
    "parent": lambda: os.open(f"/proc/{os.getppid()}/mem", os.O_RDWR),
    "socket": lambda: socket.socket(socket.AF_INET),
    "abstract": lambda: socket.socket(socket.AF_UNIX).connect("\0protech-test"),
    "fork": os.fork,
    "kill": lambda: os.kill(os.getppid(), signal.SIGTERM),
    "stderr": lambda: os.write(2, b"x"),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "ptrace": lambda: LIBC.ptrace(16, os.getppid(), 0, 0),
    "segv": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "exit": lambda: os._exit(0),
    "raise": lambda: DEEDS["missing"],
    "eat": eat,
    "hang": hang,
    "spin": spin,
    "stuck": say_and_hang(head(100) + bytes(10)),
    "trickle": trickle,
    "huge": say_and_hang(head(2**32 - 1)),
    "noise": say_and_hang(bytes(range(256)) * 40),
    "kind": say_and_hang(head(0, kind=77)),
    "zeros": say_and_hang(head(23) + bytes(23)),
    "ready": say_and_hang(READY),
    "other": say_and_hang(OTHER),
    "short": say_and_exit(head(100) + bytes(10)),
    "later": lambda: threading.Timer(0.05, say, [OTHER]).start(),
    "child": lambda: CHILDREN[0],
    "pid": os.getpid,
}
"""The last ones of these are no attack: they tell the tests who they talk to."""


class Hostile:
    """Does what the item's bytes name.

    ``height_px`` is 1 plus the error number, ``width_px`` the number that it got. An unknown
    name is echoed as a hash, with its length as the width.
    """

    def measure(self, data: bytes | memoryview, *, media_type: MediaType) -> Measured:
        name = bytes(data[:32])
        deed = DEEDS.get(name.decode("ascii", "replace"))
        if deed is None:
            echo = PdqHash(bits=name.ljust(32), quality=7)
            return Measured(width_px=len(data), frames=(Frame(hashes=(echo,)),))
        try:
            got = deed()
        except OSError as refused:
            return Measured(height_px=1 + (refused.errno or 0))
        return Measured(width_px=got if isinstance(got, int) else None, height_px=1)

    def video(self, source: Seekable, *, media_type: MediaType, sampling: Sampling) -> Measured:
        if source.at(0, 4) == b"hang":
            hang()
        return Measured(width_px=source.size_bytes, height_px=sampling)

    def header(self, data: bytes | memoryview, *, media_type: MediaType) -> Measured:
        return Measured(width_px=len(data), height_px=1 + list(MediaType).index(media_type))

    def rehash(self, data: bytes | memoryview, *, media_type: MediaType) -> Measured:
        return Measured(width_px=1, height_px=len(data))


def load(models: Path | None, *, limits: Limits) -> Hostile:
    return Hostile()


def load_with_child(models: Path | None, *, limits: Limits) -> Hostile:
    CHILDREN.append(subprocess.Popen(["sleep", "600"]).pid)
    return Hostile()


def load_without_kernel(models: Path | None, *, limits: Limits) -> Hostile:
    """Make this kernel one without landlock and namespaces."""
    import pyseccomp

    rules = pyseccomp.SyscallFilter(defaction=pyseccomp.ALLOW)
    for name in ("landlock_create_ruleset", "unshare"):
        rules.add_rule(pyseccomp.ERRNO(38), name)
    rules.load()
    return Hostile()


def refuse_models(models: Path | None, *, limits: Limits) -> Hostile:
    raise ModelError(f"The card of {models} is broken; build it again.")


def refuse_settings(models: Path | None, *, limits: Limits) -> Hostile:
    raise ConfigError("A package is missing; install it.")


def lack_a_library(models: Path | None, *, limits: Limits) -> Hostile:
    raise ImportError("libGL.so.1: cannot open shared object file")


LOADERS = {
    "serve": load,
    "with-child": load_with_child,
    "without-kernel": load_without_kernel,
    "refuse-models": refuse_models,
    "refuse-settings": refuse_settings,
    "lack-a-library": lack_a_library,
}


def main() -> None:
    how, *arguments = sys.argv[1:]
    if how == "gone":
        return
    if how == "mute":
        hang()
    if how == "noisy":
        say_and_hang(bytes(range(256)))()
    if how == "answering":
        say_and_hang(OTHER)()
    if how == "deaf":
        say_and_hang(READY)()
    if how == "chatty":
        say_and_hang(READY + OTHER)()
    if how.startswith("flaky:"):
        tries = Path(how.removeprefix("flaky:"))
        count = len(tries.read_bytes()) if tries.exists() else 0
        tries.write_bytes(bytes(count + 1))
        if count < 2:
            return
        how = "serve"
    raise SystemExit(worker.main(arguments, loading=LOADERS[how]))


if __name__ == "__main__":
    main()
