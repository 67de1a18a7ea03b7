"""The one key of a case: wrapped to those who may open it, and destroyed when the law says so.

``key.json`` holds the 32 bytes encrypted to the authority's age keys, and to the key of each
operator's token: an agreement (ECDH on P-256) of a pair that is drawn for it with the token's,
HKDF with SHA-256, and ChaCha20-Poly1305. Everything that a case keeps is under keys derived
from it, so without these wraps nothing of the case can be read again by anybody.
"""

import base64
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from protech.errors import ConfigError, TrustError
from protech.evidence.canonical import canonical
from protech.evidence.ciphers import KEY_BYTES, Agreement, Cipher, derive
from protech.lists.logbook import read_file
from protech.lists.note import Note, NoteKey, Sign, with_signature
from protech.lists.seal import seal, unseal
from protech.settings import settle, write_private
from protech.signing import write_new

FORMAT_VERSION = 1

KEY = "key.json"
DESTROYED = "key-destroyed"
"""The public note that takes its place."""

FILE_BYTES = 1 << 20
TOKENS = 64
REASON_CHARACTERS = 1000

Agree = Callable[[bytes], bytes]
"""What a token computes with a point of P-256 (65 bytes): the 32 bytes of the agreement."""

_PURPOSE = "protech case key v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenWrap:
    """The key as one token opens it."""

    public: bytes = field(repr=False)
    """The token's point."""
    ephemeral: bytes = field(repr=False)
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wraps:
    """All that ``key.json`` holds; ``check`` tells the right key from another."""

    case: str
    check: bytes = field(repr=False)
    age: bytes = field(repr=False)
    """Nothing, where there is no recipient."""
    tokens: tuple[TokenWrap, ...]


def create(
    directory: Path, *, case: str, recipients: Sequence[str], tokens: Sequence[bytes] = ()
) -> bytes:
    """Draw the key of a new case, write its wraps to ``key.json``, and return it.

    Args:
        directory: The case's.
        case: Its name, which every wrap is bound to.
        recipients: The authority's age recipients.
        tokens: The public points (65 bytes) of operators' tokens.

    Raises:
        ConfigError: There is a key already, or nobody could open it, or it cannot be written.
        TrustError: A recipient or a point is none.
    """
    if not recipients and not tokens:
        raise ConfigError(
            "A case's key is wrapped to its authority and operators; name one of them at least."
        )
    data_key = os.urandom(KEY_BYTES)
    fields = {
        "age": base64.b64encode(_sealed(data_key, recipients)).decode() if recipients else None,
        "case": case,
        "check": _check(data_key, case).hex(),
        "tokens": [_token_fields(data_key, case, public) for public in tokens],
        "v": FORMAT_VERSION,
    }
    write_new(directory / KEY, canonical(fields))
    settle(directory)
    return data_key


def read_wraps(directory: Path) -> Wraps:
    """Return the wraps of a case's key; ``public`` of each tells which token is asked.

    Raises:
        ConfigError: There is none any more, or it cannot be read.
        TrustError: It was changed.
    """
    content = read_file(directory / KEY, most=FILE_BYTES)
    if content is None:
        state = "was destroyed" if (directory / DESTROYED).exists() else "is not there"
        raise ConfigError(
            f"The key of the case {state}: its records cannot be read. That they were not"
            " changed can still be checked."
        )
    try:
        return _parsed(json.loads(content))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise TrustError(
            "The key of the case was changed, or is of another version; put back its copy."
        ) from None


def open_with_identity(wraps: Wraps, identity: str) -> bytes:
    """Return the key of a case with an age identity of its authority.

    Raises:
        TrustError: It is not wrapped to it, or was changed.
    """
    out = io.BytesIO()
    try:
        unseal(io.BytesIO(wraps.age), out, identity)
    except TrustError as refused:
        raise _not_for("this identity") from refused
    return _checked(out.getvalue(), wraps, "this identity")


def open_with_token(wraps: Wraps, public: bytes, agree: Agree) -> bytes:
    """Return the key of a case with an operator's token.

    Args:
        wraps: What ``read_wraps`` gave.
        public: The token's point, 65 bytes.
        agree: Asks the token.

    Raises:
        TrustError: It is not wrapped to it, or was changed.
    """
    for wrap in wraps.tokens:
        if wrap.public == public:
            shared = agree(wrap.ephemeral)
            try:
                opened = _token_cipher(shared, wrap.ephemeral, public).open(
                    wrap.sealed, wraps.case.encode()
                )
            except TrustError as refused:
                raise _not_for("this token") from refused
            return _checked(opened, wraps, "this token")
    raise _not_for("this token")


def add_token(directory: Path, data_key: bytes, public: bytes) -> None:
    """Wrap the key of a case to one token more, in place of an earlier wrap to it.

    Raises:
        ConfigError: It cannot be read or written.
        TrustError: The point is none, or ``data_key`` is another case's.
    """
    wraps = read_wraps(directory)
    _checked(data_key, wraps, "this key")
    fields = json.loads((directory / KEY).read_bytes())
    kept = [one for one in fields["tokens"] if one["public"] != public.hex()]
    fields["tokens"] = [*kept, _token_fields(data_key, wraps.case, public)]
    write_private(directory / KEY, canonical(fields))
    settle(directory)


def destroy(directory: Path, *, reason: str, now: datetime, key: NoteKey, sign: Sign) -> bytes:
    """Destroy the key of a case; return the signed note that says so, which takes its place.

    The file is overwritten, then removed. What that cannot reach: copies of ``key.json`` made
    before, and what a solid-state disk or a snapshot kept of it; the note says so. After a kill
    it can be called again.

    Args:
        directory: The case's.
        reason: By which decision, one line of at most 1,000 characters; it is public.
        now: The time.
        key: The log's key, under which the note is signed.
        sign: Signs with it.

    Raises:
        ConfigError: It cannot be written, was destroyed before, or the reason is none.
    """
    if not reason.isprintable() or not 0 < len(reason) <= REASON_CHARACTERS:
        raise ConfigError("Why a key is destroyed is said in one line; give a decision.")
    if (directory / DESTROYED).exists():
        raise ConfigError("The key of this case was destroyed before; there is a note of it.")
    try:
        _overwrite(directory / KEY)
    except OSError as refused:
        raise ConfigError(
            f"The key of the case cannot be overwritten: {refused.strerror}; make the directory"
            " yours. It is not destroyed yet."
        ) from refused
    at = now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    text = (
        "The key of this case was destroyed.\n"
        f"{key.name}\n{at}\n{reason}\n"
        "Its records cannot be read any more; its leaves and checkpoints can be checked.\n"
        "Copies of the key that were made elsewhere, or kept by the disk, are not reached.\n"
    )
    note = with_signature(Note(text=text, signatures=()), key, sign).content
    write_private(directory / DESTROYED, note)
    settle(directory)
    return note


def _overwrite(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        os.pwrite(descriptor, os.urandom(os.fstat(descriptor).st_size), 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    path.unlink()
    settle(path.parent)


def _sealed(data_key: bytes, recipients: Sequence[str]) -> bytes:
    out = io.BytesIO()
    seal(io.BytesIO(data_key), out, recipients)
    return out.getvalue()


def _token_fields(data_key: bytes, case: str, public: bytes) -> dict[str, str]:
    pair = Agreement()
    cipher = _token_cipher(pair.agree(public), pair.public, public)
    return {
        "ephemeral": pair.public.hex(),
        "public": public.hex(),
        "sealed": cipher.seal(data_key, case.encode()).hex(),
    }


def _token_cipher(shared: bytes, ephemeral: bytes, public: bytes) -> Cipher:
    return Cipher(derive(shared, purpose=_PURPOSE, salt=ephemeral + public))


def _check(data_key: bytes, case: str) -> bytes:
    return derive(data_key, purpose=f"{_PURPOSE} check", salt=case.encode())


def _checked(data_key: bytes, wraps: Wraps, what: str) -> bytes:
    if len(data_key) != KEY_BYTES or _check(data_key, wraps.case) != wraps.check:
        raise _not_for(what)
    return data_key


def _not_for(what: str) -> TrustError:
    return TrustError(
        f"The key of the case is not wrapped to {what}, or was changed; ask the case's"
        " authority, which can open it."
    )


def _parsed(fields: Mapping[str, object]) -> Wraps:
    tokens, age, case = fields["tokens"], fields["age"], fields["case"]
    is_known = fields["v"] == FORMAT_VERSION and isinstance(case, str)
    if not is_known or not isinstance(tokens, list) or len(tokens) > TOKENS:
        raise ValueError("another version")
    names = ("public", "ephemeral", "sealed")
    return Wraps(
        case=str(case),
        check=bytes.fromhex(str(fields["check"])),
        age=b"" if age is None else base64.b64decode(str(age), validate=True),
        tokens=tuple(
            TokenWrap(**{name: bytes.fromhex(one[name]) for name in names}) for one in tokens
        ),
    )
