"""Starts the guard's parts, restarts what dies, stops them together.

Detector, proxy and page are processes of their own, each the head of its own group. None of
them outlives the supervisor: without it nothing answers at the proxy's address.
"""

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from protech.errors import ProtechError
from protech.guard import tether

READY_S = 60.0
"""Opening models and warming workers takes some seconds on a slow machine."""

STOP_S = 5.0
LOOK_EVERY_S = 0.05

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 30.0
STEADY_S = 60.0
"""A part that ran this long is forgiven its earlier failures."""

SECRETS = ("SSLKEYLOGFILE", "MITMPROXY_SSLKEYLOGFILE")
"""With these set a TLS library would write the keys of every connection to a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process of the guard: how to start it, how to see that it serves.

    ``meanwhile`` tells the person what its absence means for them.
    """

    name: str
    command: tuple[str, ...]
    is_ready: Callable[[], bool]
    meanwhile: str


class PartError(ProtechError):
    """A part did not start; the exit code is the part's own where it gave a reason."""

    def __init__(self, message: str, *, exit_code: int = 2) -> None:
        """Take the message for the person and the exit code."""
        super().__init__(message)
        self.exit_code = exit_code


def delay_s(failures: int) -> float:
    """Return how long to wait before the start after ``failures`` in a row."""
    return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(failures - 1, 16))


class Supervisor:
    """Keeps the parts running.

    Start and tend it from one thread that lives as long as the parts shall: the kernel ends
    them with the thread that started them.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        say: Callable[[str], None],
        ready_s: float = READY_S,
    ) -> None:
        """Take the parts in the order in which they start; ``say`` tells the person."""
        self._children = [_Child(part) for part in parts]
        self._say = say
        self._ready_s = ready_s
        self._wish = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def start(self) -> None:
        """Start every part, each once the one before it serves.

        Raises:
            PartError: A part ended or did not serve in time.
        """
        for child in self._children:
            child.spawn()
            self._await(child)

    def run(self) -> None:
        """Restart what dies until ``ask_to_stop`` is called."""
        while not self.tend(timeout_s=None):
            pass

    def tend(self, *, timeout_s: float | None) -> bool:
        """Wait for something to do, do it; return whether a stop was asked for."""
        poll = select.poll()
        poll.register(self._wish, select.POLLIN)
        for child in self._children:
            if child.handle is not None:
                poll.register(child.handle, select.POLLIN)
        waits = [child.wait_s for child in self._children if child.wait_s is not None]
        if timeout_s is not None:
            waits.append(timeout_s)
        events = dict(poll.poll(1000 * min(waits) if waits else None))
        if self._wish in events:
            return True
        for child in self._children:
            if child.handle in events:
                self._mourn(child)
            elif child.is_due:
                self._restart(child)
            elif child.has_come_back():
                self._say(f"The {child.part.name} is back.")
        return False

    def ask_to_stop(self) -> None:
        """End ``run``; may be called from a signal handler or another thread."""
        if self._wish >= 0:
            os.eventfd_write(self._wish, 1)

    def processes(self) -> dict[str, int]:
        """Return the process id of every part that runs now."""
        return {
            child.part.name: child.process.pid
            for child in self._children
            if child.process is not None
        }

    def stop(self) -> None:
        """End every part, the last one started first; what does not end is killed."""
        for child in reversed(self._children):
            child.end()
        wish, self._wish = self._wish, -1
        os.close(wish)

    def __enter__(self) -> Self:
        """Start every part; where one fails the others are ended."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every part."""
        self.stop()

    def _await(self, child: "_Child") -> None:
        end = time.monotonic() + self._ready_s
        while not child.has_come_back():
            if child.has_ended():
                code = child.bury()
                raise PartError(
                    f"The {child.part.name} did not start ({_words(code)}); what it said is"
                    " above. Put that right and start the guard again.",
                    exit_code=code if code in range(2, 64) else 2,
                )
            if time.monotonic() > end:
                raise PartError(
                    f"The {child.part.name} did not serve within {self._ready_s:.0f} seconds;"
                    " the machine may be too busy. Try again, or see `protech doctor`."
                )
            if select.select([self._wish], [], [], LOOK_EVERY_S)[0]:
                raise PartError("Stopped before the guard was ready.", exit_code=2)

    def _restart(self, child: "_Child") -> None:
        try:
            child.spawn()
        except OSError as refused:
            wait_s = child.plan_restart()
            self._say(
                f"The {child.part.name} could not be started ({refused.strerror})."
                f" {child.part.meanwhile} The next try is in {wait_s:.1f} s."
            )

    def _mourn(self, child: "_Child") -> None:
        how = _words(child.bury())
        wait_s = child.plan_restart()
        self._say(
            f"The {child.part.name} ended unexpectedly ({how}). {child.part.meanwhile}"
            f" It starts again in {wait_s:.1f} s."
        )


class _Child:
    """One part's process, and when it is to start again."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.process: subprocess.Popen[bytes] | None = None
        self.handle: int | None = None
        self._is_serving = False
        self._failures = 0
        self._started = 0.0
        self._due: float | None = None

    def spawn(self) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
        self.process = subprocess.Popen(
            tether.command(list(self.part.command), parent=os.getpid()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # What a command prints is its result; parts have none.
            env=environment,
            process_group=0,
        )
        self.handle = os.pidfd_open(self.process.pid)
        self._is_serving, self._started, self._due = False, time.monotonic(), None

    @property
    def is_due(self) -> bool:
        return self._due is not None and time.monotonic() >= self._due

    @property
    def wait_s(self) -> float | None:
        """Seconds until this child wants a look; None where only its end matters."""
        if self._due is not None:
            return max(0.0, self._due - time.monotonic())
        return None if self._is_serving else LOOK_EVERY_S

    def has_come_back(self) -> bool:
        """Return whether it serves and did not at the last look."""
        if self.process is None or self._is_serving or self.has_ended():
            return False
        self._is_serving = self.part.is_ready()
        return self._is_serving

    def has_ended(self) -> bool:
        return self.handle is not None and bool(select.select([self.handle], [], [], 0)[0])

    def plan_restart(self) -> float:
        is_steady = time.monotonic() - self._started >= STEADY_S
        self._failures = 1 if is_steady else self._failures + 1
        wait_s = delay_s(self._failures)
        self._due = time.monotonic() + wait_s
        return wait_s

    def bury(self) -> int:
        """Kill what is left of its group, release it and return its exit code."""
        process, handle = self.process, self.handle
        if process is None or handle is None:
            return 0
        self._signal(signal.SIGKILL)  # Before the wait: until then the number is still its own.
        code = process.wait()
        os.close(handle)
        self.process = self.handle = None
        return code

    def end(self) -> None:
        self._due = None
        if self.handle is not None:
            self._signal(signal.SIGTERM)
            select.select([self.handle], [], [], STOP_S)
            self.bury()

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return


def _words(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
