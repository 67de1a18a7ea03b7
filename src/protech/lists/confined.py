"""Work on a list in a locked process: nobody vouches for what has no signature.

The process locks itself, reads a list on its standard input, and answers ``lists.records`` on
its standard output. What it answers is as little trusted as the list.
"""

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, BinaryIO, cast

from protech.errors import ListFormatError, SandboxError
from protech.lists.records import Record, RecordError, Refusal, record_bytes, records
from protech.sandbox import LockState, lock_down

INHERITED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""NumPy's threads would be started for nothing."""

MEMORY_BYTES = 256 << 20
"""A piece of a list is held at a time; the rest is room for the interpreter."""

SILENCE_S = 30.0
"""A process that says nothing for so long hangs; 64 KiB of a list take milliseconds."""

FLUSH_S = 1.0
"""What a process has said is not held back for longer, once it says more."""

CHUNK_BYTES = 256 * 1024

Answers = Callable[[BinaryIO], Iterable[Record]]


def command(module: str, *arguments: str) -> tuple[str, ...]:
    """Return how a module of ours is run.

    -P: nothing is imported from the directory that the person stands in.
    """
    return (sys.executable, "-P", "-m", module, *arguments)


@contextmanager
def confined(
    arguments: Sequence[str], descriptor: int, *, silence_s: float = SILENCE_S
) -> Iterator[Iterator[Record]]:
    """Give what a locked process answers for the file ``descriptor``, from its first byte.

    The answers raise what this raises, as they are read. The process ends with the ``with``.

    Raises:
        ListFormatError: The file is no list, or made the process fail.
        SandboxError: The kernel does not let the process be locked.
    """
    os.lseek(descriptor, 0, os.SEEK_SET)
    process = subprocess.Popen(
        arguments,
        stdin=descriptor,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # what it prints may quote the list
        env={name: os.environ[name] for name in INHERITED if name in os.environ} | ONE_THREAD,
        cwd="/",
        start_new_session=True,
    )
    with process:
        try:
            yield _answers(cast("IO[bytes]", process.stdout), silence_s)
        finally:
            process.kill()


def _answers(pipe: IO[bytes], silence_s: float) -> Iterator[Record]:
    """Yield what the process says until it has no more to say."""
    buffer = bytearray()
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while poll.poll(silence_s * 1000):
        chunk = os.read(pipe.fileno(), CHUNK_BYTES)
        if not chunk:
            return
        buffer += chunk
        try:
            for answer in records(buffer):
                if isinstance(answer, Refusal):
                    raise (SandboxError if answer.is_sandbox else ListFormatError)(answer.text)
                yield answer
        except RecordError as wrong:
            raise broken() from wrong


def unchanged(descriptor: int) -> Callable[[], None]:
    """Return what sees to it that a file is still as it is now.

    What that raises where it is not: ListFormatError.
    """
    before = _state(descriptor)

    def check() -> None:
        if _state(descriptor) != before:
            raise ListFormatError("The known list changed while it was read; try again.")

    return check


def _state(descriptor: int) -> tuple[int, ...]:
    state = os.fstat(descriptor)
    return state.st_size, state.st_mtime_ns


def broken() -> ListFormatError:
    """Return the error for a process that answers what it should not, or nothing."""
    return ListFormatError(
        "The known list made its reader fail, so nothing of it is used; get it again from where"
        " it came."
    )


def answer(
    file: BinaryIO, out: BinaryIO, *, work: Answers, lock: Callable[[], LockState]
) -> int:
    """Lock this process, then answer for the list in ``file``; return an exit code."""
    state = lock()
    if not state.is_locked:
        why = f"A list is read in a locked process only, and {'; '.join(state.missing)}."
        out.write(record_bytes(Refusal(is_sandbox=True, text=why)))
        return SandboxError.exit_code
    try:
        _write_all(out, work(file))
    except ListFormatError as refused:
        out.write(record_bytes(Refusal(is_sandbox=False, text=str(refused))))
        return refused.exit_code
    return 0


def _write_all(out: BinaryIO, said: Iterable[Record]) -> None:
    flushed_s = time.monotonic()
    for record in said:
        out.write(record_bytes(record))
        now_s = time.monotonic()
        if now_s - flushed_s >= FLUSH_S:
            out.flush()
            flushed_s = now_s


def answer_for_stdin(work: Answers) -> int:
    """Answer on standard output for the list on standard input; return an exit code."""
    out = sys.stdout.buffer
    code = answer(
        sys.stdin.buffer,
        out,
        work=work,
        lock=lambda: lock_down(memory_bytes=MEMORY_BYTES, channel=out.fileno()),
    )
    out.flush()
    return code
