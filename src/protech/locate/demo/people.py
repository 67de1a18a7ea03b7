"""The demo's magistrate, clerk and operators, and what they sign for a case of the lab.

Everything is signed and checked as it is in earnest. The operators' keys are in memory, which
the gate lets count in a lab alone.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from protech.lists.seal import new_identity, recipient_of
from protech.locate.adapter import Network
from protech.locate.anchors import FILE, anchors_content, lab_anchors
from protech.locate.approve import approve, propose
from protech.locate.demo.office import AUTHORITY, Office
from protech.locate.documents import (
    make_authorisation,
    make_timestamp,
    read_authorisation,
    sign,
)
from protech.locate.filed import AUTHORISATION, REQUESTS, TIMESTAMP
from protech.locate.papers import (
    Anchors,
    Authorisation,
    KeyKind,
    ListAnchor,
    Operator,
    Power,
    Quorum,
    Timestamp,
)
from protech.locate.place import LAB_HOME
from protech.settings import write_private
from protech.signing import Key

CASE = "lab-demonstration"
TERM = timedelta(days=1)
EARLIER = timedelta(minutes=1)
"""Papers are signed before they are used."""

PIECES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Those whom the lab's anchors name, their keys, and the authority's own identity."""

    magistrate: Key
    clerk: Key
    operators: tuple[Key, ...]
    identity: str = field(repr=False)

    @classmethod
    def fresh(cls) -> "People":
        """Return people with new keys."""
        return cls(
            magistrate=Key.generate(),
            clerk=Key.generate(),
            operators=(Key.generate(), Key.generate()),
            identity=new_identity(),
        )


def found_authority(folder: Path, people: People, office: Office) -> Anchors:
    """Write the anchors of a lab into its folder, and return them as they are read.

    Raises:
        ConfigError: They cannot be written.
    """
    root = ListAnchor(
        root_sha256=sha256(office.root).digest(), authorities=frozenset({AUTHORITY})
    )
    anchors = Anchors(
        name="the lab's authority",
        is_lab=True,
        authorisations=Quorum(keys=frozenset({people.magistrate.public}), threshold=1),
        timestamps=Quorum(keys=frozenset({people.clerk.public}), threshold=1),
        lists=(root,),
        recipients=(recipient_of(people.identity),),
    )
    write_private(folder / FILE, anchors_content(anchors))
    return lab_anchors(folder)


def sign_papers(
    papers: Path,
    people: People,
    anchors: Anchors,
    *,
    list_name: str,
    networks: frozenset[Network],
    now: datetime,
) -> None:
    """Put the signed papers of a case where a run looks for them.

    Raises:
        ConfigError: They cannot be written.
    """
    now = now.replace(microsecond=0)  # papers tell seconds
    terms = _terms(people, list_name, networks, now)
    authorisation = sign(make_authorisation(terms), people.magistrate)
    paper = read_authorisation(authorisation.content, anchors)
    in_force = Timestamp(at=now - EARLIER, in_force=frozenset({paper.sha256}))
    timestamp = sign(make_timestamp(in_force), people.clerk)
    request = propose(
        paper,
        id="LAB-1-pieces",
        list_name=list_name,
        entries=None,
        pieces=PIECES,
        not_before=terms.not_before,
        not_after=terms.not_after,
    )
    for key in people.operators:
        request = approve(request, paper, key).document
    for name, document in (
        (AUTHORISATION, authorisation),
        (TIMESTAMP, timestamp),
        (f"{REQUESTS}/lab-1-pieces.json", request),
    ):
        write_private(papers / name, document.content)


def _terms(
    people: People, list_name: str, networks: frozenset[Network], now: datetime
) -> Authorisation:
    """Return what the lab's magistrate allows, from a moment ago for a day."""
    return Authorisation(
        id="LAB-1",
        case=CASE,
        issuer="The lab's magistrate",
        legal_basis="none: a demonstration on files of random bytes",
        powers=frozenset(Power),
        jurisdiction=frozenset({LAB_HOME}),
        networks=networks,
        not_before=now - EARLIER,
        not_after=now + TERM,
        operators=tuple(
            Operator(name=f"operator-{number}", kind=KeyKind.ED25519, public=key.public)
            for number, key in enumerate(people.operators, start=1)
        ),
        lists=frozenset({list_name}),
    )
