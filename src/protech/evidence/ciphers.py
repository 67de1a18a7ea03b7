"""Encryption of what a case keeps, and agreement on keys with a token (P-256).

The only module that reaches cryptography for them. Sources: RFC 8439 (ChaCha20-Poly1305),
RFC 5869 (HKDF with SHA-256), NIST SP 800-56A rev. 3 (ECDH).
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from protech.errors import TrustError

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
POINT_BYTES = 65
"""An uncompressed point of P-256: 4, then both coordinates."""


class Cipher:
    """Encrypts under one key, and opens what is whole; ``repr`` shows nothing of it.

    A nonce is drawn at random, which is safe for 2^32 messages under a key.
    """

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        """Take 32 secret bytes."""
        self._aead = ChaCha20Poly1305(key)

    def seal(self, content: bytes, about: bytes, *, nonce: bytes | None = None) -> bytes:
        """Return nonce, ciphertext and tag.

        Args:
            content: What is hidden.
            about: What is not, and cannot be exchanged either.
            nonce: One that is drawn at random for this message alone; None: it is drawn here.
        """
        nonce = nonce or os.urandom(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, content, about)

    def open(self, sealed: bytes, about: bytes) -> bytes:
        """Return what ``seal`` hid.

        Raises:
            TrustError: It was changed, or is under another key.
        """
        try:
            return self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about)
        except (InvalidTag, ValueError):
            raise TrustError(
                "What is kept of the case was changed, or is under another key than this one;"
                " put back a copy of it, and have it opened by those whom the case names."
            ) from None


def derive(secret: bytes, *, purpose: str, salt: bytes = b"") -> bytes:
    """Return 32 bytes for one purpose, from which neither the secret nor others follow."""
    made = HKDF(SHA256(), KEY_BYTES, salt, purpose.encode())
    return made.derive(secret)


class Agreement:
    """A P-256 key pair for one agreement; ``repr`` shows nothing of it."""

    __slots__ = ("_private",)

    def __init__(self) -> None:
        """Draw a new pair."""
        self._private = ec.generate_private_key(ec.SECP256R1())

    @property
    def public(self) -> bytes:
        """The point, 65 bytes."""
        return self._private.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )

    def agree(self, public: bytes) -> bytes:
        """Return the 32 bytes that only the two holders can compute (the x coordinate).

        Raises:
            TrustError: That is no point of P-256.
        """
        return self._private.exchange(ec.ECDH(), _point(public))


def _point(public: bytes) -> ec.EllipticCurvePublicKey:
    try:
        if len(public) != POINT_BYTES:
            raise ValueError("a compressed point, or none")
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
    except ValueError:
        raise TrustError(
            "That is no public key of P-256, 65 bytes that begin with 4; ask its owner again."
        ) from None
