"""The signed list of fetch keys on this device: opened once all that vouches for it holds."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from typing import BinaryIO

from protech.errors import AuthorityError, TrustError
from protech.lists.device import DeviceLists
from protech.lists.entries import Use
from protech.lists.fetch_keys import read_header
from protech.lists.pinned import Pinned
from protech.lists.shelf import HeldList
from protech.lists.trust import TargetKind
from protech.locate.papers import Anchors, ListFacts
from protech.locate.rules import unanchored

CHUNK_BYTES = 1 << 20


@contextmanager
def open_locate_list(
    name: str, anchors: Anchors, device: DeviceLists, *, now: datetime
) -> Iterator[tuple[ListFacts, BinaryIO]]:
    """Give what is known of a list, and its plain content at its first byte.

    The content is read with ``lists.fetch_keys``; its digest was checked. A stale list is not
    opened: what is not vouched for today names nobody.

    Args:
        name: As `protech lists show` prints it.
        anchors: Whose lists count.
        device: Where `protech lists sync` put it.
        now: For what expires.

    Raises:
        AuthorityError: It is stale, or of a repository that the anchors do not name.
        SourceError: There is no such list here.
        TrustError: It is not for locate, was damaged, or its signatures do not hold.
        ConfigError: It cannot be read, or memory not be locked.
    """
    with device.opened(name, Use.LOCATE, kind=TargetKind.FETCH_KEYS) as (held, descriptor):
        facts = list_facts(held, device, now=now)
        if fault := unanchored(anchors, facts):
            raise AuthorityError(f"{fault} No packet was sent.")
        with _as_checked(descriptor, held) as file:
            header = read_header(file)
            told = (header.name, header.version, header.issuer)
            if told != (facts.name, facts.version, facts.issuer):
                raise TrustError(
                    f"The list {name} calls itself otherwise than what was signed; tell its"
                    " authority."
                )
            file.seek(0)
            yield facts, file


@contextmanager
def _as_checked(descriptor: int, held: HeldList) -> Iterator[BinaryIO]:
    """Give the content at its first byte, out of the reach of who owns the list's file.

    A list that is sealed is in memory already.
    """
    if held.target.is_sealed:
        with os.fdopen(os.dup(descriptor), "rb") as file:
            file.seek(0)
            yield file
        return
    with os.fdopen(os.memfd_create("protech", os.MFD_CLOEXEC), "w+b") as copy:
        digest, at = sha256(), 0
        while at <= held.target.size_bytes and (chunk := os.pread(descriptor, CHUNK_BYTES, at)):
            digest.update(chunk)
            copy.write(chunk)
            at += len(chunk)
        if digest.digest() != held.target.sha256:
            raise TrustError(
                f"The list {held.name} was changed while it was read; find out by whom, and run"
                " `protech lists sync`."
            )
        copy.seek(0)
        yield copy


def list_facts(held: HeldList, device: DeviceLists, *, now: datetime) -> ListFacts:
    """Return what signatures show of a list that this device holds.

    Raises:
        AuthorityError: It is stale.
        TrustError: A signature does not hold.
    """
    from protech.lists.repository.standing import standing  # tuf: a tenth of a second

    if held.is_stale(now):
        raise AuthorityError(
            f"The list {held.name} is stale: nobody vouches for it today. Run `protech lists"
            " sync`, or ask its authority for a newer one. No packet was sent."
        )
    pinned = _repository(held, device)
    known = standing(pinned.metadata, pinned.root, held.target, now=now)
    target = held.target
    return ListFacts(
        name=target.name,
        version=target.version,
        sha256=target.sha256,
        uses=target.uses,
        issuer=target.issuer,
        legal_basis=target.legal_basis,
        authority=known.authority,
        root_sha256=known.root_sha256,
        signers=known.signers,
        speakers=known.speakers,
        fresh_until=min(known.fresh_until, held.fresh_until),
    )


def _repository(held: HeldList, device: DeviceLists) -> Pinned:
    for pinned in device.repositories():
        if pinned.folder in held.path.parents:
            return pinned
    raise TrustError(
        f"The list {held.name} is in no repository that this device trusts; run `protech lists"
        " sync` again."
    )
