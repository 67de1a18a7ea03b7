"""Takes what a report is made from out of the log of an open case, and the packs beside it."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import sha256

from protech.errors import SourceError
from protech.evidence.log import Log
from protech.evidence.log_checkpoint import parse_state
from protech.evidence.pack import Disclosure
from protech.evidence.stamp import Stamps
from protech.locate.adapter import Level
from protech.locate.report.material import Material
from protech.locate.report.reading import Record
from protech.locate.report.self_test import SelfTest
from protech.locate.report.stamps import Checkpoint
from protech.locate.report.write import material


def of_log(
    log: Log, stamps: Stamps | None, *, at: datetime, self_test: SelfTest | None = None
) -> Material:
    """Return what a report of a case is made from.

    Args:
        log: Opened with the case's key.
        stamps: Those of its checkpoints; None where there is no authority for them.
        at: The date of the report.
        self_test: The certificate of the build.

    Raises:
        SourceError: A record is not as this version reads it, or there is no run.
        TrustError: The log or a stamp was changed.
        ConfigError: They cannot be read.
    """
    return material(
        list(_records(log)),
        tuple(_checkpoints(log, stamps)),
        at=at,
        self_test=self_test,
        log_key=log.about.key.text,
    )


def packs_of(log: Log, stamps: Stamps | None, indexes: Iterable[int]) -> dict[str, bytes]:
    """Return the disclosure packs of some sightings by file name.

    Raises:
        SourceError: There is no sighting at an index, or a record that it rests on.
        ConfigError: No checkpoint covers one yet, or the log cannot be read.
        TrustError: The log or a stamp was changed.
    """
    disclosure = Disclosure(log, stamps)
    return {f"sighting-{index}.json": disclosure.pack(index) for index in sorted(set(indexes))}


def delivered(log: Log) -> list[int]:
    """Return the records in which a piece was delivered."""
    return [
        index
        for index, record in _records(log)
        if record["kind"] == "sighting" and record["level"] == Level.DELIVERED
    ]


def _records(log: Log) -> Iterator[tuple[int, Record]]:
    for one in log.read():
        record = json.loads(one.content)
        if not isinstance(record, dict):
            raise SourceError(
                f"The report cannot be made: record {one.index} of the log is no record that"
                " this version reads. Use the version of Protech that made it."
            )
        yield one.index, record


def _checkpoints(log: Log, stamps: Stamps | None) -> Iterator[Checkpoint]:
    """Yield every checkpoint that was stamped, and the last one of the log."""
    last = log.last_checkpoint
    found = () if stamps is None else stamps.all()
    for stamp in found:
        state = parse_state(stamp.checkpoint, log.about.key)
        yield Checkpoint(
            size=state.size,
            root=state.root,
            signed_at=state.at,
            stamped_at=stamp.at,
            certificate_sha256=sha256(stamp.certificate).digest(),
        )
    if last is not None and last.size not in {stamp.size for stamp in found}:
        yield Checkpoint(size=last.size, root=last.root, signed_at=last.at)
