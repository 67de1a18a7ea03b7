"""All that is measured of one item: lists first, then a sandboxed worker, then lists again."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from protech.lists.entries import Reading
from protech.salus import vpdq
from protech.salus.policy import has_exact_match
from protech.salus.resembling import resembling
from protech.salus.sniff import MediaType
from protech.types import (
    Digests,
    Findings,
    Kind,
    Limits,
    ListRef,
    Match,
    Measured,
    Media,
    PdqHash,
    Unscannable,
)


class Known(Protocol):
    """A known list, opened."""

    @property
    def ref(self) -> ListRef:
        """Return the name and version that verdicts print."""

    @property
    def reading(self) -> Reading:
        """Return what came of reading it."""

    def exact(self, digests: Digests) -> Sequence[Match]:
        """Return the entries that hold one of ``digests``."""

    def near(self, hashes: Sequence[PdqHash], *, radius_bits: int) -> Sequence[Match]:
        """Return the entries within ``radius_bits`` of one of ``hashes``."""

    def near_video(self, queries: NDArray[np.uint8]) -> Sequence[Match]:
        """Return the entries most like a video; ``queries`` is (k, 32), distinct hashes."""


class Measuring(Protocol):
    """What measures an item out of harm's way; ``salus.pool.Pool`` is one."""

    def measure(self, media: Media, media_type: MediaType) -> Measured:
        """Return hashes and scores of every judged frame."""

    def header(self, media: Media, media_type: MediaType) -> Measured:
        """Return the declared size only."""

    def rehash(self, media: Media, media_type: MediaType) -> Measured:
        """Return hashes of all pixels of every judged frame, without scores."""

    @property
    def is_locked(self) -> bool:
        """Whether hostile media is parsed under the kernel's lock."""

    def close(self) -> None:
        """End every worker."""


class Excepting(Protocol):
    """A signed exception list in use; ``lists.exceptions.Exceptions`` is one."""

    @property
    def state(self) -> tuple[str, int, int]:
        """What a verdict depends on: name, version, how many exceptions are in force."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should be told: that it, or part of it, silences nothing."""

    def apply(self, findings: Findings) -> Findings:
        """Return the findings with what is excepted moved away from the matches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examiner:
    """Measures items; ``models`` are those that could run, by task."""

    known: tuple[Known, ...]
    pool: Measuring = field(repr=False)
    limits: Limits
    models: tuple[tuple[str, str], ...] = ()
    exceptions: tuple[Excepting, ...] = ()
    judges_video: bool = True
    at_full_size: bool = False
    """Hash pictures by all their pixels at once, and do not score them: for a new list."""

    @property
    def lists(self) -> tuple[ListRef, ...]:
        """The lists in use, as verdicts name them."""
        return tuple(known.ref for known in self.known)

    def findings(self, media: Media, media_type: MediaType, fingerprint: Digests) -> Findings:
        """Return what is found of one item; what a list has exactly is not opened."""
        exact = self._excepted(
            Findings(
                kind=media_type.kind,
                size_bytes=media.size_bytes,
                digests=fingerprint,
                matches=tuple(one for known in self.known for one in known.exact(fingerprint)),
                lists=self.lists,
                models=self.models,
            )
        )
        if has_exact_match(exact.matches):
            return exact
        measured, near = self._near(media, media_type)
        return self._excepted(
            replace(
                exact,
                width_px=measured.width_px,
                height_px=measured.height_px,
                frames=measured.frames,
                matches=exact.matches + near,
                unscannable=measured.unscannable,
            )
        )

    def _near(self, media: Media, media_type: MediaType) -> tuple[Measured, tuple[Match, ...]]:
        measured = self._measure(media, media_type)
        rehash = partial(self.pool.rehash, media, media_type)
        measured, near = resembling(self.known, measured, rehash=rehash)
        if media_type.kind is Kind.VIDEO:
            for queries in vpdq.queries(measured.frames):
                near += tuple(one for known in self.known for one in known.near_video(queries))
        return measured, near

    def _measure(self, media: Media, media_type: MediaType) -> Measured:
        match media_type.kind:
            case Kind.IMAGE if media.size_bytes > self.limits.size_bytes:
                return Measured(unscannable=Unscannable.TOO_LARGE)
            case Kind.IMAGE if self.at_full_size:
                return self.pool.rehash(media, media_type)
            case Kind.IMAGE:
                return self.pool.measure(media, media_type)
            case Kind.VIDEO if not self.judges_video:
                return Measured(unscannable=Unscannable.UNKNOWN_TYPE)
            case Kind.VIDEO if media.size_bytes > self.limits.video_bytes:
                return Measured(unscannable=Unscannable.TOO_LARGE)
            case Kind.VIDEO:
                return self.pool.measure(media, media_type)
            case Kind.OTHER if media.claims in (Kind.IMAGE, Kind.VIDEO):
                return Measured(unscannable=Unscannable.UNKNOWN_TYPE)
            case _:
                return Measured()

    def _excepted(self, findings: Findings) -> Findings:
        for one in self.exceptions:
            findings = one.apply(findings)
        return findings
