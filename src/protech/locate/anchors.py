"""Whom this machine trusts for ``locate``: one file that only root can have put there.

No option, variable or setting names another one. Without it there is the lab alone, whose
anchors stand in its own folder and reach no further than ``locate.reach`` says.
"""

import base64
import binascii
import json
import os
import stat
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from protech.errors import AuthorityError, TrustError
from protech.lists.fields import Fields
from protech.lists.seal import check_recipient
from protech.lists.trust import NAME
from protech.locate.adapter import Address
from protech.locate.namespace import require_first_users
from protech.locate.papers import AddressRange, Anchors, ListAnchor, Quorum, StampAuthority
from protech.locate.reach import LAB
from protech.signing import public_text

FORMAT_VERSION = 1

FOLDER = Path("/etc/protech/locate")
FILE = "authority.json"

FILE_BYTES = 1 << 20
LONGEST = 200
OTHERS_WRITE = 0o022

ROOT = 0

FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

REMEDY = "have its authority make the package again"
MISSING = (
    "No authority package is installed on this machine, so that only the lab runs: `protech"
    " locate run --lab`. An authority's package brings"
)


def system_anchors() -> Anchors:
    """Return the anchors of the authority package that root installed.

    Raises:
        AuthorityError: There is none, or others than root could have written it.
        TrustError: It does not hold together.
    """
    require_first_users()
    return parse_anchors(guarded(FOLDER / FILE), is_lab=False)


def lab_anchors(folder: Path) -> Anchors:
    """Return the anchors of a lab, which may send to a lab's addresses alone.

    Raises:
        AuthorityError: There are none.
        TrustError: They do not hold together.
    """
    path = folder / FILE
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES + 1)
    except OSError as refused:
        raise AuthorityError(
            f"The lab's anchors {path} cannot be read: {refused.strerror}; name the folder of a"
            " lab."
        ) from refused
    return parse_anchors(content, is_lab=True)


def guarded(path: Path, *, top: Path = Path("/"), owner: int = ROOT) -> bytes:
    """Return a file that nobody but ``owner`` can have written, nor any folder above it.

    Args:
        path: It, below ``top``; no part of it may be a link.
        top: The first folder that is looked at.
        owner: Who owns all of them.

    Raises:
        AuthorityError: It is not there, or others could have written it.
    """
    descriptor = os.open(top, FLAGS | os.O_DIRECTORY)
    try:
        for part in path.relative_to(top).parts[:-1]:
            _require_owner(descriptor, path, owner)
            descriptor = _into(descriptor, part, path, FLAGS | os.O_DIRECTORY)
        _require_owner(descriptor, path, owner)
        descriptor = _into(descriptor, path.name, path, FLAGS)
        _require_owner(descriptor, path, owner)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise AuthorityError(f"{path} is no file; have the authority package put right.")
        return os.read(descriptor, FILE_BYTES + 1)
    finally:
        os.close(descriptor)


def _into(folder: int, name: str, path: Path, flags: int) -> int:
    """Return the descriptor of what is in a folder, instead of the folder's."""
    try:
        descriptor = os.open(name, flags, dir_fd=folder)
    except FileNotFoundError:
        raise AuthorityError(f"{MISSING} {path}.") from None
    except OSError as refused:
        raise AuthorityError(
            f"The authority package's {path} cannot be read: {refused.strerror}. It and the"
            " folders above it must be root's own, readable, and no links."
        ) from refused
    os.close(folder)
    return descriptor


def _require_owner(descriptor: int, path: Path, owner: int) -> None:
    state = os.fstat(descriptor)
    if state.st_uid != owner or state.st_mode & OTHERS_WRITE:
        raise AuthorityError(
            f"Others than root can write to {path} or to a folder above it, so that anybody"
            " could have named himself an authority there. Have root look at what it says, own"
            " it and all folders above, and take the right to write from group and others."
        )


def parse_anchors(content: bytes, *, is_lab: bool) -> Anchors:
    """Return what an authority package names.

    Raises:
        TrustError: It does not hold together.
    """
    what = "The authority package"
    try:
        if len(content) > FILE_BYTES:
            raise ValueError
        fields = Fields(json.loads(content.decode()), what, remedy=REMEDY)
    except (ValueError, RecursionError):
        raise TrustError(f"{what} is no JSON object; {REMEDY}.") from None
    fields.version(FORMAT_VERSION)
    return Anchors(
        name=fields.text("name", longest=LONGEST),
        is_lab=is_lab,
        authorisations=_quorum(fields, "authorisations"),
        timestamps=_quorum(fields, "timestamps"),
        lists=tuple(
            ListAnchor(
                root_sha256=one.digest("root_sha256"),
                authorities=frozenset(_texts(one, "authorities", is_name)),
            )
            for one in fields.objects("lists", f"{what}'s 'lists'")
        ),
        stamp_authorities=tuple(
            StampAuthority(
                certificate=_der(one),
                url=_url(one, is_lab=is_lab) if one.has("url") else None,
            )
            for one in fields.objects("stamp_authorities", f"{what}'s 'stamp_authorities'")
        ),
        recipients=tuple(_texts(fields, "recipients", is_recipient)),
        observers=tuple(_range(fields, one) for one in _texts(fields, "observers", bool)),
        sources=tuple(_address(fields, one) for one in _texts(fields, "sources", bool)),
    )


def anchors_content(anchors: Anchors) -> bytes:
    """Return what an authority package holds; whether it is a lab's depends on where it is."""
    fields = {
        "v": FORMAT_VERSION,
        "name": anchors.name,
        "authorisations": _quorum_fields(anchors.authorisations),
        "timestamps": _quorum_fields(anchors.timestamps),
        "lists": [
            {"root_sha256": one.root_sha256.hex(), "authorities": sorted(one.authorities)}
            for one in anchors.lists
        ],
        "stamp_authorities": [
            {"certificate": base64.b64encode(one.certificate).decode(), "url": one.url}
            for one in anchors.stamp_authorities
        ],
        "recipients": list(anchors.recipients),
        "observers": list(map(str, anchors.observers)),
        "sources": list(map(str, anchors.sources)),
    }
    return json.dumps(fields, indent=1).encode() + b"\n"


def _quorum_fields(quorum: Quorum) -> dict[str, object]:
    keys = [{"ed25519": public_text(one)} for one in sorted(quorum.keys)]
    return {"threshold": quorum.threshold, "keys": keys}


def _quorum(fields: Fields, key: str) -> Quorum:
    inner = Fields(fields.take(key), f"The authority package's '{key}'", remedy=REMEDY)
    told = inner.objects("keys", f"A key in '{key}'")
    keys = frozenset(one.key("ed25519") for one in told)
    if not keys or len(keys) != len(told):
        raise inner.wrong("names no key, or one twice")
    return Quorum(keys=keys, threshold=inner.number("threshold", least=1, most=len(keys)))


def is_name(text: str) -> bool:
    """Return whether an authority of lists may be called so."""
    return NAME.fullmatch(text) is not None


def is_recipient(text: str) -> bool:
    """Return whether this is an age recipient."""
    try:
        check_recipient(text)
    except TrustError:
        return False
    return True


def _texts(fields: Fields, key: str, is_one: Callable[[str], bool]) -> list[str]:
    value = fields.take(key)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise fields.wrong(f"has no list of texts as '{key}'")
    if not all(map(is_one, value)):
        raise fields.wrong(f"has what cannot stand in '{key}'")
    return value


def _der(fields: Fields) -> bytes:
    value = fields.take("certificate")
    try:
        raw = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (ValueError, binascii.Error):
        raw = b""
    if not raw:
        raise fields.wrong("has no certificate (DER in base64)")
    return raw


def _url(fields: Fields, *, is_lab: bool) -> str:
    """Return where checkpoints are sent to be stamped; those of a lab never leave it."""
    url = fields.text("url", longest=LONGEST)
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if not host or parts.scheme not in {"http", "https"} or parts.port == 0:
            raise ValueError
        if is_lab and not any(ip_address(host) in one for one in LAB):
            raise ValueError
    except ValueError:
        where = " inside the lab, as numbers" if is_lab else ""
        raise fields.wrong(f"has no address of http or https{where} as 'url'") from None
    return url


def _range(fields: Fields, text: str) -> AddressRange:
    try:
        return ip_network(text)
    except ValueError:
        raise fields.wrong("has what is no range of addresses in 'observers'") from None


def _address(fields: Fields, text: str) -> Address:
    try:
        return ip_address(text)
    except ValueError:
        raise fields.wrong("has what is no address in 'sources'") from None
