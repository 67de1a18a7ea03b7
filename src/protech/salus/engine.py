"""The main path, from media to verdict, top to bottom.

sniff -> digest -> exact lists --hit-----------------------------.
           `-> sandboxed worker: decode, hash, score -> near list -+-> Findings -> Policy
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from protech.lists.store import open_list
from protech.models.registry import open_models
from protech.salus.cache import Key, VerdictCache
from protech.salus.intake import Source, Watch, digests, head, opened, sha256_in_memory
from protech.salus.policy import TRIAGE, Policy, PolicySettings, has_exact_match
from protech.salus.pool import Pool
from protech.salus.resembling import resembling
from protech.salus.sniff import MediaType, sniff
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
    Verdict,
)


class Known(Protocol):
    """A known list, opened."""

    @property
    def ref(self) -> ListRef:
        """Return the name and version that verdicts print."""

    def exact(self, digests: Digests) -> Sequence[Match]:
        """Return the entries that hold one of ``digests``."""

    def near(self, hashes: Sequence[PdqHash], *, radius_bits: int) -> Sequence[Match]:
        """Return the entries within ``radius_bits`` of one of ``hashes``."""


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


class Engine:
    """Judges media by known lists and models; thread-safe, synchronous, no global state."""

    def __init__(
        self,
        *,
        known: Sequence[Known],
        pool: Measuring,
        policy: Policy,
        limits: Limits | None = None,
        models: tuple[tuple[str, str], ...] = (),
        cache: VerdictCache | None = None,
    ) -> None:
        """Take the parts; ``open`` makes them from files."""
        self._known = tuple(known)
        self._pool = pool
        self._policy = policy
        self._limits = limits or Limits()
        self._models = models
        self._cache = cache if cache is not None else VerdictCache()

    @classmethod
    def open(  # noqa: PLR0913 - choices, each with its usual value
        cls,
        *,
        lists: Iterable[str | os.PathLike[str]] = (),
        models: str | os.PathLike[str] | None = None,
        use_models: bool = True,
        settings: PolicySettings = TRIAGE,
        limits: Limits | None = None,
        workers: int | None = None,
        borders: bool = False,
        dihedral: bool = False,
        allow_unsandboxed: bool = False,
    ) -> Self:
        """Open lists and models and start the workers.

        Args:
            lists: Files as ``protech lists make`` writes them.
            models: A directory of models and cards; None takes those of the package.
            use_models: False judges by known lists alone.
            settings: Which application's choices the policy table takes.
            limits: Bounds for one item.
            workers: Sandboxed processes; None takes one for each processor.
            borders: Find a listed picture that has bars of one colour around it, too.
            dihedral: Find one that was mirrored or turned, too.
            allow_unsandboxed: Go on where the kernel cannot lock a worker; for the guard,
                which says so on its page.

        Raises:
            ListFormatError: A list is not one.
            ModelError: A model or card cannot be used.
            SandboxError: The kernel does not let a worker be locked down.
        """
        known = [open_list(Path(path), use=settings.name) for path in lists]
        directory = Path(models) if models is not None else None
        model_set = open_models(directory) if use_models else None
        limits = limits or Limits()
        pool = Pool(
            workers=workers or os.cpu_count() or 1,
            limits=limits,
            models=model_set.directory if model_set else None,
            borders=borders,
            dihedral=dihedral,
            allow_unsandboxed=allow_unsandboxed,
        )
        point = model_set.point(settings.name) if model_set else None
        return cls(
            known=known,
            pool=pool,
            policy=Policy(settings=settings, point=point),
            limits=limits,
            models=model_set.ids if model_set else (),
        )

    @property
    def lists(self) -> tuple[ListRef, ...]:
        """The lists in use, as verdicts name them."""
        return tuple(known.ref for known in self._known)

    @property
    def models(self) -> tuple[tuple[str, str], ...]:
        """Pairs of task and model id."""
        return self._models

    @property
    def is_sandboxed(self) -> bool:
        """Whether hostile media is parsed under the kernel's lock."""
        return self._pool.is_locked

    def inspect(self, source: Source, *, claims: Kind | None = None) -> Verdict:
        """Judge one item; whatever hostile media does is in the verdict, not raised.

        Raises:
            SourceError: A path that does not exist or is not a regular file.
            SandboxError, ModelError, ConfigError: No worker can start any more.
        """
        try:
            with opened(source, claims=claims) as media:
                return self._inspect(media)
        except OSError:
            return self.unscannable(Unscannable.UNREADABLE, kind=claims or Kind.OTHER)

    def unscannable(
        self, why: Unscannable, *, kind: Kind = Kind.OTHER, size_bytes: int | None = None
    ) -> Verdict:
        """Return what the policy makes of an item that cannot be given to ``inspect``."""
        return self._policy.decide(
            Findings(
                kind=kind,
                size_bytes=size_bytes,
                unscannable=why,
                lists=self.lists,
                models=self._models,
            )
        )

    def dimensions(self, source: Source) -> tuple[int, int] | None:
        """Return width and height as displayed, without decoding; None if unknown."""
        with opened(source) as media:
            measured = self._pool.header(media, sniff(head(media)))
        if measured.width_px is None or measured.height_px is None:
            return None
        return measured.width_px, measured.height_px

    def close(self) -> None:
        """End the workers."""
        self._pool.close()

    def __enter__(self) -> Self:
        """Return the engine itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the workers."""
        self.close()

    def _inspect(self, media: Media) -> Verdict:
        if media.size_bytes == 0:
            kind = media.claims or Kind.OTHER
            return self.unscannable(Unscannable.EMPTY, kind=kind, size_bytes=0)
        sha256 = sha256_in_memory(media)
        seen = self._cache.find(self._key(media, sha256)) if sha256 is not None else None
        return seen if seen is not None else self._judge(media)

    def _judge(self, media: Media) -> Verdict:
        watch = Watch.of(media)
        media_type = sniff(head(media))
        fingerprint = digests(media)
        key = self._key(media, fingerprint.sha256)
        verdict = self._cache.find(key)
        if verdict is None:
            verdict = self._policy.decide(self._findings(media, media_type, fingerprint))
        if watch.has_changed(media):
            return self.unscannable(Unscannable.CHANGED, kind=verdict.findings.kind)
        self._cache.keep(key, verdict)
        return verdict

    def _findings(self, media: Media, media_type: MediaType, fingerprint: Digests) -> Findings:
        findings = Findings(
            kind=media_type.kind,
            size_bytes=media.size_bytes,
            digests=fingerprint,
            matches=tuple(match for known in self._known for match in known.exact(fingerprint)),
            lists=self.lists,
            models=self._models,
        )
        if has_exact_match(findings.matches):
            return findings
        measured, near = resembling(
            self._known,
            self._measure(media, media_type),
            rehash=partial(self._pool.rehash, media, media_type),
        )
        return replace(
            findings,
            width_px=measured.width_px,
            height_px=measured.height_px,
            frames=measured.frames,
            matches=findings.matches + near,
            unscannable=measured.unscannable,
        )

    def _measure(self, media: Media, media_type: MediaType) -> Measured:
        match media_type.kind:
            case Kind.IMAGE if media.size_bytes > self._limits.size_bytes:
                return Measured(unscannable=Unscannable.TOO_LARGE)
            case Kind.IMAGE:
                return self._pool.measure(media, media_type)
            case Kind.VIDEO:
                return Measured(unscannable=Unscannable.UNKNOWN_TYPE)
            case Kind.OTHER if media.claims in (Kind.IMAGE, Kind.VIDEO):
                return Measured(unscannable=Unscannable.UNKNOWN_TYPE)
            case _:
                return Measured()

    def _key(self, media: Media, sha256: bytes) -> Key:
        return (
            sha256,
            media.claims,
            self.lists,
            self._models,
            self._policy.version,
        )
