"""RC4, which peer-to-peer networks use against being told apart: it keeps no secret.

The one door to it. Whoever speaks with a peer of these networks has no choice of cipher.
"""

from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher


class Rc4:
    """One direction of a stream."""

    __slots__ = ("_context",)

    def __init__(self, key: bytes, *, discard_bytes: int = 0) -> None:
        """Begin the stream of ``key``, of which the first ``discard_bytes`` are left out."""
        self._context = Cipher(ARC4(key), mode=None).encryptor()
        self._context.update(bytes(discard_bytes))

    def __repr__(self) -> str:
        return "Rc4()"

    def applied(self, data: bytes) -> bytes:
        """Return ``data`` encrypted, or decrypted: it is the same."""
        return self._context.update(data)

    def apply(self, memory: memoryview) -> None:
        """Encrypt or decrypt what is in memory where it is; no copy is made."""
        self._context.update_into(memory, memory)
