"""The terms of signed papers as JSON fields, written and read strictly."""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum

from protech.lists.fields import DIGEST_BYTES, Fields
from protech.lists.trust import NAME
from protech.locate.adapter import Network
from protech.locate.papers import (
    Authorisation,
    KeyKind,
    Operator,
    Power,
    ProofRequest,
    Timestamp,
)
from protech.signing import P256_PUBLIC_BYTES, PUBLIC_BYTES

COUNTRY = re.compile(r"[A-Z]{2}")
ENTRY = re.compile(r"[!-~]{1,200}")

LONGEST = 500
OPERATORS = 64
AUTHORISATIONS = 4096
ENTRIES = 1 << 16
PIECES = 1_000_000

KEY_BYTES = {KeyKind.P256: P256_PUBLIC_BYTES, KeyKind.ED25519: PUBLIC_BYTES}

PROVERS = 2
"""Who may prove must be able to: two operators sign each request."""


def authorisation_fields(terms: Authorisation) -> dict[str, object]:
    """Return an authorisation as it is signed."""
    return {
        "id": terms.id,
        "case": terms.case,
        "issuer": terms.issuer,
        "legal_basis": terms.legal_basis,
        "powers": sorted(terms.powers),
        "jurisdiction": sorted(terms.jurisdiction),
        "networks": sorted(terms.networks),
        "not_before": _moment(terms.not_before),
        "not_after": _moment(terms.not_after),
        "operators": [
            {
                "name": one.name,
                "kind": one.kind.value,
                "public_key": base64.b64encode(one.public).decode(),
            }
            for one in terms.operators
        ],
        "lists": sorted(terms.lists),
    }


def parse_authorisation(fields: Fields) -> Authorisation:
    """Return the terms of an authorisation.

    Raises:
        TrustError: They do not hold together.
    """
    terms = Authorisation(
        id=fields.text("id", longest=LONGEST),
        case=fields.text("case", longest=LONGEST),
        issuer=fields.text("issuer", longest=LONGEST),
        legal_basis=fields.text("legal_basis", longest=LONGEST),
        powers=_choices(fields, "powers", Power),
        jurisdiction=_words(fields, "jurisdiction", COUNTRY),
        networks=_choices(fields, "networks", Network),
        not_before=fields.moment("not_before"),
        not_after=fields.moment("not_after"),
        operators=_operators(fields),
        lists=_words(fields, "lists", NAME),
    )
    _require_term(fields, terms.not_before, terms.not_after)
    if Power.PROVE in terms.powers and len(terms.operators) < PROVERS:
        raise fields.wrong(f"carries the power to prove, and names not {PROVERS} operators")
    return terms


def timestamp_fields(terms: Timestamp) -> dict[str, object]:
    """Return a timestamp as it is signed."""
    return {
        "at": _moment(terms.at),
        "in_force": sorted(digest.hex() for digest in terms.in_force),
    }


def parse_timestamp(fields: Fields) -> Timestamp:
    """Return the terms of a timestamp; that no authorisation is in force is one.

    Raises:
        TrustError: They do not hold together.
    """
    at = fields.moment("at")
    value = fields.take("in_force")
    if not isinstance(value, list) or len(value) > AUTHORISATIONS:
        raise fields.wrong(f"has no list of at most {AUTHORISATIONS} digests as 'in_force'")
    return Timestamp(at=at, in_force=frozenset(_digest(fields, one) for one in value))


def request_fields(terms: ProofRequest) -> dict[str, object]:
    """Return a proof request as it is signed."""
    return {
        "id": terms.id,
        "case": terms.case,
        "authorisation_sha256": terms.authorisation_sha256.hex(),
        "list": terms.list_name,
        "entries": "all" if terms.entries is None else sorted(terms.entries),
        "networks": sorted(terms.networks),
        "pieces": terms.pieces,
        "not_before": _moment(terms.not_before),
        "not_after": _moment(terms.not_after),
    }


def parse_request(fields: Fields) -> ProofRequest:
    """Return the terms of a proof request.

    Raises:
        TrustError: They do not hold together.
    """
    terms = ProofRequest(
        id=fields.text("id", longest=LONGEST),
        case=fields.text("case", longest=LONGEST),
        authorisation_sha256=fields.digest("authorisation_sha256"),
        list_name=_word(fields, "list", NAME, fields.take("list")),
        entries=_entries(fields),
        networks=_choices(fields, "networks", Network),
        pieces=fields.number("pieces", least=1, most=PIECES),
        not_before=fields.moment("not_before"),
        not_after=fields.moment("not_after"),
    )
    _require_term(fields, terms.not_before, terms.not_after)
    return terms


def _entries(fields: Fields) -> frozenset[str] | None:
    value = fields.take("entries")
    return None if value == "all" else _set(fields, "entries", value, _by(ENTRY))


def _operators(fields: Fields) -> tuple[Operator, ...]:
    told = fields.objects("operators", "An operator in the authorisation")
    found = tuple(
        Operator(
            name=one.text("name", longest=LONGEST),
            kind=(kind := one.choice("kind", KeyKind)),
            public=_public(one, KEY_BYTES[kind]),
        )
        for one in told
    )
    if any(one.left() for one in told):
        raise fields.wrong("says more of an operator than this Protech knows")
    names, keys = {one.name for one in found}, {one.public for one in found}
    if len(found) > OPERATORS or not len(names) == len(keys) == len(found):
        raise fields.wrong(
            f"names more than {OPERATORS} operators, or two of one name or one key"
        )
    return found


def _public(fields: Fields, width: int) -> bytes:
    value = fields.take("public_key")
    try:
        raw = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (ValueError, binascii.Error):
        raw = b""
    if len(raw) != width or base64.b64encode(raw).decode() != value:
        raise fields.wrong(f"has no public key of {width} bytes in base64")
    return raw


def _digest(fields: Fields, value: object) -> bytes:
    try:
        raw = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        raw = b""
    if len(raw) != DIGEST_BYTES or raw.hex() != value:
        raise fields.wrong("has what is no SHA-256 in lowercase hex in 'in_force'")
    return raw


def _choices[T: StrEnum](fields: Fields, key: str, of: type[T]) -> frozenset[T]:
    return frozenset(
        of(one) for one in _set(fields, key, fields.take(key), set(of).__contains__)
    )


def _words(fields: Fields, key: str, pattern: re.Pattern[str]) -> frozenset[str]:
    return _set(fields, key, fields.take(key), _by(pattern))


def _set(
    fields: Fields, key: str, value: object, is_one: Callable[[str], bool]
) -> frozenset[str]:
    """Read one or more words, each once."""
    words = value if isinstance(value, list) and 0 < len(value) <= ENTRIES else []
    found = frozenset(one for one in words if isinstance(one, str) and is_one(one))
    if not found or len(found) != len(words):
        raise fields.wrong(f"has not one or more different words of its kind as '{key}'")
    return found


def _word(fields: Fields, key: str, pattern: re.Pattern[str], value: object) -> str:
    (word,) = _set(fields, key, [value], _by(pattern))
    return word


def _by(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda word: pattern.fullmatch(word) is not None


def _require_term(fields: Fields, not_before: datetime, not_after: datetime) -> None:
    if not_before >= not_after:
        raise fields.wrong("ends before it begins")


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
