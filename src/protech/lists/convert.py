"""Make an own list of a foreign file: ``protech lists import``.

``python -m protech.lists.convert [--format F] [--take A,B]`` locks itself, reads the file on
its standard input, and answers the lines of an own list. An imported list has no signature: its
owner's own programs use it, and nothing looks at other people's traffic with it.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from protech.db import ForeignDatabase
from protech.errors import ConfigError, ListFormatError, TrustError
from protech.lists.confined import (
    SILENCE_S,
    answer_for_stdin,
    broken,
    command,
    confined,
    unchanged,
)
from protech.lists.entries import OWN_USES, BadEntry, Entry, ListHeader
from protech.lists.formats import nsrl
from protech.lists.formats.known import FORMATS, Format, check_category, detect, reader_of
from protech.lists.formats.lines import HEAD_BYTES
from protech.lists.formats.own import ListWriter
from protech.lists.formats.own_lines import EntryLines
from protech.lists.records import End, Lines, Record, Tally, Told
from protech.sandbox import harden_process
from protech.settings import replacing

ALL = "all"
"""What is said to take entries of every category."""

LINES_BYTES = 256 * 1024

BAD_SHOWN = 20
"""How many bad entries are named; all are counted."""

BAD_SENT = 1000

PASSED_SENT = 1 << 16
"""After so many entries something is said, though none of them was taken: silence is a hang."""

CATEGORIES_MOST = 1000
"""So many categories are counted apart; the rest together."""

REST = "others"

GROWTH = 16
"""A list is at most so many times as long as the file it was made of, and a mebibyte."""

REMEDY = "make room, or name another place with --out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What came of a foreign file: entries kept, places that are none, categories it has.

    ``categories`` counts all entries by their category in the file, the ones not taken too;
    it is empty where the format has no categories.
    """

    format: Format
    entries: int
    bad: int
    first_bad: tuple[BadEntry, ...] = ()
    categories: Mapping[str, int] = field(default_factory=dict)


def converting(
    descriptor: int,
    *,
    out: Path,
    header: ListHeader,
    format: Format | None = None,  # noqa: A002 - the word of the option
    take: frozenset[str] | None = None,
    converter: Sequence[str] = command("protech.lists.convert"),
    silence_s: float = SILENCE_S,
    on_entries: Callable[[int], object] = lambda count: None,  # noqa: ARG005 - as is said below
) -> Converted:
    """Write the list in the file ``descriptor`` to ``out``, in our own format.

    Args:
        descriptor: A foreign list, readable from its first byte.
        out: The list's file; replaced in one step, readable by this user alone.
        header: What is to be said of the list; its count is put right.
        format: None tells it by the first bytes.
        take: Of which of the file's own categories entries are listed; ``ALL`` for every one.
        converter: How the locked process is run.
        silence_s: How long it may say nothing.
        on_entries: Told how many entries there are so far, now and then.

    Raises:
        TrustError: The header allows what an unsigned list is not used for.
        ConfigError: Its entries have categories and none was taken, or none is of those taken;
            or the list cannot be written.
        ListFormatError: The file is not in its format, changed, or made its reader fail.
        SandboxError: The kernel does not let the reader be locked.
    """
    if not header.uses <= OWN_USES:
        raise TrustError(
            f"An imported list has no signature, so it is for {', '.join(sorted(OWN_USES))}"
            " alone; have its authority sign it for any other use."
        )
    arguments = [*converter]
    arguments += [f"--format={format}"] if format else []
    arguments += [f"--take={','.join(sorted(take))}"] if take is not None else []
    require_same = unchanged(descriptor)
    most = GROWTH * os.fstat(descriptor).st_size + (1 << 20)
    with (
        confined(arguments, descriptor, silence_s=silence_s) as answers,
        replacing(out, remedy=REMEDY) as file,
    ):
        told = next(answers, None)
        if not isinstance(told, Told) or told.format not in set(Format):
            raise broken()
        check_category(Format(told.format), header.category)
        writer = _Writer(ListWriter(file, header), most, on_entries)
        writer.write(answers)
        converted = writer.finish(Format(told.format), take)
        require_same()
        return converted


class _Writer:
    """Takes what the locked process answers into the file of a list."""

    def __init__(
        self, writer: ListWriter, most_bytes: int, on_entries: Callable[[int], object]
    ) -> None:
        self._writer = writer
        self._left_bytes = most_bytes
        self._on_entries = on_entries
        self._bad = 0
        self._first_bad: list[BadEntry] = []
        self._categories: dict[str, int] = {}

    def write(self, answers: Iterator[Record]) -> None:
        for answer in answers:
            match answer:
                case Lines():
                    self._lines(answer)
                case BadEntry():
                    self._first_bad += [answer] if len(self._first_bad) < BAD_SHOWN else []
                case Tally(category=category) if len(self._categories) <= CATEGORIES_MOST + 1:
                    self._tally(category, answer.count)
                case End():
                    return
                case _:
                    break
        raise broken()

    def _lines(self, lines: Lines) -> None:
        self._left_bytes -= len(lines.content)
        if self._left_bytes < 0:
            raise broken()
        self._writer.write_lines(lines.content, count=lines.count)
        self._on_entries(self._writer.count)

    def _tally(self, category: str, count: int) -> None:
        if category == BAD:
            self._bad = count
        else:
            self._categories[category] = count

    def finish(self, format_: Format, take: frozenset[str] | None) -> Converted:
        if self._categories and not self._writer.count:
            raise _not_taken(self._categories, take)
        self._writer.finish()
        return Converted(
            format=format_,
            entries=self._writer.count,
            bad=self._bad,
            first_bad=tuple(self._first_bad),
            categories=self._categories,
        )


BAD = ""
"""Under this category, which no entry has, all that is no entry is counted."""


def _not_taken(categories: Mapping[str, int], take: frozenset[str] | None) -> ConfigError:
    has = ", ".join(f"{category} ({count})" for category, count in sorted(categories.items()))
    said = "" if take is None else f" None of them is {' or '.join(sorted(take))}."
    return ConfigError(
        f"The entries of the file are of categories, which differ by country and may be"
        f" harmless ones: {has}.{said} Say which of them are listed, as in --take 1,2; --take"
        f" {ALL} takes all."
    )


class _Converter:
    """Reads a foreign file into lines of an own list; runs in the locked process."""

    def __init__(
        self,
        format_: Format | None,
        take: frozenset[str] | None,
        *,
        database: ForeignDatabase | None,
    ) -> None:
        self._format = format_
        self._has_choice = take not in {None, frozenset({ALL})}
        self._taken = take or frozenset()
        self._takes_all = ALL in self._taken
        self._database = database
        self._counts: Counter[str] = Counter()
        self._bad = 0

    def answers(self, file: BinaryIO) -> Iterator[Record]:
        """Yield the records of a list.

        Raises:
            ListFormatError: It is none that is read.
        """
        format_ = self._format or detect(_head(file))
        read = reader_of(format_, self._database)
        yield Told(format=format_)
        category = FORMATS[format_].category
        if category is None and self._has_choice:
            raise ListFormatError(
                f"The entries of a file in the format {format_} have no categories; leave out"
                " --take."
            )
        yield from self._in_blocks(read(file), category)
        yield from (Tally(category=one, count=many) for one, many in self._counts.items())
        yield Tally(category=BAD, count=self._bad)
        yield End()

    def _in_blocks(
        self, entries: Iterator[Entry | BadEntry], category: Callable[[Entry], str] | None
    ) -> Iterator[Record]:
        """Yield lines of what is taken, many at a time, and what is no entry."""
        line = EntryLines().line
        lines: list[bytes] = []
        size_bytes = good = 0
        for entry in entries:
            if isinstance(entry, BadEntry):
                self._bad += 1
                if self._bad <= BAD_SENT:
                    yield entry
                continue
            good += 1
            if not good % PASSED_SENT:
                yield Lines(count=0, content=b"")
            if category is None or self._is_taken(category(entry)):
                lines.append(line(entry))
                size_bytes += len(lines[-1])
                if size_bytes >= LINES_BYTES:
                    yield Lines(count=len(lines), content=b"".join(lines))
                    lines, size_bytes = [], 0
        yield Lines(count=len(lines), content=b"".join(lines))

    def _is_taken(self, category: str) -> bool:
        counts = self._counts
        if category in counts or len(counts) < CATEGORIES_MOST:
            counts[category] += 1
        else:
            counts[REST] += 1
        return self._takes_all or category in self._taken


def _head(file: BinaryIO) -> bytes:
    """Return the first bytes of a file, which is read from there nonetheless."""
    return os.pread(file.fileno(), HEAD_BYTES, 0)


def _prepared(arguments: Sequence[str] | None = None) -> _Converter:
    """Return what reads the file on standard input, with all opened that it will need."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--format", type=Format)
    parser.add_argument("--take", type=lambda text: frozenset(text.split(",")))
    options = parser.parse_args(arguments)
    descriptor = sys.stdin.fileno()
    database = None
    if options.format in {None, Format.NSRL} and nsrl.matches(os.pread(descriptor, 16, 0)):
        database = nsrl.prepare(descriptor)
    return _Converter(options.format, options.take, database=database)


if __name__ == "__main__":
    converter = _prepared()  # hardened, a process of no root opens none of its own descriptors
    harden_process()
    sys.exit(answer_for_stdin(converter.answers))
