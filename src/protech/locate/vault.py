"""Names and contents of what a case keeps beside its log: nothing of it is in clear.

A store holds keyed names, from which no info-hash or address can be guessed without the case
key, and ciphertext that is bound to its name. Only times stand beside them.
"""

import hmac
import json
from collections.abc import Mapping

from protech.errors import TrustError
from protech.evidence.ciphers import Cipher, derive

NAME_BYTES = 16
LENGTH_BYTES = 4


class Vault:
    """One case key put to one purpose; ``repr`` shows nothing of it."""

    __slots__ = ("_cipher", "_names")

    def __init__(self, data_key: bytes, *, purpose: str) -> None:
        """Derive keys of ``purpose``: what one vault names or hides, another cannot read."""
        self._names = derive(data_key, purpose=f"protech locate {purpose} names")
        self._cipher = Cipher(derive(data_key, purpose=f"protech locate {purpose} contents"))

    def __repr__(self) -> str:
        return "Vault()"

    def name(self, *parts: bytes) -> bytes:
        """Return the keyed name of what ``parts`` say together, 16 bytes."""
        told_apart = b"".join(len(one).to_bytes(LENGTH_BYTES) + one for one in parts)
        return hmac.digest(self._names, told_apart, "sha256")[:NAME_BYTES]

    def seal(self, content: Mapping[str, object], name: bytes) -> bytes:
        """Return ``content`` encrypted, to be kept under ``name`` alone."""
        text = json.dumps(content, separators=(",", ":"), sort_keys=True)
        return self._cipher.seal(text.encode(), name)

    def open(self, sealed: bytes, name: bytes) -> dict[str, object]:
        """Return what ``seal`` hid under ``name``.

        Raises:
            TrustError: It was changed, stood under another name, or is of another case.
        """
        content = json.loads(self._cipher.open(sealed, name))
        if not isinstance(content, dict):
            raise TrustError("What is kept of the case has another form than this version's.")
        return content

    def seal_bytes(self, content: bytes, name: bytes) -> bytes:
        """Return bytes encrypted, to be kept under ``name`` alone."""
        return self._cipher.seal(content, name)

    def open_bytes(self, sealed: bytes, name: bytes) -> bytes:
        """Return what ``seal_bytes`` hid under ``name``.

        Raises:
            TrustError: As ``open``.
        """
        return self._cipher.open(sealed, name)
