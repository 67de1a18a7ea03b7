"""``protech scan``: judge files and print a row for each."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from protech.errors import ConfigError, SourceError
from protech.lists.device import DeviceLists
from protech.lists.entries import Use
from protech.salus import rows
from protech.salus.batch import judged
from protech.salus.engine import Engine
from protech.salus.policy import TRIAGE
from protech.salus.walk import Found, Inode, shown
from protech.triage.show import HEADING, Progress, Tally, table_line
from protech.triage.source import found_in
from protech.types import Decision, Unscannable, Verdict

BLOCKED = 1
UNREADABLE = 2
"""Exit codes, those of clamscan; docs/rows.md lists them all."""

STANDARD_OUTPUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be scanned and how; ``rows`` is a file, ``-``, or None for a table."""

    paths: Sequence[Path]
    lists: Sequence[str | Path] | None = None
    """Files, or names of synced lists; None takes every synced list that is for triage."""
    exceptions: Sequence[str | Path] = ()
    """Signed exception lists."""
    models: Path | None = None
    rows: str | None = None
    workers: int | None = None
    is_fast: bool = False
    """Known lists alone: no classifier."""
    borders: bool = False
    """Find a listed picture that has bars around it, too."""
    mirrored: bool = False
    """Find one that was mirrored or turned, too."""


class Printer:
    """Writes the row of each item where it was asked for."""

    def __init__(self, order: Order, *, out: TextIO, file: TextIO | None) -> None:
        """Print a table on ``out``, unless rows go there."""
        self._out = out
        self._rows = out if order.rows == STANDARD_OUTPUT else file
        self._has_table = self._rows is not out
        if self._has_table and out.isatty():
            out.write(HEADING)

    def print(self, found: Found, verdict: Verdict) -> None:
        """Write one item.

        Raises:
            ConfigError: The disk that the rows go to is full.
            BrokenPipeError: Nobody reads any more.
        """
        try:
            if self._rows is not None:
                self._rows.write(rows.line(verdict, found.path))
                self._rows.flush()
            if self._has_table:
                self._out.write(table_line(found, verdict))
                self._out.flush()
        except BrokenPipeError:
            raise
        except OSError as refused:
            raise ConfigError(
                f"The rows cannot be written: {refused.strerror}; make room and scan again."
            ) from refused


def scan(order: Order, *, out: TextIO, err: TextIO) -> int:
    """Judge every file of ``order``, print the rows, and return the exit code.

    Raises:
        ProtechError: A list, a model or this machine cannot be used; no item was judged.
        BrokenPipeError: Nobody reads the rows any more.
    """
    refused: list[SourceError] = []
    tally, progress = Tally(), Progress(err)
    with ExitStack() as stack:
        file, inode = stack.enter_context(_file_for(order.rows))
        found = found_in(
            order.paths, leave_out=frozenset(filter(None, [inode])), on_refused=refused.append
        )
        workers = order.workers or os.cpu_count() or 1
        engine = stack.enter_context(
            Engine.open(
                lists=_lists(order),
                exceptions=order.exceptions,
                models=order.models,
                use_models=not order.is_fast,
                settings=TRIAGE,
                workers=workers,
                borders=order.borders,
                dihedral=order.mirrored,
            )
        )
        warnings = [*map(str, refused), *_warnings(order, engine)]
        err.writelines(f"protech: {warning}\n" for warning in warnings)
        printer = Printer(order, out=out, file=file)
        verdicts = stack.enter_context(closing(judged(engine, found, workers=workers)))
        for item, verdict in verdicts:
            tally.add(verdict)
            if out.isatty():
                progress.clear()
            printer.print(item, verdict)
            progress.show(tally.text)
    progress.clear()
    err.write(f"{tally.text}\n")
    return _exit_code(tally, has_refused=bool(refused))


def _exit_code(tally: Tally, *, has_refused: bool) -> int:
    if tally.decisions[Decision.BLOCK]:
        return BLOCKED
    if has_refused:
        return SourceError.exit_code
    return UNREADABLE if tally.unscannable[Unscannable.UNREADABLE] else 0


def _lists(order: Order) -> Sequence[str | Path]:
    if order.lists is not None:
        return order.lists
    return [held.name for held in DeviceLists.of_user().lists(Use.TRIAGE)]


def _warnings(order: Order, engine: Engine) -> Iterator[str]:
    """Yield what makes this scan weaker than it looks."""
    if not engine.known:
        yield (
            "no known list is loaded, so no file is recognised; name one with --list, or bring"
            " an authority's with `protech lists sync`."
        )
    if not engine.models and not order.is_fast:
        yield (
            "no model is installed, so nothing is classified; `protech doctor` says what to do."
        )
    for exceptions in engine.exceptions:
        yield from exceptions.warnings
    for one in engine.known:
        ref, reading = one.ref, one.reading
        if ref.stale:
            yield (
                f"the list {ref.name} {ref.version} has expired; it is used, and every match"
                " says so. Get a newer one."
            )
        if reading.bad:
            first = reading.first_bad[0]
            yield (
                f"{reading.bad} entries of the list {ref.name} {ref.version} cannot be read and"
                f" are not looked for; the first is on line {first.line}: {first.reason}."
            )


@contextmanager
def _file_for(name: str | None) -> Iterator[tuple[TextIO | None, Inode | None]]:
    """Give the file that rows go to, and which one it is, so that it is not scanned itself.

    Raises:
        ConfigError: It cannot be written.
    """
    if name in {None, STANDARD_OUTPUT}:
        yield None, None
        return
    path = Path(name or "")
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as refused:
        raise ConfigError(
            f"The rows cannot be written to {shown(path)}: {refused.strerror}; name another"
            " file with --jsonl."
        ) from refused
    file = os.fdopen(descriptor, "w", encoding="ascii", newline="\n")
    try:
        state = os.fstat(descriptor)
        is_file = stat.S_ISREG(state.st_mode)
        if is_file:
            _empty(descriptor, path)
        yield file, (state.st_dev, state.st_ino) if is_file else None
    finally:
        with suppress(OSError):  # each row was flushed, so what is left was refused and told
            file.close()


def _empty(descriptor: int, path: Path) -> None:
    """Empty a file for new rows, if it held rows: `--jsonl *.jpg` must cost no photo.

    Raises:
        ConfigError: It holds something else.
    """
    if os.pread(descriptor, len(rows.BEGINNING), 0) not in {b"", rows.BEGINNING}:
        raise ConfigError(
            f"{shown(path)} is there and holds no rows, so it is not written over; name another"
            " file with --jsonl."
        )
    os.ftruncate(descriptor, 0)
