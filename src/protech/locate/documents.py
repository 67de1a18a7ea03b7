"""Signed papers as files: made, signed, and read again only where every signature holds.

A file is JSON: the document, itself canonical JSON in one text, and its signatures. What is
signed are the bytes of that text; they are verified before anything in it is read, and its
``kind`` keeps one sort of paper from being taken for another.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from protech.errors import AuthorityError, TrustError
from protech.lists.fields import Fields
from protech.locate.papers import (
    Anchors,
    Authorisation,
    Paper,
    ProofRequest,
    Quorum,
    Signature,
    Timestamp,
)
from protech.locate.terms import (
    authorisation_fields,
    parse_authorisation,
    parse_request,
    parse_timestamp,
    request_fields,
    timestamp_fields,
)
from protech.signing import P256_PUBLIC_BYTES, PUBLIC_BYTES, verify, verify_p256

FORMAT_VERSION = 1

FILE_BYTES = 1 << 20
SIGNATURES = 64

AUTHORISATION = "authorisation"
TIMESTAMP = "timestamp"
REQUEST = "proof_request"

REMEDY = "get it again from who made it"

PARSERS: Mapping[str, Callable[[Fields], object]] = {
    AUTHORISATION: parse_authorisation,
    TIMESTAMP: parse_timestamp,
    REQUEST: parse_request,
}

VERIFY: Mapping[int, Callable[[bytes, bytes, bytes], bool]] = {
    PUBLIC_BYTES: verify,
    P256_PUBLIC_BYTES: verify_p256,
}
"""By the length of the public key: Ed25519, or ECDSA on P-256 of a token."""


class Signer(Protocol):
    """Who signs: ``protech.signing.Key``, or a key in a token."""

    @property
    def public(self) -> bytes:
        """The public half, 32 bytes (Ed25519) or 65 (P-256)."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes that only this key can make."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A paper's text and the signatures below it; nothing of it is verified."""

    text: str = field(repr=False)
    signatures: tuple[Signature, ...] = ()

    @property
    def fields(self) -> dict[str, object]:
        """The file as JSON, which the log keeps, too."""
        return {
            "v": FORMAT_VERSION,
            "document": self.text,
            "signatures": [
                {"public_key": _base64(one.public), "signature": _base64(one.signature)}
                for one in self.signatures
            ],
        }

    @property
    def content(self) -> bytes:
        """The file."""
        return canonical(self.fields) + b"\n"


def canonical(fields: object) -> bytes:
    """Return JSON in the one form that is signed.

    Raises:
        UnicodeEncodeError: A text in it is none of Unicode (a lone surrogate).
    """
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def make_authorisation(terms: Authorisation) -> Document:
    """Return an authorisation to be signed.

    Raises:
        TrustError: It does not hold together.
    """
    return _made(AUTHORISATION, authorisation_fields(terms), parse_authorisation)


def make_timestamp(terms: Timestamp) -> Document:
    """Return a timestamp to be signed.

    Raises:
        TrustError: It does not hold together.
    """
    return _made(TIMESTAMP, timestamp_fields(terms), parse_timestamp)


def make_request(terms: ProofRequest) -> Document:
    """Return a proof request to be signed by two operators.

    Raises:
        TrustError: It does not hold together.
    """
    return _made(REQUEST, request_fields(terms), parse_request)


def draft(content: bytes) -> Document:
    """Return a paper to be signed, out of terms that an authority's officer wrote as JSON.

    The fields are those of the paper; ``kind`` says which sort it is.

    Raises:
        TrustError: They are no terms of a paper.
    """
    try:
        told = json.loads(content.decode()) if len(content) <= FILE_BYTES else None
    except (ValueError, RecursionError):
        told = None
    fields: dict[str, object] = told if isinstance(told, dict) else {}
    kind = str(fields.get("kind"))
    if kind not in PARSERS:
        raise TrustError(
            f"That is no JSON object whose 'kind' is one of {', '.join(PARSERS)}; mend it."
        )
    return _made(kind, fields, PARSERS[kind])


def sign(document: Document, signer: Signer) -> Document:
    """Return the document with one more signature, instead of an earlier one by that key."""
    made = Signature(public=signer.public, signature=signer.sign(document.text.encode()))
    others = tuple(one for one in document.signatures if one.public != made.public)
    return replace(document, signatures=(*others, made))


def read_document(content: bytes, what: str, *, least: int = 1) -> Document:
    """Return a document out of a file, with ``least`` signatures; they are not looked at.

    Raises:
        TrustError: It is none.
    """
    try:
        if len(content) > FILE_BYTES:
            raise ValueError
        fields = Fields(json.loads(content.decode()), what, remedy=REMEDY)
    except (ValueError, RecursionError):
        raise TrustError(f"{what} is no signed document of Protech; {REMEDY}.") from None
    fields.version(FORMAT_VERSION)
    text = fields.take("document")
    if not isinstance(text, str):
        raise fields.wrong("has no document")
    signatures = tuple(
        Signature(public=_raw(one, "public_key"), signature=_raw(one, "signature"))
        for one in fields.objects("signatures", "A signature")
    )
    if not least <= len(signatures) <= SIGNATURES:
        raise fields.wrong(f"has not {least} to {SIGNATURES} signatures")
    return Document(text=text, signatures=signatures)


def read_authorisation(content: bytes, anchors: Anchors) -> Paper[Authorisation]:
    """Return an authorisation that enough of the anchors' keys signed.

    Raises:
        TrustError: It is none, or a signature does not hold.
        AuthorityError: Too few have signed.
    """
    document = read_document(content, "The authorisation")
    paper = _verified(document, "The authorisation", AUTHORISATION, parse_authorisation)
    _require(paper, anchors.authorisations, "The authorisation", anchors.name)
    return paper


def read_timestamp(content: bytes, anchors: Anchors) -> Paper[Timestamp]:
    """Return a timestamp that enough of the anchors' keys signed.

    Raises:
        TrustError: It is none, or a signature does not hold.
        AuthorityError: Too few have signed.
    """
    document = read_document(content, "The timestamp")
    paper = _verified(document, "The timestamp", TIMESTAMP, parse_timestamp)
    _require(paper, anchors.timestamps, "The timestamp", anchors.name)
    return paper


def read_request(content: bytes) -> Paper[ProofRequest]:
    """Return a proof request whose signatures hold; who they are is for the gate to say.

    Raises:
        TrustError: It is none, or a signature does not hold.
    """
    document = read_document(content, "The proof request")
    return _verified(document, "The proof request", REQUEST, parse_request)


def _made[T](kind: str, fields: dict[str, object], parse: Callable[[Fields], T]) -> Document:
    try:
        text = canonical({"v": FORMAT_VERSION, **fields, "kind": kind}).decode()
    except UnicodeEncodeError:
        raise TrustError(f"The paper is not UTF-8; {REMEDY}.") from None
    _terms(text, "The paper", kind, parse)
    return Document(text=text)


def _verified[T](
    document: Document, what: str, kind: str, parse: Callable[[Fields], T]
) -> Paper[T]:
    """Return what a document says, once all of its signatures hold."""
    try:
        message = document.text.encode()
    except UnicodeEncodeError:
        raise TrustError(f"{what} is not UTF-8; {REMEDY}.") from None
    for one in document.signatures:
        check = VERIFY.get(len(one.public))
        if check is None or not check(one.public, message, one.signature):
            raise TrustError(
                f"{what} bears a signature that does not hold: it was forged or changed;"
                f" {REMEDY}."
            )
    if len({one.public for one in document.signatures}) != len(document.signatures):
        raise TrustError(f"{what} bears two signatures of one key; {REMEDY}.")
    return Paper(
        terms=_terms(document.text, what, kind, parse),
        text=document.text,
        signatures=document.signatures,
    )


def _terms[T](text: str, what: str, kind: str, parse: Callable[[Fields], T]) -> T:
    try:
        value = json.loads(text)
        is_canonical = canonical(value) == text.encode()
    except (ValueError, RecursionError):
        value, is_canonical = None, False
    if not is_canonical:
        raise TrustError(f"{what} is not in the one form of JSON that is signed; {REMEDY}.")
    fields = Fields(value, what, remedy=REMEDY)
    if fields.take("kind") != kind:
        raise fields.wrong("is a paper of another kind")
    fields.version(FORMAT_VERSION)
    terms = parse(fields)
    if fields.left():
        # It may be a limit, which whoever signed it takes to be kept.
        raise fields.wrong(f"has {len(fields.left())} terms that this Protech does not know")
    return terms


def _require[T](paper: Paper[T], quorum: Quorum, what: str, authority: str) -> None:
    count = quorum.count(paper.signers)
    if count < quorum.threshold:
        raise AuthorityError(
            f"{what} has {count} of the {quorum.threshold} signatures that {authority} asks"
            " for; have those sign it whose keys its package names."
        )


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _raw(fields: Fields, key: str) -> bytes:
    """Read canonical base64, so that one signature has one text."""
    value = fields.take(key)
    try:
        raw = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (ValueError, binascii.Error):
        raw = b""
    if not raw or _base64(raw) != value:
        raise fields.wrong(f"has no base64 as '{key}'")
    return raw
