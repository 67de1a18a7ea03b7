"""Make a known list of one's own pictures: ``protech lists make``."""

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from protech.errors import ConfigError, ListFormatError, SourceError
from protech.lists.entries import (
    LABEL_CHARACTERS,
    OWN_USES,
    PDQ_PER_ENTRY,
    Category,
    Entry,
    ListHeader,
)
from protech.lists.formats.own import (
    ListWriter,
)
from protech.lists.reader import reading
from protech.salus.batch import judged
from protech.salus.engine import Engine
from protech.salus.policy import PDQ_QUALITY_FLOOR
from protech.salus.walk import Found, Inode, shown, walk
from protech.settings import replacing
from protech.types import Findings, Kind, Unscannable, Verdict

NAME_CHARACTERS = 100

REMEDY = "make room, or name another place with --out"

Skip = Callable[[Path, Unscannable], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enlisted:
    """What a new list holds, and what was left out: unscannable, or no picture."""

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
    """Write an own, unsigned list of every picture below ``directory`` to the file ``out``.

    Each entry has the digests of the file and the PDQ hash of every form of its frames; a hash
    of poor quality is left out, for it would be near to much else. A list that stands at
    ``out`` is replaced in one step, by a version one higher.

    Args:
        directory: Pictures, at any depth.
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
    top, target = Path(directory), Path(out)
    walk(top)  # it says why, where there is nothing
    if not top.is_dir():
        raise SourceError(
            f"{shown(top)} is no directory; name the one that holds the pictures."
        )
    header = ListHeader(
        name=shown(name or top.resolve().name)[:NAME_CHARACTERS] or Category.OWN,
        version=_version_at(target) + 1,
        category=Category.OWN,
        uses=OWN_USES,
        created_at=datetime.now(UTC).replace(microsecond=0),
    )
    workers = workers or os.cpu_count() or 1
    with ExitStack() as stack:
        file = stack.enter_context(replacing(target, remedy=REMEDY))
        found = walk(top, leave_out=_inodes(file, target))
        engine = stack.enter_context(Engine.open(use_models=False, workers=workers))
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
    """Write an entry for each picture; return how many items were skipped and no pictures."""
    skipped = others = 0
    for count, (item, verdict) in enumerate(verdicts, start=1):
        findings = verdict.findings
        if findings.unscannable is not None:
            skipped += 1
            on_skip(item.path, findings.unscannable)
        elif findings.kind is not Kind.IMAGE:
            others += 1
        else:
            writer.write(_entry(findings, label=shown(item.path.relative_to(top))))
        on_item(count)
    return skipped, others


def _entry(findings: Findings, *, label: str) -> Entry:
    digests = findings.digests
    good = (
        one.bits
        for frame in findings.frames
        for one in frame.hashes
        if one.quality >= PDQ_QUALITY_FLOOR
    )
    return Entry(
        label=label[:LABEL_CHARACTERS],
        md5=digests.md5 if digests else None,
        sha1=digests.sha1 if digests else None,
        sha256=digests.sha256 if digests else None,
        pdq=tuple(dict.fromkeys(good))[:PDQ_PER_ENTRY],
    )


def _inodes(file: BinaryIO, target: Path) -> frozenset[Inode]:
    """Return which files the new list is and the old one, which is no picture to look at."""
    states = [os.fstat(file.fileno())]
    with suppress(FileNotFoundError):
        states.append(target.stat())
    return frozenset((state.st_dev, state.st_ino) for state in states)


def _version_at(path: Path) -> int:
    """Return the version of the list that stands at ``path``; 0 where nothing stands there.

    Raises:
        ConfigError: Something else stands there, which must not be lost.
    """
    try:
        with path.open("rb") as file, reading(file.fileno()) as (header, _):
            return header.version
    except FileNotFoundError:
        return 0
    except (OSError, ListFormatError) as other:
        raise ConfigError(
            f"{shown(path)} is there and is no list, so it is not replaced; name another place"
            " with --out, or remove it first."
        ) from other
