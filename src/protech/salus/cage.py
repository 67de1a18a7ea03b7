"""One worker process seen from outside: start it, ask it, distrust it, end it.

Every send and every receive has a deadline. A worker that is late, ends, or says anything that
is no answer to the question is of no more use: ``Lost``.
"""

import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Self

from protech.errors import ConfigError, ModelError, ProtechError, SandboxError
from protech.salus import wire
from protech.salus.sampling import Sampling
from protech.salus.sniff import MediaType
from protech.salus.wire_measured import WireError
from protech.types import Measured, Media, Unscannable

REAP_S = 5.0
"""How long a killed process may take to go, in seconds."""

_ERRORS: Mapping[wire.Refusal, type[ProtechError]] = {
    wire.Refusal.SANDBOX: SandboxError,
    wire.Refusal.MODEL: ModelError,
    wire.Refusal.CONFIG: ConfigError,
}


class Lost(Exception):
    """The worker is gone or must go; ``reason`` is what that makes of the item."""

    def __init__(self, reason: Unscannable) -> None:
        """Keep the reason."""
        super().__init__(reason.value)
        self.reason = reason


class Cage:
    """A worker process in its own session and process group, and the socket to it.

    For one thread at a time; only ``kill`` may be called by another.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", channel: socket.socket) -> None:
        """Take a started process and our end of its socket."""
        self._process = process
        self._channel = channel
        self._sequence = int.from_bytes(os.urandom(4), "little")
        self._ending = threading.Lock()
        self.ready: wire.Ready | None = None
        self.items = 0

    @classmethod
    def start(cls, command: Sequence[str], environment: Mapping[str, str]) -> Self:
        """Start ``command --channel N`` and return at once, before it is ready.

        Raises:
            OSError: No process could be started.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with theirs:
                process = subprocess.Popen(
                    [*command, "--channel", str(theirs.fileno())],
                    pass_fds=(theirs.fileno(),),
                    env=dict(environment),
                    cwd="/",  # it must not hold a disk that the person wants to take out
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,  # what a codec prints may quote the media
                    start_new_session=True,
                )
        except OSError:
            ours.close()
            raise
        return cls(process, ours)

    def await_ready(self, *, seconds: float) -> wire.Ready:
        """Wait until the worker is loaded and locked, and return which layers hold it.

        Raises:
            Lost: It ended, was late, or said something else.
            SandboxError, ModelError, ConfigError: It says why it cannot start.
        """
        if self.ready is None:
            message = self._receive(time.monotonic() + seconds)
            match message:
                case wire.Ready():
                    self.ready = message
                case wire.Refused():
                    raise _ERRORS[message.refusal](message.text)
                case _:
                    raise Lost(Unscannable.CRASHED)
        return self.ready

    def is_silent(self) -> bool:
        """Return whether the worker lives and has said nothing that it was not asked."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        return not poll.poll(0)

    def ask(
        self,
        operation: wire.Operation,
        media: Media,
        media_type: MediaType,
        *,
        seconds: float,
        sampling: Sampling = Sampling.PER_SECOND,
    ) -> Measured:
        """Return what the worker measured of one item; ``sampling`` is of videos.

        Raises:
            Lost: It is late, gone, or did not answer this question.
        """
        deadline = time.monotonic() + seconds
        self.items += 1
        self._sequence += 1
        content = memoryview(media.content or b"").cast("B")
        descriptor = media.descriptor
        request = wire.Request(
            operation=operation,
            sampling=sampling,
            media_type=media_type,
            size_bytes=content.nbytes if descriptor is None else media.size_bytes,
            sequence=self._sequence,
            seconds=seconds,
            has_descriptor=descriptor is not None,
        )
        head = wire.request_bytes(request)
        if descriptor is None:
            self._send(head, content, deadline)
        else:
            self._send_descriptor(head, descriptor, deadline)
        answer = self._receive(deadline)
        if not isinstance(answer, wire.Answer) or answer.sequence != request.sequence:
            raise Lost(Unscannable.CRASHED)
        return answer.measured

    def kill(self) -> None:
        """Kill the worker with its whole group; whoever waits for its answer loses it."""
        with self._ending:
            if self._process.returncode is None:  # else the number may be another's by now
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill the worker, reap it and close the socket."""
        self.kill()
        with self._ending, suppress(subprocess.TimeoutExpired):
            self._process.wait(REAP_S)
        self._channel.close()

    def _send(self, head: bytes, content: memoryview, deadline: float) -> None:
        with _losing():
            self._channel.settimeout(_left(deadline))
            sent = self._channel.sendmsg([head, content]) - len(head)
            if sent < 0:
                raise Lost(Unscannable.CRASHED)  # it does not even read a head
            self._channel.settimeout(_left(deadline))
            self._channel.sendall(content[sent:])

    def _send_descriptor(self, head: bytes, descriptor: int, deadline: float) -> None:
        with _losing():
            self._channel.settimeout(_left(deadline))
            if socket.send_fds(self._channel, [head], [descriptor]) != len(head):
                raise Lost(Unscannable.CRASHED)

    def _receive(self, deadline: float) -> wire.Message:
        with _losing():
            kind, size_bytes = wire.parse_head(self._exactly(wire.MESSAGE_BYTES, deadline))
            return wire.parse_message(kind, self._exactly(size_bytes, deadline))

    def _exactly(self, size_bytes: int, deadline: float) -> bytes:
        data = bytearray(size_bytes)
        at = 0
        while at < size_bytes:
            self._channel.settimeout(_left(deadline))
            count = self._channel.recv_into(memoryview(data)[at:])
            if count == 0:
                raise Lost(Unscannable.CRASHED)
            at += count
        return bytes(data)


@contextmanager
def _losing() -> Iterator[None]:
    try:
        yield
    except TimeoutError as late:
        raise Lost(Unscannable.TIMED_OUT) from late
    except (OSError, WireError) as broken:
        raise Lost(Unscannable.CRASHED) from broken


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
