"""Known hashes are made by flipping bits of a picture's own: the distance is then exact."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.salus.resembling import DOUBTFUL_BITS, SURE_BITS, resembling
from protech.types import (
    Frame,
    ListRef,
    Match,
    MatchKind,
    Measured,
    PdqHash,
    Scores,
    Unscannable,
)

SCALED = PdqHash(bits=bytes(range(32)), quality=90)
SOURCE = ListRef(name="own", version=1)
SCORES = Scores(explicit=0.25)


def flipped(bits: bytes, places: range) -> bytes:
    return (int.from_bytes(bits) ^ sum(1 << place for place in places)).to_bytes(32)


@dataclass
class Listed:
    """A list of one hash, which keeps the radii that it was asked for."""

    bits: bytes
    name: str = "own"
    radii: list[int] = field(default_factory=list)

    def near(self, hashes: Sequence[PdqHash], *, radius_bits: int) -> list[Match]:
        self.radii.append(radius_bits)
        source = ListRef(name=self.name, version=1)
        ranked = sorted(
            ((int.from_bytes(one.bits) ^ int.from_bytes(self.bits)).bit_count(), one.quality)
            for one in hashes
        )
        return [
            Match(source=source, kind=MatchKind.PDQ, distance_bits=distance, quality=quality)
            for distance, quality in ranked
            if distance <= radius_bits
        ]


@dataclass
class Again:
    """Measures again: a hash ``error_bits`` beside the scaled one, at the places from 0 on."""

    error_bits: int = 0
    result: Measured | None = None
    asked: int = 0

    def __call__(self) -> Measured:
        self.asked += 1
        bits = flipped(SCALED.bits, range(self.error_bits))
        frame = Frame(hashes=(PdqHash(bits=bits, quality=90),))
        return self.result or Measured(frames=(frame,))


def scaled(*hashes: PdqHash, is_scaled: bool = True) -> Measured:
    frame = Frame(hashes=hashes or (SCALED,), scores=SCORES)
    return Measured(frames=(frame,), is_scaled=is_scaled)


def distances(matches: Sequence[Match]) -> list[int | None]:
    return [match.distance_bits for match in matches]


def test_far_while_scaled_and_near_by_all_pixels_is_found() -> None:
    listed, again = Listed(flipped(SCALED.bits, range(36))), Again(error_bits=6)
    measured, matches = resembling([listed], scaled(), rehash=again)
    assert distances(matches) == [30]
    assert again.asked == 1
    assert not measured.is_scaled
    assert measured.frames[0].hashes == again().frames[0].hashes
    assert measured.frames[0].scores == SCORES
    assert listed.radii == [40, 31]


def test_near_while_scaled_and_far_by_all_pixels_is_no_match() -> None:
    listed = Listed(flipped(SCALED.bits, range(100, 130)))
    assert distances(listed.near([SCALED], radius_bits=31)) == [30]
    _, matches = resembling([listed], scaled(), rehash=Again(error_bits=2))
    assert matches == ()


@given(st.integers(0, 60), st.integers(0, 8))
def test_only_the_hash_of_all_pixels_counts_in_the_doubtful_range(
    apart: int, error_bits: int
) -> None:
    again = Again(error_bits=error_bits)
    listed = Listed(flipped(SCALED.bits, range(100, 100 + apart)))
    _, matches = resembling([listed], scaled(), rehash=again)
    is_doubtful = SURE_BITS <= apart <= DOUBTFUL_BITS
    assert again.asked == is_doubtful
    true = apart + (error_bits if is_doubtful else 0)
    limit = 31 if is_doubtful else SURE_BITS - 1
    assert distances(matches) == ([true] if true <= limit else [])


def test_a_picture_that_was_not_scaled_is_not_measured_again() -> None:
    again = Again()
    listed = Listed(flipped(SCALED.bits, range(31)))
    measured, matches = resembling([listed], scaled(is_scaled=False), rehash=again)
    assert distances(matches) == [31]
    assert again.asked == 0
    assert listed.radii == [31]
    assert measured.frames[0].hashes == (SCALED,)


def test_a_sure_match_in_one_list_leaves_the_doubt_of_another() -> None:
    sure = Listed(flipped(SCALED.bits, range(5)), "sure")
    doubtful = Listed(flipped(SCALED.bits, range(30)), "doubtful")
    again = Again(error_bits=4)
    _, matches = resembling([sure, doubtful], scaled(), rehash=again)
    assert again.asked == 1
    assert [(match.source.name, match.distance_bits) for match in matches] == [
        ("sure", 1),
        ("doubtful", 26),
    ]


def test_a_sure_match_needs_quality() -> None:
    poor = replace(SCALED, quality=49)
    again = Again(error_bits=3)
    _, matches = resembling([Listed(SCALED.bits)], scaled(poor), rehash=again)
    assert again.asked == 1
    assert [(match.distance_bits, match.quality) for match in matches] == [(3, 90)]


def test_of_a_sure_list_only_what_is_sure_counts() -> None:
    other = PdqHash(bits=flipped(SCALED.bits, range(30)), quality=95)
    again = Again()
    _, matches = resembling([Listed(SCALED.bits)], scaled(SCALED, other), rehash=again)
    assert distances(matches) == [0]
    assert again.asked == 0


@pytest.mark.parametrize(("apart", "expected"), [(31, [31]), (32, [])])
def test_what_cannot_be_measured_again_is_unscannable_and_keeps_its_match(
    apart: int, expected: list[int]
) -> None:
    again = Again(result=Measured(unscannable=Unscannable.TIMED_OUT))
    listed = Listed(flipped(SCALED.bits, range(apart)))
    measured, matches = resembling([listed], scaled(), rehash=again)
    assert measured.unscannable is Unscannable.TIMED_OUT
    assert measured.frames == scaled().frames
    assert distances(matches) == expected


def test_a_broken_picture_stays_broken_and_is_compared_by_what_there_is() -> None:
    broken = replace(scaled(), unscannable=Unscannable.CORRUPT)
    measured, matches = resembling(
        [Listed(flipped(SCALED.bits, range(30)))], broken, rehash=Again(error_bits=1)
    )
    assert measured.unscannable is Unscannable.CORRUPT
    assert distances(matches) == [29]


def test_nothing_known_or_nothing_seen_asks_nothing() -> None:
    again = Again()
    assert resembling([], scaled(), rehash=again) == (scaled(), ())
    nothing = Measured(unscannable=Unscannable.CORRUPT)
    assert resembling([Listed(SCALED.bits)], nothing, rehash=again) == (nothing, ())
    assert again.asked == 0
