"""Whether a peer has the description of the torrent: it is hashed, and overwritten.

Nothing in it is looked at, for the list says all that is needed; that it hashes to the listed
info-hash shows that the peer knows the torrent, and not only its number. Source: BEP 9.
"""

import hashlib
from enum import StrEnum

from protech.locate.bittorrent import bencode
from protech.locate.bittorrent.bencode import NotBencoded
from protech.locate.bittorrent.messages import Kind, Malformed, framed

PART_BYTES = 1 << 14
LONGEST_BYTES = 256 * 1024
"""A longer description is not asked for: it would not be worth the peer's line."""
HEAD_BYTES = 200

REQUEST, DATA, REJECT = range(3)


class Known(StrEnum):
    """What became of the description."""

    ASKED = "asked"
    VERIFIED = "verified"
    DIFFERENT = "different"
    """It does not hash to the listed info-hash."""
    REFUSED = "refused"


class Metadata:
    """The description of one torrent, as it comes."""

    __slots__ = ("_info_hash", "_memory", "_missing", "known")

    def __init__(self, size_bytes: int, info_hash: bytes) -> None:
        """Await ``size_bytes``, as the peer says, which should hash to ``info_hash``.

        Raises:
            ValueError: There is none, or it is too long.
        """
        if not 0 < size_bytes <= LONGEST_BYTES:
            raise ValueError("no description of this size is asked for")
        self._info_hash = info_hash
        self._memory = bytearray(size_bytes)
        self._missing = set(range(-(-size_bytes // PART_BYTES)))
        self.known = Known.ASKED

    def requests(self, number: int) -> bytes:
        """Return the messages that ask for all of it.

        Args:
            number: What the peer calls this extension.
        """
        return b"".join(
            framed(
                Kind.EXTENDED,
                bytes([number]) + bencode.encode({b"msg_type": REQUEST, b"piece": part}),
            )
            for part in sorted(self._missing)
        )

    def take(self, content: bytes) -> None:
        """Take one message of this extension.

        Raises:
            Malformed: It is none, or brings what was not asked for.
        """
        try:
            head = bencode.decode(content[: PART_BYTES + HEAD_BYTES])
        except NotBencoded as refused:
            raise Malformed(f"a part of a description: {refused}") from None
        part = head.get(b"piece")
        if head.get(b"msg_type") == REQUEST:
            return  # we have none to give
        if not isinstance(part, int) or part not in self._missing:
            raise Malformed("a part of a description that was not asked for")
        if head.get(b"msg_type") != DATA:
            self.known = Known.REFUSED
            return
        at = part * PART_BYTES
        size = min(PART_BYTES, len(self._memory) - at)
        if not size < len(content) <= size + HEAD_BYTES:
            raise Malformed("a part of a description has another length")
        self._memory[at : at + size] = content[-size:]
        self._missing.remove(part)
        if not self._missing:
            self._verify()

    def wipe(self) -> None:
        """Overwrite what came."""
        self._memory[:] = bytes(len(self._memory))

    def _verify(self) -> None:
        is_second = len(self._info_hash) == hashlib.sha256().digest_size
        digest = hashlib.sha256 if is_second else hashlib.sha1
        is_it = digest(self._memory, usedforsecurity=False).digest() == self._info_hash
        self.known = Known.VERIFIED if is_it else Known.DIFFERENT
        self.wipe()
