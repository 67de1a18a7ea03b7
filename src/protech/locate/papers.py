"""What the gate decides on: anchors, signed papers, the list, the clock; values, and pure.

Who reads a paper has verified it: each value here holds what was signed, and by which keys.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network

from protech.lists.entries import Use
from protech.locate.adapter import Address, Network

type AddressRange = IPv4Network | IPv6Network


class Power(StrEnum):
    """What an authorisation lets its operators do."""

    OBSERVE = "observe"
    """See who shares a listed file, up to what peers claim (levels 0 to 3)."""
    PROVE = "prove"
    """Ask a peer for one piece of a listed file (level 4)."""


class KeyKind(StrEnum):
    """How an operator signs."""

    P256 = "p256"
    """ECDSA on P-256 with SHA-256, by a key that never leaves its token (PKCS#11)."""
    ED25519 = "ed25519"
    """A key in a file: it counts in the lab alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """A person whom an authorisation names, and their public key as it is (32 or 65 bytes)."""

    name: str
    kind: KeyKind
    public: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorisation:
    """What a magistrate or prosecutor allows: by which law, to whom, where and how long.

    ``jurisdiction`` holds countries (ISO 3166-1 alpha-2), ``lists`` the names of the lists that
    may be used. It holds from ``not_before`` and no longer at ``not_after``.
    """

    id: str
    case: str
    issuer: str
    legal_basis: str
    powers: frozenset[Power]
    jurisdiction: frozenset[str]
    networks: frozenset[Network]
    not_before: datetime
    not_after: datetime
    operators: tuple[Operator, ...]
    lists: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timestamp:
    """Which authorisations were in force ``at`` a time: what is not named is revoked."""

    at: datetime
    in_force: frozenset[bytes] = field(repr=False)
    """The SHA-256 of each authorisation's document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRequest:
    """For which files, on which networks, how many pieces may be asked for, and until when.

    ``entries`` are those of the list ``list_name`` as pages call them; None: all of them.
    """

    id: str
    case: str
    authorisation_sha256: bytes = field(repr=False)
    list_name: str
    entries: frozenset[str] | None
    networks: frozenset[Network]
    pieces: int
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A public key as it is, and what it made of the document's bytes."""

    public: bytes = field(repr=False)
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper[T]:
    """A signed document: its terms, its text byte for byte, and its signatures, which hold."""

    terms: T
    text: str = field(repr=False)
    signatures: tuple[Signature, ...]

    @property
    def sha256(self) -> bytes:
        """The digest of the text in UTF-8: what other papers and records call it by."""
        return sha256(self.text.encode()).digest()

    @property
    def signers(self) -> frozenset[bytes]:
        """The keys that signed it."""
        return frozenset(one.public for one in self.signatures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """Raw Ed25519 public keys, and how many of them must sign."""

    keys: frozenset[bytes] = field(repr=False)
    threshold: int

    def count(self, signers: frozenset[bytes]) -> int:
        """Return how many of its keys are among those."""
        return len(self.keys & signers)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAnchor:
    """A repository by the SHA-256 of its first root of trust, and whose lists of it count."""

    root_sha256: bytes = field(repr=False)
    authorities: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StampAuthority:
    """Who stamps the log (RFC 3161): a certificate in DER, and where it is asked."""

    certificate: bytes = field(repr=False)
    url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchors:
    """Whom this machine trusts for ``locate``, from its authority package; or a lab's own.

    ``recipients`` are the age keys of the authority, to which a case's key is wrapped.
    ``observers`` are address ranges that are never spoken to, ``sources`` the addresses that
    observers here send from.
    """

    name: str
    is_lab: bool
    authorisations: Quorum
    timestamps: Quorum
    lists: tuple[ListAnchor, ...]
    stamp_authorities: tuple[StampAuthority, ...] = ()
    recipients: tuple[str, ...] = ()
    observers: tuple[AddressRange, ...] = field(default=(), repr=False)
    sources: tuple[Address, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFacts:
    """A list on this device as its repository's signatures, all checked again, show it.

    ``signers`` are the keys of ``authority`` that signed it; ``speakers`` all keys that the
    repository has for anything. Nobody vouches for it at ``fresh_until`` any more.
    """

    name: str
    version: int
    sha256: bytes = field(repr=False)
    uses: frozenset[Use]
    issuer: str
    legal_basis: str
    authority: str
    root_sha256: bytes = field(repr=False)
    signers: frozenset[bytes] = field(repr=False)
    speakers: frozenset[bytes] = field(repr=False)
    fresh_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """The time, and what the kernel says of it; ``error_ms`` is the most it may be off."""

    at: datetime
    is_synchronised: bool
    error_ms: float | None

    @property
    def fields(self) -> dict[str, object]:
        """What every record says of time: UTC to the millisecond, and the clock's error."""
        at = self.at.astimezone(UTC).isoformat(timespec="milliseconds")
        return {
            "at": at.replace("+00:00", "Z"),
            "clock": {"synchronised": self.is_synchronised, "error_ms": self.error_ms},
        }
