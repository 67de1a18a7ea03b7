"""A proof request, from its proposal to two signatures by operators with their own tokens."""

import os
from dataclasses import dataclass
from datetime import datetime

from protech.errors import AuthorityError, ConfigError
from protech.locate.adapter import Network
from protech.locate.authority import SIGNATURES
from protech.locate.documents import Document, Signer, make_request, read_request, sign
from protech.locate.papers import Authorisation, Operator, Paper, Power, ProofRequest

PIN_BYTES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A request with one more signature: who has signed it, and how many must yet."""

    document: Document
    signed: tuple[str, ...]
    missing: int


def propose(
    authorisation: Paper[Authorisation],
    *,
    id: str,  # noqa: A002 - what it is called in the paper
    list_name: str,
    entries: frozenset[str] | None,
    pieces: int,
    not_before: datetime,
    not_after: datetime,
    networks: frozenset[Network] | None = None,
) -> Document:
    """Return a proof request for operators to sign.

    Args:
        authorisation: What it is made under.
        id: What people call it.
        list_name: The list whose files are meant.
        entries: Which of them, as pages call them; None: all.
        pieces: How many may be asked for altogether.
        not_before: From when.
        not_after: Until when, at most as long as the authorisation.
        networks: On which networks; None: all that are covered.

    Raises:
        AuthorityError: The authorisation does not carry it.
        TrustError: It does not hold together.
    """
    terms = authorisation.terms
    if Power.PROVE not in terms.powers:
        raise AuthorityError(
            f"The authorisation {terms.id} does not carry the power to prove: no piece may be"
            " asked for. Ask its issuer for it, where the law allows."
        )
    asked = ProofRequest(
        id=id,
        case=terms.case,
        authorisation_sha256=authorisation.sha256,
        list_name=list_name,
        entries=entries,
        networks=terms.networks if networks is None else networks,
        pieces=pieces,
        not_before=not_before,
        not_after=not_after,
    )
    is_too_long = not_before < terms.not_before or not_after > terms.not_after
    if is_too_long or list_name not in terms.lists or not asked.networks <= terms.networks:
        raise AuthorityError(
            f"The request asks for more than the authorisation {terms.id} covers: another list"
            " or network, or a longer time. Ask for less."
        )
    return make_request(asked)


def approve(
    document: Document, authorisation: Paper[Authorisation], signer: Signer
) -> Approval:
    """Return a proof request with an operator's signature added.

    Raises:
        AuthorityError: The authorisation names no operator with this key, or is another one.
        TrustError: A signature that is there does not hold.
    """
    operator = operator_of(signer.public, authorisation.terms)
    if operator is None:
        raise AuthorityError(
            f"The authorisation {authorisation.terms.id} names no operator with this key; take"
            " the token whose public key its issuer was given."
        )
    signed = sign(document, signer)
    request = read_request(signed.content)
    if request.terms.authorisation_sha256 != authorisation.sha256:
        raise AuthorityError(
            f"The proof request {request.terms.id} is for another authorisation than"
            f" {authorisation.terms.id}; name that one."
        )
    names = tuple(
        one.name for one in authorisation.terms.operators if one.public in request.signers
    )
    return Approval(document=signed, signed=names, missing=max(0, SIGNATURES - len(names)))


def operator_of(public: bytes, terms: Authorisation) -> Operator | None:
    """Return the operator whose key this is."""
    return next((one for one in terms.operators if one.public == public), None)


def signatures_of(request: Paper[ProofRequest], terms: Authorisation) -> list[dict[str, str]]:
    """Return what the case's log keeps of who signed a request: operators, keys, signatures."""
    named = ((operator_of(one.public, terms), one) for one in request.signatures)
    return [
        {
            "operator": operator.name,
            "public_key": one.public.hex(),
            "signature": one.signature.hex(),
        }
        for operator, one in named
        if operator is not None
    ]


def read_pin(descriptor: int) -> str:
    """Return the PIN that another program hands over through a descriptor, never by a word.

    Raises:
        ConfigError: There is none.
    """
    try:
        raw = os.read(descriptor, PIN_BYTES + 1)
        pin = raw.decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as refused:
        raise ConfigError(
            f"No PIN can be read from descriptor {descriptor}; give it one, or be asked for it."
        ) from refused
    if not 0 < len(pin) <= PIN_BYTES:
        raise ConfigError(
            f"Descriptor {descriptor} gave no PIN of 1 to {PIN_BYTES} characters."
        )
    return pin
