"""Read an own list inside a locked process: ``python -m protech.lists.reader``."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from protech.lists.batch import Batch
from protech.lists.confined import SILENCE_S, answer_for_stdin, broken, command, confined
from protech.lists.entries import BadEntry, ListHeader
from protech.lists.formats.own import read_header
from protech.lists.formats.own_columns import read_batches
from protech.lists.records import End, Record
from protech.sandbox import harden_process

READER = command("protech.lists.reader")


@contextmanager
def reading(
    descriptor: int, *, reader: Sequence[str] = READER, silence_s: float = SILENCE_S
) -> Iterator[tuple[ListHeader, Iterator[Batch | BadEntry]]]:
    """Give header and entries of the list in the file ``descriptor``, from its first byte.

    Entries come in their order; a bad one may come before a batch of those that stand before
    it. The entries raise what this raises, as they are read.

    Raises:
        ListFormatError: The file is no list, or made its reader fail.
        SandboxError: The kernel does not let the reader be locked.
    """
    with confined(reader, descriptor, silence_s=silence_s) as answers:
        header = next(answers, None)
        if not isinstance(header, ListHeader):
            raise broken()
        yield header, _entries(answers)


def _entries(answers: Iterator[Record]) -> Iterator[Batch | BadEntry]:
    for answer in answers:
        if isinstance(answer, End):
            return
        if not isinstance(answer, Batch | BadEntry):
            break
        yield answer
    raise broken()


def answers(file: BinaryIO) -> Iterator[Record]:
    """Yield the records of an own list.

    Raises:
        ListFormatError: It is none.
    """
    yield read_header(file)
    yield from read_batches(file)
    yield End()


if __name__ == "__main__":
    harden_process()
    sys.exit(answer_for_stdin(answers))
