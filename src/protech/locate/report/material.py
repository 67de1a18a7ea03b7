"""What a report is made from: a case, its checkpoints, the build's certificate, the moment."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from protech.locate.adapter import Level
from protech.locate.report.case import Case
from protech.locate.report.peers import Peer
from protech.locate.report.self_test import Rate, SelfTest
from protech.locate.report.stamps import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """All that a report says, before it is said in a language.

    ``bundle`` is the case in CASE/UCO; ``verifier`` the source of ``verify.py``, empty where
    the defence gets it another way. ``at`` is the date of the report: no clock is read.
    """

    case: Case = field(repr=False)
    peers: tuple[Peer, ...] = field(repr=False)
    log_key: str = ""
    """The public key of the log's checkpoints, as signed notes write it."""
    checkpoints: tuple[Checkpoint, ...] = ()
    self_test: SelfTest | None = None
    bundle: str = field(default="", repr=False)
    verifier: str = field(default="", repr=False)
    version: str
    at: datetime
    packs: Mapping[str, str] = field(default_factory=dict)
    """Of each disclosure pack beside the report, by file name: its SHA-256 in hex."""

    @property
    def unmeasured(self) -> tuple[str, ...]:
        """The commits that made records with other code than was measured; all, if none was."""
        found = self.self_test
        return tuple(
            sorted(
                {
                    run.build_commit
                    for run in self.case.runs
                    if found is None or not found.is_of(run.build_code)
                }
            )
        )

    @property
    def measured(self) -> Mapping[int, Rate]:
        """The rates by level; empty where any record is of a build that was not measured."""
        return {} if self.self_test is None or self.unmeasured else self.self_test.levels

    def reached(self, level: Level) -> tuple[Peer, ...]:
        """Return the peers whose highest level this is."""
        return tuple(peer for peer in self.peers if peer.level is level)

    def conversations(self, level: Level) -> int:
        """Return how many conversations reached just this level."""
        if level < Level.CLAIMS:
            return self.case.below.get(level, 0)
        return sum(1 for one in self.case.seen if one.level is level)


def sha256_hex(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()
