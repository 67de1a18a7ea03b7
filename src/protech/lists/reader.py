"""Read a list inside a locked process: nobody vouches for what has no signature.

``python -m protech.lists.reader`` locks itself, reads the list on its standard input with
``lists.formats``, and answers ``lists.records`` on its standard output.
"""

import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, BinaryIO, cast

from protech.errors import ListFormatError, SandboxError
from protech.lists.entries import (
    BadEntry,
    Entry,
    ListHeader,
)
from protech.lists.formats.own import (
    read_entries,
    read_header,
)
from protech.lists.records import End, Record, RecordError, Refusal, record_bytes, records
from protech.sandbox import LockState, lock_down

READER = (sys.executable, "-P", "-m", "protech.lists.reader")
"""-P: nothing is imported from the directory that the person stands in."""

INHERITED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")

MEMORY_BYTES = 256 << 20
"""One line is held at a time; the rest is room for the interpreter."""

SILENCE_S = 30.0
"""A reader that says nothing for so long hangs; 64 KiB of a list take milliseconds."""

CHUNK_BYTES = 256 * 1024


@contextmanager
def reading(
    descriptor: int, *, reader: Sequence[str] = READER, silence_s: float = SILENCE_S
) -> Iterator[tuple[ListHeader, Iterator[Entry | BadEntry]]]:
    """Give header and entries of the list in the file ``descriptor``, from its first byte.

    The entries raise what this raises, as they are read.

    Raises:
        ListFormatError: The file is no list, or made its reader fail.
        SandboxError: The kernel does not let the reader be locked.
    """
    os.lseek(descriptor, 0, os.SEEK_SET)
    process = subprocess.Popen(
        reader,
        stdin=descriptor,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # what it prints may quote the list
        env={name: os.environ[name] for name in INHERITED if name in os.environ},
        cwd="/",
        start_new_session=True,
    )
    with process:
        try:
            answers = _answers(cast("IO[bytes]", process.stdout), silence_s)
            header = next(answers, None)
            if not isinstance(header, ListHeader):
                raise _broken()
            yield header, _entries(answers)
        finally:
            process.kill()


def _entries(answers: Iterator[Record]) -> Iterator[Entry | BadEntry]:
    for answer in answers:
        if isinstance(answer, End):
            return
        if not isinstance(answer, Entry | BadEntry):
            break
        yield answer
    raise _broken()


def _answers(pipe: IO[bytes], silence_s: float) -> Iterator[Record]:
    """Yield what the reader says until it has no more to say."""
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
            raise _broken() from wrong


def _broken() -> ListFormatError:
    return ListFormatError(
        "The known list made its reader fail, so nothing of it is used; get it again from where"
        " it came."
    )


def answer(file: BinaryIO, out: BinaryIO, *, lock: Callable[[], LockState]) -> int:
    """Lock this process, then answer for the list in ``file``; return an exit code."""
    state = lock()
    if not state.is_locked:
        why = f"A list is read in a locked process only, and {'; '.join(state.missing)}."
        out.write(record_bytes(Refusal(is_sandbox=True, text=why)))
        return SandboxError.exit_code
    try:
        out.write(record_bytes(read_header(file)))
        out.writelines(record_bytes(entry) for entry in read_entries(file))
        out.write(record_bytes(End()))
    except ListFormatError as refused:
        out.write(record_bytes(Refusal(is_sandbox=False, text=str(refused))))
        return refused.exit_code
    return 0


def main() -> int:
    """Answer on standard output for the list on standard input."""
    out = sys.stdout.buffer
    code = answer(
        sys.stdin.buffer,
        out,
        lock=lambda: lock_down(memory_bytes=MEMORY_BYTES, channel=out.fileno()),
    )
    out.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
