"""Tags: named values, in eDonkey's introductions and in what Kad's nodes say of sources; pure.

Source: eMule Protocol Specification (Kulbak, Bickson, 2005), section 6.1; eMule's opcodes.h.
"""

import struct


class Malformed(Exception):
    """The peer broke the protocol, or a limit; it quotes nothing."""


def written(name: int, value: bytes | int) -> bytes:
    """Return a tag as it is sent: of a text, or of a number of 32 bits."""
    if isinstance(value, bytes):
        return struct.pack("<BHBH", 0x02, 1, name, len(value)) + value
    return struct.pack("<BHBI", 0x03, 1, name, value)


class TagReader:
    """Reads tags one after the other, in all the forms that clients write them in."""

    def __init__(self, content: bytes, at: int) -> None:
        """Begin at ``at``."""
        self._content = content
        self._at = at

    @property
    def at(self) -> int:
        """Where the next tag begins."""
        return self._at

    def tag(self) -> tuple[bytes, bytes | int | None]:
        """Return the name and value of the next tag.

        Raises:
            Malformed: It ends too early, or is of no known type.
        """
        (kind,) = self._take(1)
        if kind & 0x80:
            kind &= 0x7F
            name = self._take(1)
        else:
            name = self._take(int.from_bytes(self._take(2), "little"))
        return name, self._value(kind)

    def _value(self, kind: int) -> bytes | int | None:
        match kind:
            case 0x02:
                return self._take(int.from_bytes(self._take(2), "little"))
            case 0x03 | 0x08 | 0x09 | 0x0B:
                width = {0x03: 4, 0x08: 2, 0x09: 1, 0x0B: 8}[kind]
                return int.from_bytes(self._take(width), "little")
            case 0x01 | 0x04 | 0x05:
                self._take({0x01: 16, 0x04: 4, 0x05: 1}[kind])
                return None
            case 0x07 | 0x0A:
                self._take(int.from_bytes(self._take({0x07: 4, 0x0A: 1}[kind]), "little"))
                return None
            case _ if 0x11 <= kind <= 0x20:
                return self._take(kind - 0x10)
            case _:
                raise Malformed("a tag is of no known type")

    def _take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._content):
            raise Malformed("a tag ends too early")
        found = self._content[self._at : end]
        self._at = end
        return found
