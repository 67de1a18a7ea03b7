"""Keys that never leave their token: operators sign and agree on secrets with them (PKCS#11).

The only door to python-pkcs11. Source: PKCS #11 version 2.40, base and current mechanisms; the
keys are on P-256. Whether a token is one of hardware, its issuer knows and no program.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, cast

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import PKCS11Error
from pkcs11.mechanisms import KDF
from pkcs11.util.ec import encode_named_curve_parameters

from protech.errors import AuthorityError, ConfigError

SECRET_BYTES = 32
POINT = 0x04
POINT_BYTES = 65

CURVE = "secp256r1"

ABSENT = (
    "Look whether it is plugged in and its module is the right one: `pkcs11-tool --module"
    " MODULE --list-token-slots` shows what there is."
)


class Token:
    """A token that is open, until ``close`` or the end of its ``with``."""

    def __init__(self, session: "pkcs11.Session", pin: str | None) -> None:
        """Take a session; ``open`` makes one."""
        self._session = session
        self._pin = pin

    def __repr__(self) -> str:
        return "Token()"

    @classmethod
    def open(
        cls, module: Path, label: str, pin: str | None, *, may_make_keys: bool = False
    ) -> "Token":
        """Open a token by its label.

        Args:
            module: The PKCS#11 library of its maker.
            label: What the token is called.
            pin: Its user's PIN, kept for keys that ask for it each time; None where the reader
                has keys of its own to enter it.
            may_make_keys: Whether ``make_key`` will be asked for.

        Raises:
            ConfigError: There is no such module or token.
            AuthorityError: The PIN is wrong, or the token locked.
        """
        with _explained(f"The token {label} cannot be opened"):
            library = pkcs11.lib(str(module))
            token = library.get_token(token_label=label)
            entered = pkcs11.PROTECTED_AUTH if pin is None else pin
            return cls(token.open(rw=may_make_keys, user_pin=entered), pin)

    def close(self) -> None:
        """End the session: the token wants its PIN again."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def key(self, label: str) -> "TokenKey":
        """Return the key pair of a label.

        Raises:
            ConfigError: There is none on P-256.
        """
        with _explained(f"The key {label} cannot be found in the token"):
            private = self._session.get_key(
                object_class=ObjectClass.PRIVATE_KEY, key_type=KeyType.EC, label=label
            )
            public = self._session.get_key(
                object_class=ObjectClass.PUBLIC_KEY, key_type=KeyType.EC, label=label
            )
            point = _point(public[Attribute.EC_POINT])
            asks = private[Attribute.ALWAYS_AUTHENTICATE]
            return TokenKey(cast(_Private, private), point, self._pin if asks else None)

    def public_key(self, label: str) -> bytes:
        """Return the public half of a key: 65 bytes, uncompressed (SEC 1, 2.3.3).

        Raises:
            ConfigError: There is none on P-256.
        """
        return self.key(label).public

    def make_key(self, label: str, *, asks_each_time: bool = False) -> "TokenKey":
        """Make a key pair that never leaves the token; it signs, and agrees on secrets.

        Args:
            label: What it is called.
            asks_each_time: Whether the token asks for the PIN at each signature.

        Raises:
            ConfigError: There is one of that label already, or the token refuses.
        """
        with _explained(f"The key {label} cannot be made in the token"):
            if next(iter(self._session.get_objects({Attribute.LABEL: label})), None):
                raise ConfigError(
                    f"The token has a key {label} already, and none is ever replaced; name"
                    " another one."
                )
            parameters = self._session.create_domain_parameters(
                KeyType.EC,
                {Attribute.EC_PARAMS: encode_named_curve_parameters(CURVE)},
                local=True,
            )
            parameters.generate_keypair(
                store=True,
                label=label,
                private_template={
                    Attribute.SENSITIVE: True,
                    Attribute.EXTRACTABLE: False,
                    Attribute.SIGN: True,
                    Attribute.DERIVE: True,
                    Attribute.ALWAYS_AUTHENTICATE: asks_each_time,
                },
            )
        return self.key(label)


class _Private(Protocol):
    """What a private key's handle does, which python-pkcs11 puts together as it runs."""

    def sign(self, data: bytes, *, mechanism: Mechanism, pin: str | None) -> bytes: ...

    def derive_key(
        self,
        key_type: KeyType,
        key_length: int,
        *,
        mechanism: Mechanism,
        mechanism_param: object,
        store: bool,
        template: Mapping[Attribute, bool],
    ) -> Mapping[Attribute, bytes]: ...


class TokenKey:
    """A key pair in an open token; a ``documents.Signer``."""

    def __init__(self, private: _Private, public: bytes, pin: str | None) -> None:
        """Take a private key's handle and its public half; ``Token.key`` finds them."""
        self._private = private
        self._public = public
        self._pin = pin

    def __repr__(self) -> str:
        return "TokenKey()"

    @property
    def public(self) -> bytes:
        """The public half: 65 bytes, uncompressed."""
        return self._public

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of an ECDSA signature with SHA-256, both numbers in turn.

        Raises:
            ConfigError: The token refuses.
        """
        with _explained("The token did not sign"):
            digest = hashlib.sha256(message).digest()  # tokens know CKM_ECDSA, not all the rest
            signed = self._private.sign(digest, mechanism=Mechanism.ECDSA, pin=self._pin)
            return bytes(signed)

    def agree(self, peer: bytes) -> bytes:
        """Return the 32 secret bytes that this key and another's public half have in common.

        They are the x coordinate as it is (SEC 1, 3.3.1): a key is derived from it, with HKDF
        for instance, before it is used.

        Raises:
            ValueError: That is no point of 65 bytes.
            ConfigError: The token refuses, as it does where the point is not on the curve.
        """
        if len(peer) != POINT_BYTES or peer[0] != POINT:
            raise ValueError("a public key on P-256 is 65 bytes, uncompressed")
        with _explained("The token did not agree on a secret"):
            secret = self._private.derive_key(
                KeyType.GENERIC_SECRET,
                SECRET_BYTES * 8,
                mechanism=Mechanism.ECDH1_DERIVE,
                mechanism_param=(KDF.NULL, None, peer),
                store=False,
                template={Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True},
            )
            return bytes(secret[Attribute.VALUE])


def _point(encoded: bytes) -> bytes:
    """Return a point as it is, out of the octet string that PKCS#11 keeps it in."""
    point = encoded[2:] if len(encoded) == POINT_BYTES + 2 else encoded
    if len(point) != POINT_BYTES or point[0] != POINT:
        raise ConfigError(
            "That key of the token is none on P-256; name another one, or have one made."
        )
    return point


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn what PKCS#11 raises into what a person can act on; no PIN is in it."""
    try:
        yield
    except (
        pkcs11.exceptions.PinIncorrect,
        pkcs11.exceptions.PinInvalid,
        pkcs11.exceptions.PinLenRange,
        pkcs11.exceptions.PinLocked,
    ) as refused:
        is_locked = isinstance(refused, pkcs11.exceptions.PinLocked)
        raise AuthorityError(
            f"{what}: its PIN is "
            + ("locked; have its issuer unlock it." if is_locked else "another one; try again.")
        ) from None
    except pkcs11.exceptions.NoSuchKey:
        raise ConfigError(
            f"{what}: it has none. `pkcs11-tool --module MODULE --list-objects` shows what it"
            " has."
        ) from None
    except (PKCS11Error, RuntimeError, OSError) as refused:
        raise ConfigError(f"{what} ({type(refused).__name__}). {ABSENT}") from None
