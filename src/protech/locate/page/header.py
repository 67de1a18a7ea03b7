"""The head of the page: what the run stands on, and how it does; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from protech.locate.page.fold import Fold
from protech.locate.page.peer import DELIVERED, NAMED
from protech.locate.page.reading import Record, fields, text, words
from protech.locate.report.self_test import Rate, SelfTest

QUIET = timedelta(minutes=10)
"""A run writes counts more often than that; after it the page says that it hears nothing."""
ENDS_SOON = timedelta(hours=24)

State = Literal["none", "running", "quiet", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogState:
    """The log as it stands on the disk; ``checkpoint_*`` are of the last signed one."""

    size: int
    checkpoint_size: int | None = None
    checkpoint_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorised:
    """What the authorisation of the last run says; ``term`` is a key of a phrase."""

    id: str
    issuer: str
    legal_basis: str
    powers: tuple[str, ...]
    jurisdiction: tuple[str, ...]
    networks: tuple[str, ...]
    operators: tuple[str, ...]
    not_before: str
    not_after: str
    term: Literal["holds", "ends_soon", "ended", "unknown"]
    digest: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """All that stands above the peers."""

    case: str
    state: State
    reason: str
    """Why the run stopped, as the log says it."""
    is_lab: bool
    runs: int
    authorised: Authorised
    list_name: str
    list_version: str
    list_issuer: str
    list_keys: int | None
    build: str
    databases: tuple[tuple[str, str], ...]
    is_synchronised: bool | None
    clock_error_ms: float | None
    last_at: str
    log: LogState
    read: int
    """Records that the page has read; fewer than the log's while it catches up."""
    outside: int
    packets: int
    requests: int
    sightings: tuple[int, ...]
    peers: tuple[int, ...]
    """By the highest level reached; below level 3 under pseudonyms."""
    entries: int
    proved: int
    measured: Mapping[int, Rate]
    """By level, as far as what was measured is of every build that made records here."""


def header(
    fold: Fold, log: LogState, *, now: datetime, self_test: SelfTest | None = None
) -> Header:
    """Return the head of the page at ``now``, UTC."""
    run = fold.run
    listed, build = fields(run.get("list")), fields(run.get("build"))
    clock = fields(fold.last.get("clock"))
    return Header(
        case=text(run, "case"),
        state=_state(fold, now),
        reason=text(fold.stop, "reason"),
        is_lab=bool(run.get("lab", False)),
        runs=fold.runs,
        authorised=_authorised(run, now),
        list_name=text(listed, "name"),
        list_version=text(listed, "version"),
        list_issuer=text(listed, "issuer"),
        list_keys=listed.get("keys"),
        build=" ".join(str(build[key]) for key in ("version", "commit") if build.get(key)),
        databases=tuple(_databases(run.get("databases"))),
        is_synchronised=clock.get("synchronised"),
        clock_error_ms=clock.get("error_ms"),
        last_at=text(fold.last, "at"),
        log=log,
        read=fold.size,
        outside=sum(fold.outside.values()),
        packets=fold.packets,
        requests=fold.requests,
        sightings=tuple(fold.sightings),
        peers=_peers(fold),
        entries=len(fold.entries),
        proved=fold.proved,
        measured=_measured(fold, self_test),
    )


def _state(fold: Fold, now: datetime) -> State:
    if not fold.run:
        return "none"
    if fold.stop:
        return "stopped"
    return "quiet" if now - _moment(fold.last.get("at"), now) > QUIET else "running"


def _measured(fold: Fold, self_test: SelfTest | None) -> Mapping[int, Rate]:
    if self_test is None or not all(map(self_test.is_of, fold.builds)):
        return {}
    return self_test.levels


def _peers(fold: Fold) -> tuple[int, ...]:
    counts = fold.pseudonyms()
    for level in range(NAMED, DELIVERED + 1):
        counts[level] += sum(1 for peer in fold.peers.values() if peer.level == level)
    return tuple(counts)


def _authorised(run: Record, now: datetime) -> Authorised:
    terms = fields(run.get("authorisation"))
    ends = terms.get("not_after")
    return Authorised(
        id=text(terms, "id"),
        issuer=text(terms, "issuer"),
        legal_basis=text(terms, "legal_basis"),
        powers=words(terms.get("powers")),
        jurisdiction=words(terms.get("jurisdiction")),
        networks=words(terms.get("networks")),
        operators=words([fields(one).get("name") for one in terms.get("operators", ())]),
        not_before=text(terms, "not_before"),
        not_after=text(terms, "not_after"),
        term=_term(ends, now),
        digest=text(run, "authorisation_sha256"),
    )


def _term(ends: object, now: datetime) -> Literal["holds", "ends_soon", "ended", "unknown"]:
    if not ends:
        return "unknown"
    left = _moment(ends, now) - now
    if left <= timedelta(0):
        return "ended"
    return "ends_soon" if left <= ENDS_SOON else "holds"


def _databases(listed: object) -> list[tuple[str, str]]:
    if not isinstance(listed, list | tuple):
        return []
    return [(text(fields(one), "name"), text(fields(one), "date")) for one in listed]


def _moment(value: object, otherwise: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return otherwise
    return moment if moment.tzinfo else otherwise
