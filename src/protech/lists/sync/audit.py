"""Looks a repository through from end to end, as an auditor or a witness would.

It needs no recipient's key: signatures, thresholds, the log, its witnesses and the hash of each
file are open to all. Nothing of this device's own lists is read or changed.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from protech.errors import ProtechError, TrustError
from protech.lists.checkpoint import Checkpoint, log_key, verify, verify_log, witness_key
from protech.lists.clock import Clock, utc_now
from protech.lists.log import LOG_BYTES, lines, parse_leaf, require, verified
from protech.lists.note import NOTE_BYTES
from protech.lists.root import RoleKeys, RootExtension
from protech.lists.sync.address import address_of
from protech.lists.sync.fetch import Fetcher
from protech.lists.sync.history import CHECKPOINT, ENTRIES
from protech.lists.sync.remote import Offer, Pins, Remote
from protech.lists.trust import newest
from protech.signing import verify as verify_signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at: whether it holds, and what was found or is wrong."""

    what: str
    holds: bool
    found: str


class Audit:
    """One audit of one repository; ``note`` is its checkpoint, once that was fetched."""

    def __init__(
        self,
        place: str,
        *,
        root: bytes,
        earlier: bytes | None = None,
        has_targets: bool = True,
        clock: Clock = utc_now,
    ) -> None:
        """Take what is to be looked at.

        Args:
            place: Its web address or a directory.
            root: The root of trust, got by another way.
            earlier: A checkpoint that this log was seen with before.
            has_targets: Whether every file is fetched and hashed.
            clock: Tells the time.

        Raises:
            ConfigError: The place is none.
        """
        self._address = address_of(place)
        self._root = root
        self._earlier = earlier
        self._has_targets = has_targets
        self._clock = clock
        self._leaves: list[bytes] | None = None
        self.note: bytes | None = None

    def checks(self) -> Iterator[Check]:
        """Yield one thing after the other; what rests on one that fails is left out.

        Raises:
            ConfigError: There is no room for what is fetched.
        """
        with tempfile.TemporaryDirectory(prefix="protech-") as folder:
            metadata, coming = Path(folder) / "metadata", Path(folder) / "coming"
            for each in (metadata, coming):
                each.mkdir()
            yield from self._remote(metadata, coming)

    def _remote(self, metadata: Path, coming: Path) -> Iterator[Check]:
        try:
            remote = Remote(
                metadata=metadata,
                coming=coming,
                address=self._address,
                root=self._root,
                fetcher=Fetcher(coming),
            )
            pins = remote.refresh()
        except ProtechError as wrong:
            yield _wrong("signed metadata", wrong)
            return
        yield _right("signed metadata", f"root {pins.version}, signed as it asks for")
        for role, signers in remote.signers().items():
            yield _right(f"keys of {role}", _keys(signers))
        for role, at in remote.expiries().items():
            yield _right(f"expiry of {role}", f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
        yield from self._log(remote, pins)
        yield from self._lists(remote)

    def _log(self, remote: Remote, pins: Pins) -> Iterator[Check]:
        """Yield what holds of the log; where all of it does, its leaves count for the lists."""
        pinned = pins.extension
        what = "log"
        try:
            self.note = note = remote.file(CHECKPOINT, most_bytes=NOTE_BYTES)
            key = log_key(pinned.log_origin, pinned.log_key)
            checkpoint = verify_log(note, log_key=key, verify_signature=verify_signature)
            yield _right(what, f"{checkpoint.size} leaves, signed by {pinned.log_origin}")
            what = "witnesses"
            self._verify(note, pinned)
            yield _right(what, f"{pinned.quorum} or more of {len(pinned.witnesses)} cosigned")
            what = "leaves"
            entries = lines(remote.file(ENTRIES, most_bytes=LOG_BYTES))
            leaves = verified(entries, checkpoint, None)
            yield _right(what, "those that the checkpoint was signed for")
            if self._earlier is not None:
                what = "past of the log"
                before = self._before(pinned)
                verified(entries, checkpoint, before)
                yield _right(what, f"begins with the {before.size} leaves seen before")
            what = "versions"
            yield _right(what, _versions(leaves))
            self._leaves = leaves
        except ProtechError as wrong:
            yield _wrong(what, wrong)

    def _verify(self, note: bytes, pinned: RootExtension) -> None:
        verify(
            note,
            log_key=log_key(pinned.log_origin, pinned.log_key),
            witnesses=[witness_key(one.name, one.key) for one in pinned.witnesses],
            quorum=pinned.quorum,
            now=self._clock(),
            verify_signature=verify_signature,
        )

    def _before(self, pinned: RootExtension) -> Checkpoint:
        return verify_log(
            self._earlier or b"",
            log_key=log_key(pinned.log_origin, pinned.log_key),
            verify_signature=verify_signature,
        )

    def _lists(self, remote: Remote) -> Iterator[Check]:
        for authority in remote.delegations().values():
            what = f"authority {authority.name}"
            try:
                offers = remote.offers(authority)
            except ProtechError as wrong:
                yield _wrong(what, wrong)
                continue
            yield _right(what, f"{len(offers)} files, signed as its role asks for")
            for name in sorted({offer.target.name for offer in offers}):
                ones = [offer for offer in offers if offer.target.name == name]
                yield self._list(remote, ones)

    def _list(self, remote: Remote, offers: list[Offer]) -> Check:
        name = offers[0].target.name
        try:
            best = newest(offer.target for offer in offers)
            if self._leaves is not None:
                require(self._leaves, [offer.target for offer in offers])
            for offer in offers if self._has_targets else ():
                with remote.downloaded(offer):
                    pass
        except ProtechError as wrong:
            return _wrong(f"list {name}", wrong)
        if best is None:
            return Check(what=f"list {name}", holds=False, found="no whole version is offered")
        found = f"version {best.version}, {best.entries} entries, {best.category}"
        files = ", every file as signed" if self._has_targets else ""
        logged = ", in the log" if self._leaves is not None else ", in no log that holds"
        return Check(
            what=f"list {name}",
            holds=self._leaves is not None,
            found=f"{found}{files}{logged}",
        )


def _versions(leaves: list[bytes]) -> str:
    """Count the versions in the log.

    Raises:
        TrustError: One is no leaf, or one version is there with two contents.
    """
    known = [parse_leaf(leaf) for leaf in leaves]
    results = {(leaf.version_key, leaf.result) for leaf in known}
    if len({key for key, _ in results}) != len(results):
        raise TrustError(
            "The log holds two contents of one version: its operator showed different people"
            " different lists. Tell everyone who relies on it."
        )
    return (
        f"{len(results)} of {len({leaf.name for leaf in known})} lists, each with one content"
    )


def _keys(signers: RoleKeys) -> str:
    return f"{signers.threshold} of {len(signers.keys)} must sign"


def _right(what: str, found: str) -> Check:
    return Check(what=what, holds=True, found=found)


def _wrong(what: str, error: ProtechError) -> Check:
    return Check(what=what, holds=False, found=str(error))
