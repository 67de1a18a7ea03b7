"""Encrypts lists to their recipients, and opens what was encrypted to this device.

The only door to age (pyrage): X25519 recipients, ChaCha20-Poly1305 in pieces of 64 KiB, each
authenticated, and no recipient named in the file. Source: age-encryption.org/v1; the reasons
stand in docs/adr/0008-age-for-targets.md.
"""

from collections.abc import Sequence
from typing import BinaryIO

import pyrage

from protech.errors import ConfigError, TrustError

RECIPIENT = "age1"


def seal(source: BinaryIO, out: BinaryIO, recipients: Sequence[str]) -> None:
    """Write ``source`` to ``out`` so that only the holders of these identities can read it.

    Args:
        source: Read to its end, piece by piece.
        out: Written to; useless until this returns.
        recipients: Public texts as ``recipient_of`` gives them, one at least.

    Raises:
        TrustError: There is no recipient, or one is none.
        ConfigError: It cannot be written.
    """
    known = [_recipient(text) for text in dict.fromkeys(recipients)]
    if not known:
        raise TrustError("A list is encrypted to its recipients; name one device or more.")
    try:
        pyrage.encrypt_io(source, out, known)
    except (pyrage.EncryptError, OSError) as refused:
        raise ConfigError(
            "What was to be encrypted could not be read or written; make room and try again."
        ) from refused


def unseal(source: BinaryIO, out: BinaryIO, identity: str) -> None:
    """Write to ``out`` what was encrypted to ``identity``.

    What stands in ``out`` counts only once this returns: a file that was cut is known as such
    at its end.

    Raises:
        TrustError: It is for others, or was cut or changed.
        OSError: ``out`` cannot be written, or ``source`` cannot be read.
    """
    watched = _Watched(out)
    try:
        pyrage.decrypt_io(source, watched, [_identity(identity)])
    except pyrage.DecryptError as refused:
        raise TrustError(
            "This device is not among those that the list is encrypted to, or the file was"
            " damaged. Ask the list's authority whether the device is enrolled, and sync again."
        ) from refused
    except OSError as refused:
        if watched.failed:
            raise
        raise TrustError(
            "The encrypted list was cut or changed on its way; sync again, and if that does"
            " not help tell its authority."
        ) from refused


def new_identity() -> str:
    """Return a new secret identity; whoever knows it reads what is encrypted to it."""
    return str(pyrage.x25519.Identity.generate())


def recipient_of(identity: str) -> str:
    """Return the public text that lists are encrypted to.

    Raises:
        TrustError: It is no identity.
    """
    return str(_identity(identity).to_public())


def check_recipient(text: str) -> None:
    """Check that a text is a recipient.

    Raises:
        TrustError: It is none.
    """
    _recipient(text)


class _Watched:
    """A writer that remembers that writing failed: pyrage says OSError of bad input, too."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.failed = False

    def write(self, piece: bytes) -> int:
        try:
            return self._out.write(piece)
        except OSError:
            self.failed = True
            raise

    def flush(self) -> None:
        self._out.flush()


def _recipient(text: str) -> pyrage.x25519.Recipient:
    try:
        return pyrage.x25519.Recipient.from_str(text.strip())
    except pyrage.RecipientError as refused:
        raise TrustError(
            f"A recipient is none: it begins with {RECIPIENT} and is 62 characters long. Ask"
            " for it again: `protech lists keys device` prints it on the device."
        ) from refused


def _identity(text: str) -> pyrage.x25519.Identity:
    try:
        return pyrage.x25519.Identity.from_str(text.strip())
    except pyrage.IdentityError as refused:
        raise TrustError(
            "The device's key is none; restore its copy, or make another key and have the"
            " device enrolled again."
        ) from refused
