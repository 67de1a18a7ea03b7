"""Signed notes: a text and below it the signatures of named keys; pure.

What a signature is made with comes from the caller; here is only what stands where.
Source: c2sp.org/signed-note@v1.0.0, c2sp.org/tlog-cosignature@v1.0.0.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from hashlib import sha256
from typing import assert_never

from protech.errors import TrustError

NOTE_BYTES = 256 * 1024
SIGNATURES = 64
"""The standard asks for room for 16; most of ours have an origin's and a few witnesses'."""

KEY_ID_BYTES = 4
PUBLIC_BYTES = 32
TIME_BYTES = 8

LATEST_TIME_S = (1 << 63) - 1

_DASH = "\N{EM DASH}"

Sign = Callable[[bytes], bytes]
VerifySignature = Callable[[bytes, bytes, bytes], bool]
"""Whether a raw public key signed a message: ``protech.signing.verify``."""


class SignatureKind(IntEnum):
    """What a key signs, as its first byte says."""

    ED25519 = 1
    """The text as it is."""
    COSIGNATURE = 4
    """A time and the text: a witness has seen it then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteKey:
    """A public key as notes know it: whose, what it signs, and its 32 raw bytes."""

    name: str = field(repr=False)
    kind: SignatureKind
    public: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a name that no signature line could hold.

        Raises:
            TrustError: The name or the key cannot be.
        """
        if not is_name(self.name) or len(self.public) != PUBLIC_BYTES:
            raise TrustError(
                "A key has a name without spaces and plus signs, and 32 bytes; ask its owner"
                " again."
            )

    @property
    def id(self) -> bytes:
        """The four bytes that tell it from other keys of the same name."""
        prefix = self.name.encode() + b"\n" + bytes([self.kind])
        return sha256(prefix + self.public).digest()[:KEY_ID_BYTES]

    @property
    def text(self) -> str:
        """How people pass it on: name, id and key with plus signs between them."""
        encoded = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{encoded}"


def parse_key(text: str) -> NoteKey:
    """Return the key in what ``NoteKey.text`` gives.

    Raises:
        TrustError: It is none, or of a kind that is not used here.
    """
    name, _, rest = text.strip().partition("+")
    raw = _base64(rest.partition("+")[2])
    try:
        key = NoteKey(name=name, kind=SignatureKind(raw[0]), public=raw[1:])
    except (IndexError, ValueError):
        key = None
    if key is None or key.text != text.strip():
        raise TrustError(
            "That is no public key in the form name+id+key, or not one for Ed25519; ask its"
            " owner again."
        )
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature line: whose key it names, and what the key made."""

    name: str = field(repr=False)
    key_id: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def line(self) -> str:
        """The line, with its end."""
        return f"{_DASH} {self.name} {_encoded(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text, which ends with its last line, and who is said to have signed it."""

    text: str = field(repr=False)
    signatures: tuple[Signature, ...]

    @property
    def content(self) -> bytes:
        """The note as it is written."""
        return (self.text + "\n" + "".join(one.line for one in self.signatures)).encode()

    def of(self, key: NoteKey) -> tuple[Signature, ...]:
        """Return the signatures that name a key."""
        return tuple(
            one for one in self.signatures if (one.name, one.key_id) == (key.name, key.id)
        )


def is_name(name: str) -> bool:
    """Return whether a signature line can hold this name."""
    has_place = not any(letter.isspace() or letter == "+" for letter in name)
    return bool(name) and has_place and name.isprintable()


def parse_note(content: bytes, *, what: str) -> Note:
    """Return a note of whoever's making; nothing in it is verified.

    Args:
        content: The whole note.
        what: Begins the message where it is none.

    Raises:
        TrustError: It is no signed note, or larger than one may be.
    """
    if (reason := _fault(content)) is None:
        text, _, lines = content.decode().rpartition("\n\n")
        signatures = tuple(_signature(line) for line in lines[:-1].split("\n"))
        found = tuple(one for one in signatures if one is not None)
        if len(found) == len(signatures):
            return Note(text=text + "\n", signatures=found)
        reason = "a line below its text is no signature"
    raise TrustError(f"{what} is no signed note: {reason}. Get it again from where it came.")


def _fault(content: bytes) -> str | None:
    """Return what is wrong with a note as a whole."""
    if len(content) > NOTE_BYTES:
        return f"it is larger than {NOTE_BYTES} bytes"
    if any(byte < 0x20 and byte != 0x0A for byte in content):
        return "it holds control characters"
    try:
        _, found, lines = content.decode().rpartition("\n\n")
    except UnicodeDecodeError:
        return "it is not UTF-8"
    if not found or not lines.endswith("\n"):
        return "it has no text, or no signatures"
    if lines.count("\n") > SIGNATURES:
        return f"it has more than {SIGNATURES} signatures"
    return None


def _signature(line: str) -> Signature | None:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != _DASH or not is_name(parts[1]):
        return None
    raw = _base64(parts[2])
    if len(raw) <= KEY_ID_BYTES:
        return None
    return Signature(name=parts[1], key_id=raw[:KEY_ID_BYTES], signature=raw[KEY_ID_BYTES:])


def with_signature(note: Note, key: NoteKey, sign: Sign, *, time_s: int = 0) -> Note:
    """Return the note with the signature of a key at its end, instead of an earlier one.

    Args:
        note: Its text is signed as it is.
        key: The public half of the key that ``sign`` uses.
        sign: Makes the signature of a message.
        time_s: When a cosignature is made, in seconds since 1970.
    """
    match key.kind:
        case SignatureKind.ED25519:
            made = sign(note.text.encode())
        case SignatureKind.COSIGNATURE:
            stamp = time_s.to_bytes(TIME_BYTES)
            made = stamp + sign(cosigned_message(note.text, time_s))
        case _:
            assert_never(key.kind)
    before = note.of(key)
    others = tuple(one for one in note.signatures if one not in before)
    added = Signature(name=key.name, key_id=key.id, signature=made)
    return replace(note, signatures=(*others, added))


def signed_at(
    note: Note, key: NoteKey, verify_signature: VerifySignature, *, what: str
) -> tuple[int, ...]:
    """Return when a key signed a note, once for each signature: 0 where it says no time.

    Nothing, where it did not.

    Raises:
        TrustError: A signature that names the key does not hold; so the whole note does not.
    """
    times = []
    for one in note.of(key):
        time_s = 0
        message, made = note.text.encode(), one.signature
        if key.kind is SignatureKind.COSIGNATURE:
            time_s = int.from_bytes(made[:TIME_BYTES])
            message, made = cosigned_message(note.text, time_s), made[TIME_BYTES:]
        if time_s > LATEST_TIME_S or not verify_signature(key.public, message, made):
            raise TrustError(
                f"{what} bears a signature of a known key that does not hold: it was forged or"
                " changed. Get it again from where it came, and tell its operator."
            )
        times.append(time_s)
    return tuple(times)


def cosigned_message(text: str, time_s: int) -> bytes:
    """Return what a witness signs to say that it has seen a text, and when."""
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _base64(text: str) -> bytes:
    """Return the bytes in canonical base64; nothing where it is not."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""
    return raw if _encoded(raw) == text else b""
