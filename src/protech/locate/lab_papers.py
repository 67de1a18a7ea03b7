"""The papers of a lab: everybody's keys in one folder, and all that a run asks for, signed.

What an authority does with several people and machines, a lab does alone; what it signs is
checked as an authority's is, and reaches a lab's addresses only.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from protech.locate.adapter import Address, Network
from protech.locate.anchors import FILE, anchors_content, lab_anchors
from protech.locate.approve import approve, propose
from protech.locate.documents import Document, make_authorisation, make_timestamp, sign
from protech.locate.filed import (
    AUTHORISATION,
    REQUESTS,
    TIMESTAMP,
    authorisation_in,
)
from protech.locate.papers import (
    AddressRange,
    Anchors,
    Authorisation,
    KeyKind,
    ListAnchor,
    Operator,
    Paper,
    Power,
    Quorum,
    StampAuthority,
    Timestamp,
)
from protech.settings import private_directory, write_private
from protech.signing import Key

MAGISTRATE = "magistrate.key"
CLERK = "clerk.key"
OPERATORS = ("operator-1", "operator-2")

TERM = timedelta(days=30)
PIECES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """What a lab is about: its list by its repository's first root, and who is in it."""

    root: bytes = field(repr=False)
    authority: str
    """The name of the role that publishes the list."""
    list_name: str
    case: str = "lab"
    jurisdiction: frozenset[str] = frozenset({"FR"})
    networks: frozenset[Network] = frozenset(Network)
    powers: frozenset[Power] = frozenset(Power)
    recipients: tuple[str, ...] = ()
    stamp_authorities: tuple[StampAuthority, ...] = ()
    observers: tuple[AddressRange, ...] = field(default=(), repr=False)
    sources: tuple[Address, ...] = field(default=(), repr=False)


def make_lab(folder: Path, lab: Lab, now: datetime) -> Anchors:
    """Write anchors, keys, authorisation, timestamp and a proof request; return the anchors.

    Raises:
        ConfigError: Something is in the way, or cannot be written.
        TrustError: The folder is open to others.
    """
    private_directory(folder)
    names = (MAGISTRATE, CLERK, *(f"{one}.key" for one in OPERATORS))
    keys = {name: Key.generate() for name in names}
    for name, key in keys.items():
        key.save(folder / name)
    anchors = Anchors(
        name="the lab's authority",
        is_lab=True,
        authorisations=Quorum(keys=frozenset({keys[MAGISTRATE].public}), threshold=1),
        timestamps=Quorum(keys=frozenset({keys[CLERK].public}), threshold=1),
        lists=(
            ListAnchor(
                root_sha256=sha256(lab.root).digest(), authorities=frozenset({lab.authority})
            ),
        ),
        stamp_authorities=lab.stamp_authorities,
        recipients=lab.recipients,
        observers=lab.observers,
        sources=lab.sources,
    )
    write_private(folder / FILE, anchors_content(anchors))
    operators = tuple(
        Operator(name=name, kind=KeyKind.ED25519, public=keys[f"{name}.key"].public)
        for name in OPERATORS
    )
    document = make_authorisation(_terms(lab, operators, now))
    write_private(folder / AUTHORISATION, sign(document, keys[MAGISTRATE]).content)
    paper = authorisation_in(folder, anchors)
    stamp_lab(folder, now)
    if Power.PROVE in lab.powers:
        request = _request(paper, lab, [keys[f"{name}.key"] for name in OPERATORS])
        write_private(folder / REQUESTS / "lab.json", request.content)
    return anchors


def stamp_lab(folder: Path, now: datetime, *, is_revoked: bool = False) -> bytes:
    """Write today's timestamp of a lab, and return it; it says that nothing is revoked.

    Args:
        folder: What ``make_lab`` made.
        now: Of when it is.
        is_revoked: Whether it says that the authorisation is not in force any more.

    Raises:
        AuthorityError, ConfigError, TrustError: The lab is none, or was changed.
    """
    paper = authorisation_in(folder, lab_anchors(folder))
    in_force: frozenset[bytes] = frozenset() if is_revoked else frozenset({paper.sha256})
    document = make_timestamp(Timestamp(at=now, in_force=in_force))
    content = sign(document, Key.load(folder / CLERK)).content
    write_private(folder / TIMESTAMP, content)
    return content


def _terms(lab: Lab, operators: tuple[Operator, ...], now: datetime) -> Authorisation:
    return Authorisation(
        id="lab",
        case=lab.case,
        issuer="the lab's magistrate",
        legal_basis="none: a lab, on files of random bytes",
        powers=lab.powers,
        jurisdiction=lab.jurisdiction,
        networks=lab.networks,
        not_before=now,
        not_after=now + TERM,
        operators=operators,
        lists=frozenset({lab.list_name}),
    )


def _request(paper: Paper[Authorisation], lab: Lab, operators: Iterable[Key]) -> Document:
    document = propose(
        paper,
        id="lab",
        list_name=lab.list_name,
        entries=None,
        pieces=PIECES,
        not_before=paper.terms.not_before,
        not_after=paper.terms.not_after,
    )
    for key in operators:
        document = approve(document, paper, key).document
    return document
