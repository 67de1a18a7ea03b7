"""What is asked of lists and workers for one item, and in which order."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from protech.lists.entries import Reading
from protech.salus.digest import digest
from protech.salus.examine import Examiner
from protech.salus.sniff import MediaType
from protech.types import (
    Digests,
    Findings,
    Frame,
    Kind,
    Limits,
    ListRef,
    Match,
    MatchKind,
    Measured,
    Media,
    PdqHash,
    Unscannable,
)

CONTENT = b"content"
SOURCE = ListRef(name="a", version=1)
EXACT = Match(source=SOURCE, kind=MatchKind.SHA256)
HARMLESS = Match(source=SOURCE, kind=MatchKind.SHA256, is_known_good=True)
LIKE = Match(source=SOURCE, kind=MatchKind.PDQ, distance_bits=3, quality=90)
ALIKE = Match(source=SOURCE, kind=MatchKind.VPDQ, query_percent=90.0, known_percent=50.0)
HASH = PdqHash(bits=bytes(32), quality=90)
WHOLE = Measured(width_px=3, height_px=2)
MEASURED = Measured(width_px=3, height_px=2, frames=(Frame(hashes=(HASH,)),))


READING = Reading(entries=1, bad=0)


@dataclass
class Listed:
    """A list that has what it is told."""

    found: Sequence[Match] = ()
    ref: ListRef = SOURCE
    reading: Reading = READING
    videos: list[int] = field(default_factory=list)

    def exact(self, digests: Digests) -> Sequence[Match]:
        assert digests == digest(CONTENT)
        return [match for match in self.found if match.kind is MatchKind.SHA256]

    def near(self, hashes: Sequence[PdqHash], *, radius_bits: int) -> Sequence[Match]:
        return [match for match in self.found if match.kind is MatchKind.PDQ and hashes]

    def near_video(self, queries: NDArray[np.uint8]) -> Sequence[Match]:
        self.videos.append(len(queries))
        return [match for match in self.found if match.kind is MatchKind.VPDQ]


@dataclass
class Workers:
    """Workers that answer the same for everything, and count what they are asked."""

    asked: int = 0
    is_locked: bool = True

    def measure(self, media: Media, media_type: MediaType) -> Measured:
        self.asked += 1
        return MEASURED

    def header(self, media: Media, media_type: MediaType) -> Measured:
        return MEASURED

    def rehash(self, media: Media, media_type: MediaType) -> Measured:
        return WHOLE

    def close(self) -> None:
        return None


@dataclass
class Silencing:
    """Excepts every match of one kind."""

    kind: MatchKind
    state: tuple[str, int, int] = ("x", 1, 1)
    warnings: tuple[str, ...] = ()

    def apply(self, findings: Findings) -> Findings:
        silent = tuple(one for one in findings.matches if one.kind is self.kind)
        kept = tuple(one for one in findings.matches if one.kind is not self.kind)
        return replace(findings, matches=kept, excepted=findings.excepted + silent)


def examined(
    media_type: MediaType,
    *,
    found: Sequence[Match] = (),
    size_bytes: int = len(CONTENT),
    claims: Kind | None = None,
    exceptions: tuple[Silencing, ...] = (),
    judges_video: bool = True,
    at_full_size: bool = False,
) -> tuple[Findings, Workers, Listed]:
    workers, listed = Workers(), Listed(found)
    examiner = Examiner(
        known=(listed,),
        pool=workers,
        limits=Limits(),
        exceptions=exceptions,
        judges_video=judges_video,
        at_full_size=at_full_size,
    )
    media = Media(content=CONTENT, size_bytes=size_bytes, claims=claims)
    return examiner.findings(media, media_type, digest(CONTENT)), workers, listed


def test_what_is_listed_exactly_is_not_opened() -> None:
    findings, workers, _ = examined(MediaType.JPEG, found=[EXACT, LIKE])
    assert (findings.matches, workers.asked) == ((EXACT,), 0)


def test_what_a_list_of_harmless_files_has_is_opened_as_any_other() -> None:
    findings, workers, _ = examined(MediaType.JPEG, found=[HARMLESS, LIKE])
    assert (findings.matches, workers.asked) == ((HARMLESS, LIKE), 1)


def test_a_picture_is_measured_and_what_it_resembles_is_found() -> None:
    findings, workers, listed = examined(MediaType.JPEG, found=[LIKE, ALIKE])
    assert (findings.matches, workers.asked, listed.videos) == ((LIKE,), 1, [])
    assert (findings.width_px, findings.height_px, findings.frames) == (3, 2, MEASURED.frames)


def test_a_video_is_compared_as_a_video_and_by_its_frames() -> None:
    findings, _, listed = examined(MediaType.MP4, found=[LIKE, ALIKE])
    assert (findings.matches, listed.videos) == ((LIKE, ALIKE), [1])


def test_where_no_video_may_be_judged_none_is_opened() -> None:
    findings, workers, _ = examined(MediaType.MP4, found=[ALIKE], judges_video=False)
    assert (findings.unscannable, workers.asked) == (Unscannable.UNKNOWN_TYPE, 0)


def test_an_excepted_exact_match_does_not_spare_the_look_inside() -> None:
    findings, workers, _ = examined(
        MediaType.JPEG, found=[EXACT, LIKE], exceptions=(Silencing(MatchKind.SHA256),)
    )
    assert (findings.matches, findings.excepted, workers.asked) == ((LIKE,), (EXACT,), 1)


def test_what_is_only_alike_can_be_excepted() -> None:
    findings, _, _ = examined(
        MediaType.JPEG, found=[LIKE], exceptions=(Silencing(MatchKind.PDQ),)
    )
    assert (findings.matches, findings.excepted) == ((), (LIKE,))


@pytest.mark.parametrize(
    ("media_type", "limit"),
    [(MediaType.JPEG, Limits().size_bytes), (MediaType.MP4, Limits().video_bytes)],
)
def test_one_byte_beyond_its_limit_is_too_large(media_type: MediaType, limit: int) -> None:
    within, asked, _ = examined(media_type, size_bytes=limit)
    beyond, not_asked, _ = examined(media_type, size_bytes=limit + 1)
    assert (within.unscannable, asked.asked) == (None, 1)
    assert (beyond.unscannable, not_asked.asked) == (Unscannable.TOO_LARGE, 0)


@pytest.mark.parametrize("claims", [Kind.IMAGE, Kind.VIDEO])
def test_what_only_claims_to_be_media_is_unscannable(claims: Kind) -> None:
    findings, workers, _ = examined(MediaType.OTHER, claims=claims)
    assert (findings.unscannable, workers.asked) == (Unscannable.UNKNOWN_TYPE, 0)


def test_what_is_no_media_is_left_alone() -> None:
    findings, workers, _ = examined(MediaType.PDF)
    assert (findings.unscannable, findings.matches, workers.asked) == (None, (), 0)


def test_for_a_new_list_a_picture_is_hashed_by_all_its_pixels_at_once() -> None:
    findings, workers, _ = examined(MediaType.JPEG, at_full_size=True)
    assert (findings.frames, workers.asked) == (WHOLE.frames, 0)
