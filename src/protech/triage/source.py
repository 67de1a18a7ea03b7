"""Where an examiner's items come from: today files and folders, later disks and images."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from protech.errors import SourceError
from protech.salus.walk import Found, Inode, walk

Refused = Callable[[SourceError], None]


def found_in(
    paths: Iterable[Path], *, leave_out: frozenset[Inode], on_refused: Refused
) -> Iterator[Found]:
    """Return the files of ``paths`` and below, one path after the other.

    Every path is looked at before the first file is given; ``on_refused`` is told of each that
    is not there, and the rest goes on.
    """
    sources: list[Iterator[Found]] = []
    for path in paths:
        try:
            sources.append(walk(path, leave_out=leave_out))
        except SourceError as refused:
            on_refused(refused)
    return chain.from_iterable(sources)
