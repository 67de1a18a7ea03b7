"""Checks a whole case where its key is at hand: the log, its stamps, and every sighting in it.

Each sighting is checked as ``evidence.verify`` checks a pack, by the same code.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from protech.errors import TrustError
from protech.evidence.log import Log
from protech.evidence.stamp import Stamps
from protech.evidence.verify import Findings, Sighting
from protech.merkle import Tree

LEVELS = 5
DELIVERED = 4

HANDSHAKE = 2
"""The lowest level whose record holds a conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a case holds, and what of it does not hold."""

    records: int
    levels: tuple[int, ...]
    """How many sightings of each level."""
    stamps: int
    wrong: tuple[int, ...]
    """The indexes of sightings that do not show what they say, or are not covered."""
    unsigned: int
    """Records at the end that no checkpoint covers: a kill leaves some, and whoever has the
    case's key can change these without anybody's signature."""


def check_case(
    log: Log, stamps: Stamps | None = None, *, authorities: Sequence[str] = ()
) -> Checked:
    """Return what a case holds, after every record, stamp and conversation was checked.

    Args:
        log: Opened with the case's key.
        stamps: Of its checkpoints, if there are any.
        authorities: Public keys, in hex, that must have signed each authorisation.

    Raises:
        TrustError: The log or a stamp was changed, and where.
        ConfigError: It cannot be read.
        ValueError: The log was opened without the case's key.
    """
    levels, wrong = [0] * LEVELS, []
    checks = _Checks(authorities)
    for index, record in _records(log):
        if record["kind"] == "sighting":
            level = record["level"]
            if type(level) is not int or not 0 <= level < LEVELS:
                wrong.append(index)
                continue
            levels[level] += 1
            if level >= HANDSHAKE and not checks.is_sound(index, record):
                wrong.append(index)
        else:
            checks.keep(index, record)
    if stamps is not None:
        _check_stamps(log, stamps)
    return Checked(
        records=log.size,
        levels=tuple(levels),
        stamps=0 if stamps is None else len(stamps.all()),
        wrong=tuple(wrong),
        unsigned=log.size - (0 if log.last_checkpoint is None else log.last_checkpoint.size),
    )


def _records(log: Log) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the records, each after its leaf was made again."""
    log.refresh()
    leaves = log.leaves()
    for one in log.read():
        if next(leaves) != one.leaf:
            raise TrustError(
                f"Record {one.index} of the log is not the one that its leaf stands for: it was"
                " changed on purpose. Put back its copy, and keep this one for an expert."
            )
        yield one.index, json.loads(one.content)


class _Checks:
    """The records that sightings rest on, as they come."""

    def __init__(self, authorities: Sequence[str]) -> None:
        self._authorities = authorities
        self._proofs: Counter[object] = Counter()
        self._kept: dict[tuple[str, object], Mapping[str, Any]] = {}

    def keep(self, index: int, record: Mapping[str, Any]) -> None:
        names = {"run": index, "proof_request": record.get("request_sha256")}
        name = names.get(record["kind"], record.get("number"))
        self._kept[record["kind"], name] = {**record, "index": index}

    def is_sound(self, index: int, sighting: Mapping[str, Any]) -> bool:
        names = {
            "run": sighting["run"],
            "entry": sighting["number"],
            "proof_request": sighting["request_sha256"],
        }
        records = {kind: self._kept.get((kind, name), {}) for kind, name in names.items()}
        findings = Findings()
        all_of_it = {**records, "sighting": {**sighting, "index": index}}
        Sighting(all_of_it, self._authorities).check(findings)
        return not findings.failed and not self._is_beyond(sighting, records["proof_request"])

    def _is_beyond(self, sighting: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
        """Whether more pieces came than the operators had signed for."""
        if sighting["level"] != DELIVERED:
            return False
        name = sighting["request_sha256"]
        self._proofs[name] += 1
        return self._proofs[name] > int(json.loads(request["request"])["pieces"])


def _check_stamps(log: Log, stamps: Stamps) -> None:
    """Check that what was stamped are states that this log has been in."""
    wanted = {}
    for stamp in stamps.all():
        state = log.state_of(stamp.checkpoint)
        wanted[state.size] = state.root
    tree = Tree()
    found = {0: tree.root}
    for leaf in log.leaves() if wanted else ():
        tree.append(leaf)
        if tree.size in wanted:
            found[tree.size] = tree.root
    for size, root in wanted.items():
        if found.get(size) != root:
            raise TrustError(
                f"The first {size} records of the log are not those that were stamped: it was"
                " changed or cut. Put back its copy, and keep this one for an expert."
            )
