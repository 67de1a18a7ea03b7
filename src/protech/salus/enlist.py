"""Make a known list of one's own pictures and videos: ``protech lists make``."""

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from protech.errors import SourceError
from protech.lists.entries import (
    LABEL_CHARACTERS,
    OWN_USES,
    PDQ_PER_ENTRY,
    VPDQ_PER_ENTRY,
    Category,
    Entry,
    ListHeader,
)
from protech.lists.formats.own import ListWriter
from protech.lists.store import version_at
from protech.salus.batch import judged
from protech.salus.engine import Engine
from protech.salus.vpdq import distinct, forms
from protech.salus.walk import Found, Inode, shown, walk
from protech.settings import replacing
from protech.types import Findings, Kind, Unscannable, Verdict

NAME_CHARACTERS = 100

REMEDY = "make room, or name another place with --out"

Skip = Callable[[Path, Unscannable], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enlisted:
    """What a new list holds, and what was left out: unscannable, or of another kind."""

    name: str
    version: int
    entries: int
    skipped: int
    others: int


def enlist(
    directory: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    name: str | None = None,
    workers: int | None = None,
    on_skip: Skip = lambda path, why: None,  # noqa: ARG005 - what a caller names them
    on_item: Callable[[int], object] = lambda count: None,  # noqa: ARG005 - as above
) -> Enlisted:
    """Write an own, unsigned list of what is below ``directory`` to the file ``out``.

    Each entry has the digests of the file and the PDQ hash of every form of its frames, or of a
    video the hash of one frame a second; a hash of poor quality is left out, for it would be
    near to much else. A list that stands at ``out`` is replaced in one step, by a version one
    higher.

    Args:
        directory: Pictures and videos, at any depth.
        out: The list's file, readable by this user alone.
        name: What verdicts call the list; None takes the directory's name.
        workers: Pictures measured at once; None takes one for each processor.
        on_skip: Told of each item that is left out because it cannot be judged.
        on_item: Told how many items were looked at, after each.

    Raises:
        SourceError: The directory is not there, or an empty list would replace one.
        ConfigError: The list cannot be written.
        SandboxError: The kernel does not let a worker be locked down.
    """
    top, target = _top(Path(directory)), Path(out)
    header = ListHeader(
        name=shown(name or top.resolve().name)[:NAME_CHARACTERS] or Category.OWN,
        version=version_at(target) + 1,
        category=Category.OWN,
        uses=OWN_USES,
        created_at=datetime.now(UTC).replace(microsecond=0),
    )
    workers = workers or os.cpu_count() or 1
    with ExitStack() as stack:
        file = stack.enter_context(replacing(target, remedy=REMEDY))
        found = walk(top, leave_out=_inodes(file, target))
        engine = stack.enter_context(
            Engine.open(use_models=False, workers=workers, at_full_size=True)
        )
        verdicts = stack.enter_context(closing(judged(engine, found, workers=workers)))
        writer = ListWriter(file, header)
        skipped, others = _write(writer, verdicts, top=top, on_skip=on_skip, on_item=on_item)
        if header.version > 1 and not writer.count:
            raise _nothing_to_list(top)
        writer.finish()
    return Enlisted(
        name=header.name,
        version=header.version,
        entries=writer.count,
        skipped=skipped,
        others=others,
    )


def _top(directory: Path) -> Path:
    walk(directory)  # it says why, where there is nothing
    if not directory.is_dir():
        raise SourceError(
            f"{shown(directory)} is no directory; name the one that holds the pictures."
        )
    return directory


def _nothing_to_list(top: Path) -> SourceError:
    return SourceError(
        f"No picture that can be judged lies in {shown(top)}; the list that stands stays as it"
        " is. Name the directory that holds the pictures, and look whether it may be read."
    )


def _write(
    writer: ListWriter,
    verdicts: Iterable[tuple[Found, Verdict]],
    *,
    top: Path,
    on_skip: Skip,
    on_item: Callable[[int], object],
) -> tuple[int, int]:
    """Write what there is to list; return how many items were skipped, and how many others."""
    skipped = others = 0
    for count, (item, verdict) in enumerate(verdicts, start=1):
        findings = verdict.findings
        if findings.unscannable is not None:
            skipped += 1
            on_skip(item.path, findings.unscannable)
        elif not findings.frames:
            others += 1
        for entry in listed(findings, label=shown(item.path.relative_to(top))):
            writer.write(entry)
        on_item(count)
    return skipped, others


def listed(findings: Findings, *, label: str) -> list[Entry]:
    """Return what of an item is listed; nothing of what is no picture or cannot be judged.

    A video that players turn is two entries, as stored and as displayed: a copy is of one or of
    the other, and its share of both together would be a half.
    """
    if findings.unscannable is not None or not findings.frames:
        return []
    label, digests = label[:LABEL_CHARACTERS], findings.digests
    if findings.kind is Kind.VIDEO:
        stored, *turned = forms(findings.frames) or [()]
        pdq: tuple[bytes, ...] = ()
    else:
        stored, turned = (), []
        pdq = distinct(one for frame in findings.frames for one in frame.hashes)
    entry = Entry(
        label=label,
        md5=digests.md5 if digests else None,
        sha1=digests.sha1 if digests else None,
        sha256=digests.sha256 if digests else None,
        pdq=pdq[:PDQ_PER_ENTRY],
        vpdq=stored[:VPDQ_PER_ENTRY],
    )
    return [entry, *(Entry(label=label, vpdq=form[:VPDQ_PER_ENTRY]) for form in turned)]


def _inodes(file: BinaryIO, target: Path) -> frozenset[Inode]:
    """Return which files the new list is and the old one, which is no picture to look at."""
    states = [os.fstat(file.fileno())]
    with suppress(FileNotFoundError):
        states.append(target.stat())
    return frozenset((state.st_dev, state.st_ino) for state in states)
