"""The main path, from media to verdict, top to bottom.

sniff -> digest -> exact lists --hit-----------------------------.
           `-> sandboxed worker: decode, hash, score -> near list -+-> Findings -> Policy
"""

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from protech.lists.store import open_exception_list, open_list
from protech.models.registry import open_models
from protech.salus.cache import Key, VerdictCache
from protech.salus.examine import Examiner, Excepting, Known
from protech.salus.intake import Source, Watch, digests, head, opened, sha256_in_memory
from protech.salus.policy import TRIAGE, Policy, PolicySettings
from protech.salus.pool import Pool
from protech.salus.sniff import sniff
from protech.types import (
    Findings,
    Kind,
    Limits,
    ListRef,
    Media,
    Unscannable,
    Verdict,
)


class Engine:
    """Judges media by known lists and models; thread-safe, synchronous, no global state."""

    def __init__(
        self,
        *,
        examiner: Examiner,
        policy: Policy,
        cache: VerdictCache | None = None,
    ) -> None:
        """Take the parts; ``open`` makes them from files."""
        self._examiner = examiner
        self._pool = examiner.pool
        self._policy = policy
        self._cache = cache if cache is not None else VerdictCache()

    @classmethod
    def open(  # noqa: PLR0913 - choices, each with its usual value
        cls,
        *,
        lists: Iterable[str | os.PathLike[str]] = (),
        exceptions: Iterable[str | os.PathLike[str]] = (),
        models: str | os.PathLike[str] | None = None,
        use_models: bool = True,
        settings: PolicySettings = TRIAGE,
        limits: Limits | None = None,
        workers: int | None = None,
        borders: bool = False,
        dihedral: bool = False,
        judges_video: bool = True,
        at_full_size: bool = False,
        allow_unsandboxed: bool = False,
    ) -> Self:
        """Open lists and models and start the workers.

        Args:
            lists: Files as ``protech lists make`` writes them, or names of synced lists.
            exceptions: Signed exception lists, which take matches away before the decision.
            models: A directory of models and cards; None takes those of the package.
            use_models: False judges by known lists alone.
            settings: Which application's choices the policy table takes.
            limits: Bounds for one item.
            workers: Sandboxed processes; None takes one for each processor.
            borders: Find a listed picture that has bars of one colour around it, too.
            dihedral: Find one that was mirrored or turned, too.
            judges_video: False leaves every video unscannable.
            at_full_size: Hash pictures by all their pixels, and do not score them.
            allow_unsandboxed: Go on where the kernel cannot lock a worker; for the guard,
                which says so on its page.

        Raises:
            ListFormatError: A list is not one.
            ModelError: A model or card cannot be used.
            SandboxError: The kernel does not let a worker be locked down.
            TrustError: A list is for another use, or an exception list is not signed.
        """
        application = settings.name
        model_set = open_models(Path(models) if models else None) if use_models else None
        limits = limits or Limits()
        examiner = Examiner(
            known=tuple(open_list(one, use=application) for one in lists),
            exceptions=tuple(
                open_exception_list(e, application=application) for e in exceptions
            ),
            limits=limits,
            models=model_set.ids if model_set else (),
            judges_video=judges_video,
            at_full_size=at_full_size,
            pool=Pool(  # last: what is above may refuse, and workers would be left behind
                workers=workers or os.cpu_count() or 1,
                limits=limits,
                models=model_set.directory if model_set else None,
                borders=borders,
                dihedral=dihedral,
                allow_unsandboxed=allow_unsandboxed,
            ),
        )
        point = model_set.point(application) if model_set else None
        return cls(examiner=examiner, policy=Policy(settings=settings, point=point))

    @property
    def lists(self) -> tuple[ListRef, ...]:
        """The lists in use, as verdicts name them."""
        return self._examiner.lists

    @property
    def exceptions(self) -> tuple[Excepting, ...]:
        """The exception lists in use."""
        return self._examiner.exceptions

    @property
    def known(self) -> tuple[Known, ...]:
        """The lists in use themselves."""
        return self._examiner.known

    @property
    def models(self) -> tuple[tuple[str, str], ...]:
        """Pairs of task and model id."""
        return self._examiner.models

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
                models=self.models,
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
            verdict = self._policy.decide(
                self._examiner.findings(media, media_type, fingerprint)
            )
        if watch.has_changed(media):
            return self.unscannable(Unscannable.CHANGED, kind=verdict.findings.kind)
        self._cache.keep(key, verdict)
        return verdict

    def _key(self, media: Media, sha256: bytes) -> Key:
        return (
            sha256,
            media.claims,
            self.lists,
            self.models,
            self._policy.version,
            tuple(one.state for one in self._examiner.exceptions),
        )
