"""Whether two units work on the same peer, without telling each other their peers.

Each writes a token for every address and day that it saw at level 3 or above; equal tokens are
the same address on the same day. Nothing here sends anything: an operator reads the preview,
saves the file, and passes it on, or not.

What it does not hide: how many tokens there are, all days together; and from whoever has the
shared key, an address that they try. There are only 2^32 IPv4 addresses, so a token costs about
a twentieth of a second to make (scrypt): trying all for one day takes a processor years, trying
one does not. The key is for partners who would be told the address if they asked.
Source: research on de-confliction; RFC 7914 (scrypt).
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from protech.errors import ConfigError
from protech.lists.fields import Fields
from protech.locate.adapter import Address
from protech.locate.place import plain_address

FORMAT_VERSION = 1
KIND = "locate-deconfliction"

KEY_BYTES = 32
TOKEN_BYTES = 16
PEERS = 20_000
"""Addresses and days of one file: a quarter of an hour to make."""
FILE_BYTES = 2 * 1024 * 1024

SCRYPT_N = 1 << 13
SCRYPT_R = 8

Seen = tuple[date, Address]
"""An address on a day, by UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A file for a partner, and which token in it is whose; that stays here."""

    content: bytes = field(repr=False)
    tokens: Mapping[bytes, Seen] = field(repr=False)

    @property
    def preview(self) -> str:
        """What a person reads before the file is saved: it goes as it is shown."""
        days: dict[date, int] = {}
        for day, _ in self.tokens.values():
            days[day] = days.get(day, 0) + 1
        lines = [f"{day.isoformat()}  {count} peers" for day, count in sorted(days.items())]
        return "\n".join(
            [
                f"This tells whoever has the shared key that you saw {len(self.tokens)} peers,",
                "counted anew each day, and of each address and day that they try, whether it",
                "is among them. The days are:",
                *lines,
                f"{len(self.content)} bytes, SHA-256",
                hashlib.sha256(self.content).hexdigest(),
            ]
        )


def make_export(seen: Iterable[Seen], key: bytes) -> Export:
    """Return the file that says whom a unit saw, in tokens under a key it shares.

    Args:
        seen: Addresses of level 3 and above, and their days.
        key: 32 secret bytes that the partners agreed on, for this purpose alone.

    Raises:
        ConfigError: They are too many for one file, or the key is none.

    Cost: a twentieth of a second for each.
    """
    _check(key)
    distinct = sorted({(day, plain_address(address)) for day, address in seen}, key=_order)
    if len(distinct) > PEERS:
        raise ConfigError(
            f"{len(distinct)} peers are more than the {PEERS} of one file; choose fewer days."
        )
    tokens = {_token(one, key): one for one in distinct}
    content = {
        "v": FORMAT_VERSION,
        "kind": KIND,
        "key": _key_id(key).hex(),
        "tokens": sorted(token.hex() for token in tokens),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return Export(content=text.encode(), tokens=tokens)


def overlap(ours: Export, theirs: bytes, key: bytes) -> list[Seen]:
    """Return whom both units saw, by day.

    Raises:
        TrustError: Theirs is no such file, or was made under another key.
    """
    _check(key)
    found = _parse(theirs, key)
    return sorted((one for token, one in ours.tokens.items() if token in found), key=_order)


def _parse(content: bytes, key: bytes) -> set[bytes]:
    what = "The file of the partner"
    remedy = "ask them to make it again"
    try:
        value = json.loads(content) if len(content) <= FILE_BYTES else None
    except (ValueError, RecursionError):
        value = None
    fields = Fields(value, what, remedy=remedy)
    fields.version(FORMAT_VERSION)
    tokens = fields.take("tokens")
    if fields.take("kind") != KIND or not isinstance(tokens, list) or len(tokens) > PEERS:
        raise fields.wrong("is no list of tokens")
    if fields.take("key") != _key_id(key).hex():
        raise fields.wrong("was made under another key than yours")
    try:
        found = {bytes.fromhex(one) for one in tokens}
    except (TypeError, ValueError):
        found = {b""}
    if any(len(one) != TOKEN_BYTES for one in found):
        raise fields.wrong("has a token that is none")
    return found


def _token(one: Seen, key: bytes) -> bytes:
    day, address = one
    salt = hmac.digest(key, b"day " + day.isoformat().encode(), "sha256")
    return hashlib.scrypt(
        address.packed, salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=1, dklen=TOKEN_BYTES
    )


def _key_id(key: bytes) -> bytes:
    return hmac.digest(key, b"which key", "sha256")[:4]


def _check(key: bytes) -> None:
    if len(key) != KEY_BYTES:
        raise ConfigError(f"A key that partners share has {KEY_BYTES} bytes; agree on one.")


def _order(one: Seen) -> tuple[date, int, int]:
    day, address = one
    return day, address.version, int(address)
