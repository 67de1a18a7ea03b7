import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.salus import wire_measured
from protech.salus.wire_measured import Reader, WireError, measured_bytes, read_measured, within
from protech.types import Frame, Measured, PdqHash, Person, Scores, Unscannable

shares = st.floats(0, 1)
hashes = st.builds(
    PdqHash, bits=st.binary(min_size=32, max_size=32), quality=st.integers(0, 100)
)
persons = st.builds(Person, apparent_minor=st.none() | shares)
scores = st.builds(
    Scores, explicit=st.none() | shares, persons=st.lists(persons, max_size=5).map(tuple)
)
frames = st.builds(
    Frame,
    track=st.integers(0, 255),
    hashes=st.lists(hashes, max_size=4).map(tuple),
    scores=st.none() | scores,
)
sides = st.none() | st.integers(1, wire_measured.MAX_SIDE_PX)
measurements = st.builds(
    Measured,
    unscannable=st.none() | st.sampled_from(Unscannable),
    width_px=sides,
    height_px=sides,
    frames=st.lists(frames, max_size=5).map(tuple),
    is_scaled=st.booleans(),
)
sequences = st.integers(0, 2**64 - 1)
HASH = PdqHash(bits=bytes(32), quality=1)


def read(body: bytes) -> tuple[int, Measured]:
    reader = Reader(body)
    read = read_measured(reader)
    reader.end()
    return read


@given(sequences, measurements)
def test_what_was_measured_comes_back_the_same(sequence: int, measured: Measured) -> None:
    assert read(measured_bytes(sequence, measured)) == (sequence, measured)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_measurement_or_refused(body: bytes) -> None:
    try:
        _, measured = read(body)
    except WireError:
        return
    assert_in_range(measured)


@given(sequences, measurements, st.data())
def test_a_changed_measurement_is_one_in_range_or_refused(
    sequence: int, measured: Measured, data: st.DataObject
) -> None:
    body = bytearray(measured_bytes(sequence, measured))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        _, changed = read(bytes(body))
    except WireError:
        return
    assert_in_range(changed)


@given(sequences, measurements, st.data())
def test_a_cut_measurement_is_refused(
    sequence: int, measured: Measured, data: st.DataObject
) -> None:
    body = measured_bytes(sequence, measured)
    with pytest.raises(WireError):
        read(body[: data.draw(st.integers(0, len(body) - 1))])


def test_left_over_bytes_are_refused() -> None:
    with pytest.raises(WireError):
        read(measured_bytes(1, Measured()) + b"\0")


def assert_in_range(measured: Measured) -> None:
    assert len(measured.frames) <= wire_measured.MAX_FRAMES
    for side in (measured.width_px, measured.height_px):
        assert side is None or 0 < side <= wire_measured.MAX_SIDE_PX
    for frame in measured.frames:
        assert len(frame.hashes) <= wire_measured.MAX_HASHES
        assert all(len(one.bits) == 32 and 0 <= one.quality <= 100 for one in frame.hashes)
        if frame.scores is not None:
            found = [frame.scores.explicit, *(p.apparent_minor for p in frame.scores.persons)]
            assert all(score is None or 0 <= score <= 1 for score in found)
            assert len(frame.scores.persons) <= wire_measured.MAX_PERSONS


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, -0.5, 1.0000001, -1e-300])
def test_a_score_out_of_range_is_refused_on_both_sides(score: float) -> None:
    wrong = Measured(frames=(Frame(scores=Scores(explicit=score)),))
    with pytest.raises(ValueError, match="score"):
        measured_bytes(1, wrong)
    right = Measured(frames=(Frame(scores=Scores(explicit=0.5)),))
    body = measured_bytes(1, right).replace(struct.pack("<d", 0.5), struct.pack("<d", score))
    with pytest.raises(WireError):
        read(body)


def test_a_score_of_minus_one_is_a_fault_and_not_an_unscored_frame() -> None:
    with pytest.raises(ValueError, match="score"):
        measured_bytes(1, Measured(frames=(Frame(scores=Scores(explicit=-1.0)),)))


@pytest.mark.parametrize("size_bytes", [0, 31, 33])
def test_a_hash_of_another_length_is_a_fault(size_bytes: int) -> None:
    odd = PdqHash(bits=bytes(size_bytes), quality=100)
    with pytest.raises(ValueError, match="32 bytes"):
        measured_bytes(1, Measured(frames=(Frame(hashes=(odd,)),)))


def test_a_number_too_large_for_its_field_is_a_fault() -> None:
    with pytest.raises(ValueError, match="layout"):
        measured_bytes(1, Measured(width_px=2**32))


@pytest.mark.parametrize(
    ("cap", "at_cap", "beyond"),
    [
        (
            "frames",
            Measured(frames=(Frame(),) * wire_measured.MAX_FRAMES),
            Measured(frames=(Frame(),) * (wire_measured.MAX_FRAMES + 1)),
        ),
        (
            "hashes",
            Measured(frames=(Frame(hashes=(HASH,) * wire_measured.MAX_HASHES),)),
            Measured(frames=(Frame(hashes=(HASH,) * (wire_measured.MAX_HASHES + 1)),)),
        ),
        (
            "quality",
            Measured(frames=(Frame(hashes=(PdqHash(bits=bytes(32), quality=100),)),)),
            Measured(frames=(Frame(hashes=(PdqHash(bits=bytes(32), quality=101),)),)),
        ),
        (
            "persons",
            Measured(
                frames=(Frame(scores=Scores(persons=(Person(apparent_minor=1),) * 1024)),)
            ),
            Measured(
                frames=(Frame(scores=Scores(persons=(Person(apparent_minor=1),) * 1025)),)
            ),
        ),
        (
            "side",
            Measured(width_px=wire_measured.MAX_SIDE_PX),
            Measured(width_px=wire_measured.MAX_SIDE_PX + 1),
        ),
    ],
)
def test_every_cap_holds_at_its_value_and_not_one_further(
    cap: str, at_cap: Measured, beyond: Measured
) -> None:
    assert read(measured_bytes(1, at_cap)) == (1, at_cap)
    with pytest.raises(WireError):
        read(measured_bytes(1, beyond))


def test_an_unknown_reason_is_refused() -> None:
    body = bytearray(measured_bytes(1, Measured()))
    body[8] = len(Unscannable) + 1
    with pytest.raises(WireError):
        read(bytes(body))


@pytest.mark.parametrize("value", [math.nan, -1, 3])
def test_within_refuses_what_is_outside_and_what_is_no_number(value: float) -> None:
    within(0, 0, 2)
    within(2, 0, 2)
    with pytest.raises(WireError):
        within(value, 0, 2)


def test_the_reader_gives_what_is_left() -> None:
    reader = Reader(b"\x01rest")
    assert reader.take(struct.Struct("<B")) == (1,)
    assert reader.rest() == b"rest"
    reader.end()
