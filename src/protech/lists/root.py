"""What the root of trust must say: who signs with how many keys, which log, which witnesses.

Pure. python-tuf checks that a root is signed by the one before it; these are the rules that
hold for every root of Protech, on the authority's side and on the device's.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from protech.errors import TrustError
from protech.lists.fields import Fields
from protech.lists.trust import NAME

FORMAT_VERSION = 1

EXTENSION = "x-protech"
"""The field of root.json that pins the log and its witnesses."""

LEAST_SIGNATURES = 2
"""No single person can publish a list, or name who may (TUF 6.1: threshold)."""

ROLES = ("root", "targets", "snapshot", "timestamp")

PUBLIC_KEY = re.compile(r"[0-9a-f]{64}")
"""Ed25519 in lowercase hex: one key has one text, so that nobody's counts twice."""

ONLINE_ROLES = frozenset({"snapshot", "timestamp"})
"""Signed by the server's own key, for a short time: they say what is newest, nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Who cosigns checkpoints: the name on its signatures and its raw Ed25519 public key."""

    name: str
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RootExtension:
    """What is pinned with the root: the log, and how many of which witnesses must agree."""

    log_origin: str
    log_key: bytes = field(repr=False)
    witnesses: tuple[Witness, ...]
    quorum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleKeys:
    """Who signs for a role: public keys by key id, and how many of them must."""

    threshold: int
    keys: Mapping[str, str] = field(repr=False)


def check_roles(roles: Mapping[str, RoleKeys]) -> None:
    """Check who signs what: the four roles of TUF, and each authority's own.

    Raises:
        TrustError: One person could sign alone, or a server's key could sign for people.
    """
    if missing := set(ROLES) - set(roles):
        raise TrustError(
            f"The root of trust names no keys for {', '.join(sorted(missing))}; its owners must"
            " publish it again."
        )
    for name, role in roles.items():
        if not all(map(PUBLIC_KEY.fullmatch, role.keys.values())):
            raise TrustError(
                f"A key of the role {name} is none of Ed25519 in lowercase hex; its owners must"
                " publish it again."
            )
    online = {public for name in ONLINE_ROLES for public in roles[name].keys.values()}
    for name, role in roles.items():
        if name not in ONLINE_ROLES:
            _check_people(name, role, online)


def _check_people(name: str, role: RoleKeys, online: set[str]) -> None:
    distinct = set(role.keys.values())
    if len(distinct) != len(role.keys):
        raise TrustError(
            f"The role {name} counts one key twice under two names; name another person's key."
        )
    if role.threshold < LEAST_SIGNATURES:
        raise TrustError(
            f"The role {name} asks for {role.threshold} signature; no one may sign alone: it"
            f" must ask for {LEAST_SIGNATURES} or more."
        )
    if len(distinct) < role.threshold:
        raise TrustError(
            f"The role {name} asks for {role.threshold} signatures of {len(distinct)} keys;"
            " name more keys, or ask for fewer signatures."
        )
    if distinct & online:
        raise TrustError(
            f"The server's key may sign for {name}, too; people's keys are others and offline."
        )


def check_delegation(name: str, paths: Iterable[str] | None, *, is_terminating: bool) -> None:
    """Check that an authority's role is for whole lists by name, and that no other follows it.

    Raises:
        TrustError: Its paths could reach the lists of another.
    """
    given = list(paths or ())
    lists = [path.removesuffix(".*") for path in given]
    is_whole = bool(given) and all(path.endswith(".*") for path in given)
    if not is_whole or not all(map(NAME.fullmatch, [name, *lists])):
        raise TrustError(
            f"The role {name!r} is not delegated lists by their whole names, made of a to z, 0"
            " to 9 and inner hyphens; the repository's owners must publish it again."
        )
    if name in ROLES:
        raise TrustError(
            f"An authority cannot be called {name}, as a role of TUF is; name it otherwise."
        )
    if not is_terminating:
        raise TrustError(
            f"The role {name!r} is not terminating, so that another could speak for it; the"
            " repository's owners must publish it again."
        )


def build_extension(extension: RootExtension) -> dict[str, object]:
    """Return what root.json carries under ``EXTENSION``."""
    return {
        "v": FORMAT_VERSION,
        "log": {"origin": extension.log_origin, "key": _base64(extension.log_key)},
        "witnesses": [
            {"name": witness.name, "key": _base64(witness.key)}
            for witness in extension.witnesses
        ],
        "quorum": extension.quorum,
    }


def parse_extension(value: object) -> RootExtension:
    """Return what root.json pins.

    Raises:
        TrustError: It is not there, or a quorum of different witnesses is not possible.
    """
    fields = Fields(value, "The root of trust")
    fields.version(FORMAT_VERSION)
    log = Fields(fields.take("log"), "The log in the root of trust")
    witnesses = fields.objects("witnesses", "A witness in the root of trust")
    extension = RootExtension(
        log_origin=log.text("origin", longest=200),
        log_key=log.key("key"),
        witnesses=tuple(
            Witness(name=one.text("name", longest=200), key=one.key("key")) for one in witnesses
        ),
        quorum=fields.number("quorum", least=1),
    )
    check_extension(extension)
    return extension


def check_extension(extension: RootExtension) -> None:
    """Check that log and witnesses are different ones, and enough for the quorum.

    Raises:
        TrustError: They are not.
    """
    names = {extension.log_origin, *(witness.name for witness in extension.witnesses)}
    keys = {extension.log_key, *(witness.key for witness in extension.witnesses)}
    expected = len(extension.witnesses) + 1
    if len(names) != expected or len(keys) != expected:
        raise TrustError(
            "The log and its witnesses must have different names and different keys; one that"
            " stands twice would count twice."
        )
    if not is_majority(extension.quorum, of=len(extension.witnesses)):
        raise TrustError(
            f"A quorum of {extension.quorum} of {len(extension.witnesses)} witnesses cannot be:"
            " it must be more than half of them, or each half could be shown another log."
        )


def is_majority(quorum: int, *, of: int) -> bool:
    """Whether no two quorums of so many witnesses are without a witness in common."""
    return of < 2 * quorum <= 2 * of


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
