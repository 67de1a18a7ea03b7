"""Ed25519 (RFC 8032): keys that are kept in files, signatures, and whether one holds.

The only module that reaches cryptography for them, and for whether a token's signature holds
(ECDSA on P-256, FIPS 186-5). A private key leaves a ``Key`` only into a file of this user
alone; it is in no ``repr``, no message and no log.
"""

import base64
import binascii
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from protech.errors import ConfigError, TrustError

PUBLIC_BYTES = 32
SIGNATURE_BYTES = 64

P256_PUBLIC_BYTES = 65
"""A point on P-256 as it is: 4, then both coordinates (SEC 1, 2.3.3)."""

FILE_BYTES = 16 * 1024
"""A private key in PEM takes less than one KiB."""

PRIVATE = 0o700
OTHERS = 0o077


class Key:
    """A private key: it signs, and tells its public half."""

    __slots__ = ("_private",)

    def __init__(self, private: Ed25519PrivateKey) -> None:
        """Take a key; ``generate`` and ``load`` make them."""
        self._private = private

    def __repr__(self) -> str:
        return "Key()"

    @classmethod
    def generate(cls) -> "Key":
        """Return a new key, from the kernel's random numbers."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def of_seed(cls, seed: bytes) -> "Key":
        """Return the key that RFC 8032 makes of 32 secret bytes."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def load(cls, path: Path, *, passphrase: str | None = None) -> "Key":
        """Return the key in a file that ``save`` wrote.

        Raises:
            ConfigError: There is none, it is no Ed25519 key, or the passphrase is wrong.
            TrustError: Others can read or change the file.
        """
        content = _private_content(path)
        secret = None if passphrase is None else passphrase.encode()
        try:
            private = load_pem_private_key(content, password=secret)
        except TypeError:
            raise ConfigError(
                f"The key in {path} has a passphrase; give it."
                if passphrase is None
                else f"The key in {path} has no passphrase; give none."
            ) from None
        except (ValueError, UnsupportedAlgorithm):
            raise ConfigError(
                f"The file {path} is no private key in PEM, was cut, or has another passphrase;"
                " name another file, or give the passphrase that it was saved with."
            ) from None
        if not isinstance(private, Ed25519PrivateKey):
            raise ConfigError(f"The key in {path} is not for Ed25519; name another one.")
        return cls(private)

    def save(self, path: Path, *, passphrase: str | None = None) -> None:
        """Write the key to a new file of this user alone, (PKCS#8 in PEM, 0600).

        Raises:
            ConfigError: Something is there already, or it cannot be written.
        """
        if passphrase == "":
            raise ConfigError("An empty passphrase protects nothing; give one, or none at all.")
        content = self._private.private_bytes(
            Encoding.PEM,
            PrivateFormat.PKCS8,
            NoEncryption()
            if passphrase is None
            else BestAvailableEncryption(passphrase.encode()),
        )
        write_new(path, content)

    @property
    def public(self) -> bytes:
        """The public half, 32 raw bytes."""
        return self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes that only this key can make of ``message``."""
        return self._private.sign(message)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the key with the raw ``public`` half signed ``message``."""
    if len(public) != PUBLIC_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def verify_p256(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether a token's key signed ``message`` (ECDSA on P-256 with SHA-256).

    Args:
        public: The point, uncompressed (65 bytes).
        message: As it is; its digest is taken here.
        signature: Both numbers of 32 bytes, one after the other, as PKCS#11 gives them.
    """
    if len(public) != P256_PUBLIC_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    numbers = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    try:
        key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), public)
        key.verify(encode_dss_signature(*numbers), message, ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def public_text(public: bytes) -> str:
    """Return a raw public key as people pass it on: base64, 44 characters."""
    return base64.b64encode(public).decode()


def parse_public(text: str) -> bytes:
    """Return the raw public key in what ``public_text`` gives.

    Raises:
        ConfigError: It is none.
    """
    try:
        public = base64.b64decode(text.strip(), validate=True)
    except (ValueError, binascii.Error):
        public = b""
    if len(public) != PUBLIC_BYTES or public_text(public) != text.strip():
        raise ConfigError(
            "That is no Ed25519 public key, 44 characters of base64; ask its owner again."
        )
    return public


def _private_content(path: Path) -> bytes:
    """Return what is in a file that is this user's alone."""
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            content = file.read(FILE_BYTES + 1)
    except OSError as refused:
        raise ConfigError(
            f"The key {path} cannot be read: {refused.strerror}; name the file that it is in."
        ) from refused
    if state.st_uid not in {0, os.getuid()} or stat.S_IMODE(state.st_mode) & OTHERS:
        raise TrustError(
            f"Others can read or change the key {path}, so it may not be secret any more; make"
            f" a new one, or, where you know that it is, run: chmod 600 {path}"
        )
    if len(content) > FILE_BYTES:
        raise ConfigError(f"The file {path} is larger than a key; name another one.")
    return content


def write_new(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Put a key at ``path``, unless something is there.

    A key that a kill cut short was never used, and ``load`` says that it was cut.

    Raises:
        ConfigError: Something is there already, or it cannot be written.
    """
    try:
        path.parent.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        if os.path.lexists(path):
            raise ConfigError(
                f"There is something at {path} already, and a key is never overwritten; name"
                " another file."
            )
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
        except OSError:
            path.unlink()
            raise
    except OSError as refused:
        raise ConfigError(
            f"The key cannot be written to {path}: {refused.strerror}; name another place."
        ) from refused
