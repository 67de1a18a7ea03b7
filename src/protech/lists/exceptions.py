"""Signed exception lists: an operator's or examiner's word that a match is none.

Nothing of one is read before its signature holds, by a key that the operator pinned or by the
authority whose target it is. It takes matches away before the policy table, never a score and
never on a guarded person's device, and what it took stays in the findings.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protech.errors import ConfigError, SourceError, TrustError
from protech.lists.clock import Clock, utc_now
from protech.lists.entries import BadEntry
from protech.lists.formats.exceptions import FILE_BYTES, ExceptionEntry, read
from protech.lists.logbook import put_file, read_file
from protech.lists.note import (
    NOTE_BYTES,
    Note,
    NoteKey,
    SignatureKind,
    parse_key,
    parse_note,
    signed_at,
    with_signature,
)
from protech.signing import Key, verify
from protech.types import Digests, Findings, Match, MatchKind

GUARD = "guard"
"""The application of a volunteer's device, as ``PolicySettings.name`` says."""

SIGNATURE = ".sig"
WHAT = "The signature of the exception list"

HASH_BYTES = 32

DIGEST_KINDS = (MatchKind.SHA256, MatchKind.SHA1, MatchKind.MD5)

KEYS = "exception_keys"
"""The setting that pins who may sign them: texts of the form name+id+key."""


class Exceptions:
    """An exception list in use; safe between threads."""

    def __init__(self, content: bytes, *, application: str, clock: Clock = utc_now) -> None:
        """Take an exception list that somebody has vouched for; ``open_exceptions`` makes sure.

        Args:
            content: The whole list.
            application: Which one uses it, as ``PolicySettings.name`` says.
            clock: Tells what has expired.

        Raises:
            ConfigError: It is for a guarded person's device.
            ListFormatError: It is no exception list.
        """
        refuse_guard(application)
        self.header, self.entries, self.bad = read(content)
        self._clock = clock
        self._ends = sorted(self._end(entry) for entry in self.entries)
        self._by_digest: dict[tuple[MatchKind, bytes], list[ExceptionEntry]] = {}
        for entry in self.entries:
            if named := _named(entry):
                self._by_digest.setdefault(named[0], []).append(entry)
        self._near = [(entry, _matrix(entry.pdq)) for entry in self.entries if entry.pdq]

    @property
    def in_force(self) -> int:
        """How many of its exceptions have not expired."""
        now = self._clock()
        return len(self._ends) - bisect_right(self._ends, now)

    @property
    def state(self) -> tuple[str, int, int]:
        """What a verdict depends on: name, version, how many exceptions are in force."""
        return self.header.name, self.header.version, self.in_force

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should be told: that it, or part of it, silences nothing."""
        name = self.header.name
        expired = len(self.entries) - self.in_force
        found = []
        if self._clock() >= self.header.expires_at:
            found.append(
                f"The exception list {name} expired at {self.header.expires_at.isoformat()}, so"
                " it silences nothing; ask its author for another one."
            )
        elif expired:
            found.append(
                f"{expired} of the {len(self.entries)} exceptions of {name} have expired, so"
                " they silence nothing."
            )
        found += [f"The exception list {name}, line {_shown(bad)}" for bad in self.bad]
        return tuple(found)

    def apply(self, findings: Findings) -> Findings:
        """Return the findings with what is excepted moved from ``matches`` to ``excepted``.

        Whether a match stays depends on the item and on that match, not on other matches.
        """
        listed = {match for match in findings.matches if not match.is_known_good}
        if not listed or not self.in_force:
            return findings
        now = self._clock()
        silent = {match for match in listed if self._silences(match, findings, now)}
        if not silent:
            return findings
        return replace(
            findings,
            matches=tuple(match for match in findings.matches if match not in silent),
            excepted=findings.excepted
            + tuple(match for match in findings.matches if match in silent),
        )

    def _silences(self, match: Match, findings: Findings, now: datetime) -> bool:
        same = self._of_file(findings.digests)
        if any(_reaches(entry, match) and self._holds(entry, match, now) for entry in same):
            return True
        return match.kind is MatchKind.PDQ and self._covers(match, findings, now)

    def _of_file(self, digests: Digests | None) -> Iterable[ExceptionEntry]:
        """Yield the exceptions whose digests are all those of this file."""
        if digests is not None:
            own = {(kind, getattr(digests, kind.value)) for kind in DIGEST_KINDS}
            for one in own & self._by_digest.keys():
                yield from (entry for entry in self._by_digest[one] if own >= {*_named(entry)})

    def _covers(self, match: Match, findings: Findings, now: datetime) -> bool:
        """Whether every frame is an excepted picture, so that none can hide behind another."""
        hashes = {form.bits for frame in findings.frames for form in frame.hashes}
        left = _matrix(list(hashes))
        for entry, known in self._near:
            if len(left) and self._holds(entry, match, now):
                for one in known:
                    distances = np.bitwise_count(left ^ one).sum(axis=1, dtype=np.uint16)
                    left = left[distances > entry.radius_bits]
        return bool(hashes) and not len(left)

    def _holds(self, entry: ExceptionEntry, match: Match, now: datetime) -> bool:
        return match.source.name in entry.lists and now < self._end(entry)

    def _end(self, entry: ExceptionEntry) -> datetime:
        return min(entry.expires_at or self.header.expires_at, self.header.expires_at)


def _named(entry: ExceptionEntry) -> list[tuple[MatchKind, bytes]]:
    """Return the digests of an exception, the strongest first."""
    held = ((kind, getattr(entry, kind.value)) for kind in DIGEST_KINDS)
    return [(kind, digest) for kind, digest in held if digest is not None]


def _reaches(entry: ExceptionEntry, match: Match) -> bool:
    """Whether an exception of a file is about what matched."""
    kinds = {kind for kind, _ in _named(entry)}
    return MatchKind.SHA256 in kinds or match.kind in kinds


def refuse_guard(application: str) -> None:
    """Refuse to except anything on a volunteer's device.

    Raises:
        ConfigError: That is what it is for.
    """
    if application == GUARD:
        raise ConfigError(
            "Exceptions are for operators and examiners: on a guarded person's device nothing"
            " that a list blocks is let through. Leave the exception list out."
        )


def pinned_keys(settings: Mapping[str, object]) -> list[NoteKey]:
    """Return the keys that the operator's settings pin for exception lists.

    Raises:
        ConfigError: What stands there is no list of keys.
    """
    texts = settings.get(KEYS, [])
    if not isinstance(texts, list):
        raise ConfigError(f"The setting {KEYS} is no list of keys; mend it.")
    try:
        return [parse_key(str(text)) for text in texts]
    except TrustError as wrong:
        raise ConfigError(
            f"The setting {KEYS} names something that is no key: {wrong}"
        ) from wrong


def open_exceptions(
    path: Path, *, application: str, keys: Iterable[NoteKey], clock: Clock = utc_now
) -> Exceptions:
    """Open the exception list in a file, whose signature stands beside it (``.sig``).

    Args:
        path: The list.
        application: Which one uses it, as ``PolicySettings.name`` says.
        keys: Those that the operator pinned; one of them must have signed it.
        clock: Tells what has expired.

    Raises:
        ConfigError: It is for a guarded person's device, or cannot be read.
        SourceError: There is no such file.
        TrustError: None of the keys signed it, or its signature does not hold.
        ListFormatError: It is no exception list.
    """
    refuse_guard(application)
    return Exceptions(signed_content(path, keys), application=application, clock=clock)


def signed_content(path: Path, keys: Iterable[NoteKey]) -> bytes:
    """Return what is in an exception list that one of ``keys`` signed.

    Raises:
        ConfigError: It cannot be read.
        SourceError: There is no such file.
        TrustError: None of the keys signed it, or its signature does not hold.
    """
    content = read_file(path, most=FILE_BYTES)
    if content is None:
        raise SourceError(f"There is no exception list at {path}; check its path.")
    signature = read_file(_signature_path(path), most=NOTE_BYTES)
    if signature is None:
        raise TrustError(
            f"The exception list {path} is not signed: there is no {_signature_path(path).name}"
            " beside it. It silences nothing; sign it, or leave it out."
        )
    note = parse_note(signature, what=WHAT)
    signers = [key for key in keys if signed_at(note, key, verify, what=WHAT)]
    if not signers or note.text != _signed_text(content):
        raise TrustError(
            f"The exception list {path} was not signed by a key that the settings pin, or was"
            " changed since. It silences nothing; get it again from its author."
        )
    return content


def sign_exceptions(path: Path, *, name: str, key: Key) -> NoteKey:
    """Put a key's signature of an exception list beside it; return what others pin.

    Raises:
        SourceError: There is no such file.
        ListFormatError: It is no exception list.
        TrustError: The name cannot be.
        ConfigError: A file cannot be read or written.
    """
    content = read_file(path, most=FILE_BYTES)
    if content is None:
        raise SourceError(f"There is no exception list at {path}; check its path.")
    read(content)
    signer = NoteKey(name=name, kind=SignatureKind.ED25519, public=key.public)
    note = with_signature(Note(text=_signed_text(content), signatures=()), signer, key.sign)
    put_file(_signature_path(path), note.content)
    return signer


def _signature_path(path: Path) -> Path:
    return path.with_name(path.name + SIGNATURE)


def _signed_text(content: bytes) -> str:
    return f"protech exceptions v1\n{hashlib.sha256(content).hexdigest()}\n"


def _matrix(hashes: Sequence[bytes]) -> NDArray[np.uint8]:
    """Return hashes as rows, shape (n, 32)."""
    return np.frombuffer(b"".join(hashes), dtype=np.uint8).reshape(len(hashes), HASH_BYTES)


def _shown(bad: BadEntry) -> str:
    return f"{bad.line}, is none: {bad.reason}."
