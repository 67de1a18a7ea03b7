"""A magistrate, operators and a hotline's list for ``locate``: signed, and all of it real."""

import base64
import hashlib
import io
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from protech.lists.device import DeviceLists
from protech.lists.entries import Category, ListHeader, Use
from protech.lists.fetch_key import Ed2kFile, FetchKey
from protech.lists.fetch_keys import KeyWriter
from protech.lists.keys import make_device_key
from protech.lists.sync.flow import sync
from protech.lists.trust import ListTarget, TargetKind
from protech.locate.adapter import Endpoint, ListName, Network, Target
from protech.locate.anchors import parse_anchors
from protech.locate.documents import (
    Document,
    make_authorisation,
    make_request,
    make_timestamp,
    read_authorisation,
    read_request,
    read_timestamp,
    sign,
)
from protech.locate.papers import (
    Anchors,
    Authorisation,
    ClockReading,
    KeyKind,
    ListAnchor,
    ListFacts,
    Operator,
    Paper,
    Power,
    ProofRequest,
    Quorum,
    Timestamp,
)
from protech.locate.rules import Situation
from protech.signing import Key
from tests.repository import AUTHORITY, LIST, Repository

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)

ROOT_SHA256 = bytes(range(32))
LIST_SHA256 = bytes(range(1, 33))


def key(name: str) -> Key:
    """Return somebody's key, the same in every run."""
    return Key.of_seed(hashlib.sha256(f"locate {name}".encode()).digest())


MAGISTRATE = key("magistrate")
CLERK = key("clerk")
OPERATORS = (key("anna"), key("bert"), key("carl"))
"""Their keys are in files, so that they count in a lab alone."""

ANCHORS = Anchors(
    name="the authority of tests",
    is_lab=True,
    authorisations=Quorum(keys=frozenset({MAGISTRATE.public}), threshold=1),
    timestamps=Quorum(keys=frozenset({CLERK.public}), threshold=1),
    lists=(ListAnchor(root_sha256=ROOT_SHA256, authorities=frozenset({AUTHORITY})),),
)

TERMS = Authorisation(
    id="A-1",
    case="case 7",
    issuer="A magistrate of tests",
    legal_basis="Law 1, section 2",
    powers=frozenset({Power.OBSERVE, Power.PROVE}),
    jurisdiction=frozenset({"FR"}),
    networks=frozenset({Network.BITTORRENT, Network.ED2K}),
    not_before=NOW - DAY,
    not_after=NOW + 10 * DAY,
    operators=tuple(
        Operator(name=name, kind=KeyKind.ED25519, public=one.public)
        for name, one in zip(("anna", "bert", "carl"), OPERATORS, strict=True)
    ),
    lists=frozenset({LIST}),
)

FACTS = ListFacts(
    name=LIST,
    version=1,
    sha256=LIST_SHA256,
    uses=frozenset({Use.LOCATE}),
    issuer="A hotline of tests",
    legal_basis="none: a test",
    authority=AUTHORITY,
    root_sha256=ROOT_SHA256,
    signers=frozenset({key("officer").public}),
    speakers=frozenset({key("officer").public, key("owner").public}),
    fresh_until=NOW + 5 * DAY,
)

TARGET = Target(
    entry="E-1",
    number=0,
    list_name=ListName(name=LIST, version=1, sha256=LIST_SHA256),
    key=Ed2kFile(md4=bytes(16), aich=bytes(20), size_bytes=1),
)


def authorisation(anchors: Anchors = ANCHORS, **changes: Any) -> Paper[Authorisation]:
    """Return a signed authorisation."""
    document = sign(make_authorisation(replace(TERMS, **changes)), MAGISTRATE)
    return read_authorisation(document.content, anchors)


def timestamp(
    *of: Paper[Authorisation], at: datetime = NOW, anchors: Anchors = ANCHORS
) -> Paper[Timestamp]:
    """Return a signed timestamp under which these are in force."""
    return read_timestamp(timestamp_document(*of, at=at).content, anchors)


def timestamp_document(*of: Paper[Authorisation], at: datetime = NOW) -> Document:
    """Return it as a file."""
    terms = Timestamp(at=at, in_force=frozenset(one.sha256 for one in of))
    return sign(make_timestamp(terms), CLERK)


def request_document(of: Paper[Authorisation], *signers: Any, **changes: Any) -> Document:
    """Return a proof request, signed by two operators where no others are named."""
    terms = ProofRequest(
        id="R-1",
        case=of.terms.case,
        authorisation_sha256=of.sha256,
        list_name=LIST,
        entries=None,
        networks=of.terms.networks,
        pieces=3,
        not_before=of.terms.not_before,
        not_after=of.terms.not_after - DAY,
    )
    document = make_request(replace(terms, **changes))
    for signer in signers or OPERATORS[:2]:
        document = sign(document, signer)
    return document


def request(of: Paper[Authorisation], *signers: Any, **changes: Any) -> Paper[ProofRequest]:
    """Return it verified."""
    return read_request(request_document(of, *signers, **changes).content)


def situation(**changes: Any) -> Situation:
    """Return one in which every rule is kept."""
    paper = changes.pop("authorisation", None) or authorisation()
    kept = Situation(
        anchors=ANCHORS,
        authorisation=paper,
        timestamp=timestamp(paper),
        facts=FACTS,
        reading=ClockReading(at=NOW + timedelta(hours=1), is_synchronised=True, error_ms=3.0),
        logged_at=NOW,
    )
    return replace(kept, **changes)


def endpoint(text: str, port: int = 6881) -> Endpoint:
    """Return an address and port."""
    return Endpoint(address=ip_address(text), port=port)


def anchors_json(root_sha256: bytes = ROOT_SHA256, **changes: Any) -> bytes:
    """Return what an authority package holds."""
    fields = {
        "v": 1,
        "name": "the authority of tests",
        "authorisations": {"threshold": 1, "keys": [{"ed25519": _base64(MAGISTRATE.public)}]},
        "timestamps": {"threshold": 1, "keys": [{"ed25519": _base64(CLERK.public)}]},
        "lists": [{"root_sha256": root_sha256.hex(), "authorities": [AUTHORITY]}],
        "stamp_authorities": [],
        "recipients": [],
        "observers": [],
        "sources": [],
    }
    return json.dumps(fields | changes).encode()


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """A repository with a list for locate, a device that has it, and who must be trusted."""

    repository: Repository
    device: DeviceLists
    anchors: Anchors

    @classmethod
    def open(cls, folder: Path, keys: tuple[FetchKey, ...] = (TARGET.key,)) -> "Office":
        """Publish a list of these keys, and sync it to a device, all below a folder."""
        device = DeviceLists(folder / "device")
        repository = Repository(folder / "repository", recipients=[make_device_key(device.key)])
        offer(repository, keys)
        repository.publish()
        sync(
            device,
            str(repository.folder),
            root=repository.first_root,
            uses=frozenset({Use.LOCATE}),
        )
        root_sha256 = hashlib.sha256(repository.first_root).digest()
        anchors = parse_anchors(anchors_json(root_sha256), is_lab=True)
        return cls(repository=repository, device=device, anchors=anchors)


def offer(
    repository: Repository, keys: tuple[FetchKey, ...], *, version: int = 1, **changes: Any
) -> ListTarget:
    """Offer a version of a list of fetch keys; ``changes`` are of its target."""
    head = ListHeader(
        name=LIST,
        version=version,
        category=Category.CSAM,
        uses=frozenset({Use.LOCATE}),
        created_at=NOW,
        issuer="A hotline of tests",
        legal_basis="none: a test",
    )
    out = io.BytesIO()
    writer = KeyWriter(out, head)
    for one in keys:
        writer.write(one)
    writer.finish()
    content = out.getvalue()
    target = ListTarget(
        name=LIST,
        version=version,
        kind=TargetKind.FETCH_KEYS,
        sha256=hashlib.sha256(content).digest(),
        size_bytes=len(content),
        entries=len(keys),
        category=Category.CSAM,
        uses=head.uses,
        issuer=head.issuer or "",
        legal_basis=head.legal_basis or "",
    )
    target = replace(target, **changes)
    repository.offer(target, content, repository.recipients)
    repository.log_version(target)
    return target


def file_papers(
    folder: Path, of: Paper[Authorisation], *, at: datetime = NOW, requests: bool = True
) -> None:
    """Put an authorisation, its timestamp and a proof request into a folder."""
    (folder / "requests").mkdir(parents=True, exist_ok=True)
    document = Document(text=of.text, signatures=of.signatures)
    (folder / "authorisation.json").write_bytes(document.content)
    (folder / "timestamp.json").write_bytes(timestamp_document(of, at=at).content)
    if requests:
        (folder / "requests" / "R-1.json").write_bytes(request_document(of).content)
