"""The keys of lists: people's, a server's and witnesses' to sign, a device's to read.

A signing key is two files: the secret one (PEM, 0600, with a passphrase or without) and beside
it the public one (``.pub``, JSON), which is passed on. A device's key is an age identity, as
``age-keygen`` writes it. No key is ever overwritten.
"""

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from securesystemslib.signer import Signature, Signer, SSlibKey

from protech.errors import ConfigError, TrustError
from protech.lists.seal import new_identity, recipient_of
from protech.settings import private_directory
from protech.signing import Key, parse_public, public_text, write_new

FORMAT_VERSION = 1

PUBLIC_SUFFIX = ".pub"
FILE_BYTES = 16 * 1024
OTHERS = 0o077

IDENTITY = "AGE-SECRET-KEY-"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """Whose key it is, as they call themselves, and its 32 raw bytes (Ed25519)."""

    name: str
    public: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """What TUF knows it by; the same key has the same id whatever its owner's name."""
        return key_id(self.public)

    @property
    def fingerprint(self) -> str:
        """What two people read to each other to see that they mean the same key."""
        return fingerprint(self.public)


def fingerprint(public: bytes) -> str:
    """Return 128 bits of a key's id, in groups that can be read out."""
    digits = key_id(public)[:32]
    return " ".join(digits[i : i + 4] for i in range(0, 32, 4))


def make_key(path: Path, *, name: str, passphrase: str | None = None) -> PublicKey:
    """Make a key at ``path``, its public half beside it, and return that.

    Raises:
        ConfigError: Something is there already, it cannot be written, or the name cannot be.
    """
    if not is_key_name(name):
        raise ConfigError(
            "A key's name is 1 to 100 printable characters without spaces and plus signs."
        )
    if public_path(path).exists():
        raise ConfigError(
            f"There is something at {public_path(path)} already, and a key is never"
            " overwritten; name another file."
        )
    key = Key.generate()
    key.save(path, passphrase=passphrase)
    made = PublicKey(name=name, public=key.public)
    write_new(public_path(path), public_json(made).encode(), mode=0o644)
    return made


def is_key_name(name: str) -> bool:
    """Whether a key may be called so: signed notes end a name at a space or plus sign."""
    has_gap = any(letter.isspace() or letter == "+" for letter in name)
    return 0 < len(name) <= 100 and name.isprintable() and not has_gap


def public_path(path: Path) -> Path:
    """Return where the public half of the key at ``path`` stands."""
    return path.with_name(path.name + PUBLIC_SUFFIX)


def public_json(key: PublicKey) -> str:
    """Return a public key as it is passed on."""
    fields = {"v": FORMAT_VERSION, "name": key.name, "ed25519": public_text(key.public)}
    return json.dumps(fields) + "\n"


def read_public(path: Path) -> PublicKey:
    """Return the public key in a file.

    Raises:
        ConfigError: It cannot be read, or is none.
    """
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES)
    except OSError as refused:
        raise ConfigError(
            f"The public key {path} cannot be read: {refused.strerror}; check its path."
        ) from refused
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError):
        fields = None
    name = fields.get("name") if isinstance(fields, Mapping) else None
    known = isinstance(fields, Mapping) and fields.get("v") == FORMAT_VERSION
    if not known or not isinstance(name, str) or not is_key_name(name):
        raise ConfigError(
            f"The file {path} is no public key; name the file that ends with {PUBLIC_SUFFIX}"
            " and was made together with the key."
        )
    return PublicKey(name=name, public=parse_public(str(fields.get("ed25519"))))


def key_id(public: bytes) -> str:
    """Return the id of a key in TUF's metadata: SHA-256 of it in canonical JSON.

    Source: The Update Framework 1.0.31, section 4.2.
    """
    content = {"keytype": "ed25519", "keyval": {"public": public.hex()}, "scheme": "ed25519"}
    return sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()


def tuf_key(public: bytes) -> SSlibKey:
    """Return a public key as TUF's metadata holds it."""
    return SSlibKey(key_id(public), "ed25519", "ed25519", {"public": public.hex()})


class KeySigner(Signer):
    """Signs TUF's metadata with a key of ours."""

    def __init__(self, key: Key) -> None:
        """Take the key."""
        self._key = key

    @property
    def public_key(self) -> SSlibKey:
        """Its public half."""
        return tuf_key(self._key.public)

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: object, secrets_handler: object = None
    ) -> "KeySigner":
        """Refuse: keys are named by their files."""
        raise NotImplementedError

    def sign(self, payload: bytes) -> Signature:
        """Return the signature of these bytes."""
        return Signature(key_id(self._key.public), self._key.sign(payload).hex())


def make_device_key(path: Path) -> str:
    """Make a device's key at ``path`` unless one is there; return its recipient's text.

    Raises:
        ConfigError: It cannot be read or written.
        TrustError: Others can read it or enter its directory, or it is none.
    """
    private_directory(path.parent)
    if not path.exists():
        identity = new_identity()
        write_new(path, f"# public key: {recipient_of(identity)}\n{identity}\n".encode())
    return recipient_of(device_identity(path))


def device_identity(path: Path) -> str:
    """Return the secret identity in a device's key.

    Raises:
        ConfigError: There is no such file, or it cannot be read.
        TrustError: Others can read it, or it is none.
    """
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            content = file.read(FILE_BYTES)
    except OSError as refused:
        raise ConfigError(
            f"The device's key {path} cannot be read: {refused.strerror}; make one with"
            " `protech lists keys device`."
        ) from refused
    if state.st_uid not in {0, os.getuid()} or stat.S_IMODE(state.st_mode) & OTHERS:
        raise TrustError(
            f"Others can read the device's key {path}; where you know that nobody has, run:"
            f" chmod 600 {path}. Otherwise make another one and have the device enrolled anew."
        )
    lines = content.decode(errors="replace").splitlines()
    found = [line.strip() for line in lines if line.startswith(IDENTITY)]
    if len(found) != 1:
        raise TrustError(
            f"The file {path} is no device's key; restore its copy, or make another one and"
            " have the device enrolled again."
        )
    recipient_of(found[0])
    return found[0]
