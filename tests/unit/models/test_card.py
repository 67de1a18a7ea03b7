"""Model cards: written and read back, and refused where they cannot be meant."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import ModelError
from protech.models.card import (
    FORMAT_VERSION,
    AgeHead,
    AgePoint,
    ExplicitHead,
    ExplicitPoint,
    FaceHead,
    card_text,
    read_card,
)
from tests.surrogate import make_surrogate

HEADS: dict[str, type] = {"explicit": ExplicitHead, "face": FaceHead, "age": AgeHead}
DEEPEST = 4000


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    directory = make_surrogate(tmp_path_factory.mktemp("models"))
    return {
        task: json.loads((directory / task / "card.json").read_text(encoding="utf-8"))
        for task in HEADS
    }


def read(raw: object, task: str) -> Any:
    return read_card(json.dumps(raw).encode(), head=HEADS[task])


def changed(raw: dict[str, Any], place: str, value: object) -> dict[str, Any]:
    """Return a copy with the field at the dotted ``place`` set."""
    copy: dict[str, Any] = json.loads(json.dumps(raw))
    *path, last = place.split(".")
    part = copy
    for name in path:
        part = part[name]
    part[last] = value
    return copy


@pytest.mark.parametrize("task", HEADS)
def test_a_card_reads_back_as_it_was_written(cards: dict[str, Any], task: str) -> None:
    card = read(cards[task], task)
    assert read_card(card_text(card).encode(), head=HEADS[task]) == card
    assert json.loads(card_text(card)) == cards[task]


def test_fields_that_this_version_does_not_know_are_kept(cards: dict[str, Any]) -> None:
    raw = {**cards["age"], "signer": {"name": "somebody"}}
    assert json.loads(card_text(read(raw, "age")))["signer"] == {"name": "somebody"}


@pytest.mark.parametrize("version", [None, 0, FORMAT_VERSION + 1, "1", True])
def test_another_format_version_is_refused(cards: dict[str, Any], version: object) -> None:
    with pytest.raises(ModelError, match="format version"):
        read({**cards["age"], "format_version": version}, "age")


def test_a_card_for_another_task_is_refused(cards: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="another task"):
        read(cards["age"], "face")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[]", b"null", b"[" * DEEPEST, b"\x00" * 10]
)
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError):
        read_card(content, head=AgeHead)


@pytest.mark.parametrize(
    ("task", "place", "value"),
    [
        ("explicit", "file", "../model.onnx"),
        ("explicit", "file", "/model.onnx"),
        ("explicit", "file", "model.pkl"),
        ("explicit", "sha256", "A" * 64),
        ("explicit", "sha256", "0" * 63),
        ("explicit", "id", ""),
        ("explicit", "id", "a b"),
        ("explicit", "date", "yesterday"),
        ("explicit", "input.layout", "CHWN"),
        ("explicit", "input.channels", "GRAY"),
        ("explicit", "input.size_px", 257),
        ("explicit", "input.size_px", 0),
        ("explicit", "input.resize_px", 2049),
        ("explicit", "input.resize", "nearest"),
        ("explicit", "input.mean", [1.0, 2.0]),
        ("explicit", "head.index", -1),
        ("explicit", "head.points", {}),
        ("explicit", "head.points.guard.explicit", 0.0),
        ("explicit", "head.points.guard.explicit", 1.5),
        ("face", "head.anchors", []),
        ("face", "head.anchors", [{"cells": 0, "per_cell": 1}]),
        ("face", "head.anchors", [{"cells": 10**9, "per_cell": 1}]),
        ("face", "head.threshold", 0.0),
        ("face", "head.overlap", 1.0),
        ("face", "head.tiles", 9),
        ("face", "head.tile_overlap", 0.6),
        ("face", "head.max_faces", 0),
        ("face", "head.max_stretch", 0.9),
        ("age", "head.ages", []),
        ("age", "head.points", {}),
        ("age", "head.scale_years", 0.0),
        ("age", "head.scale_years", -3.0),
        ("age", "head.padding", -0.1),
        ("age", "head.min_face_px", 0),
        ("age", "head.eyes", [[0.5, 0.5], [0.51, 0.5]]),
        ("age", "head.points.guard.minor_to_years", 40.0),
    ],
)
def test_a_card_that_cannot_be_meant_is_refused(
    cards: dict[str, Any], task: str, place: str, value: object
) -> None:
    with pytest.raises(ModelError, match="build_models"):
        read(changed(cards[task], place, value), task)


@pytest.mark.parametrize("task", HEADS)
def test_every_field_but_the_notes_is_needed(cards: dict[str, Any], task: str) -> None:
    for name in cards[task].keys() - {"figures", "unknown"}:
        raw = {key: value for key, value in cards[task].items() if key != name}
        with pytest.raises(ModelError):
            read(raw, task)


@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with pytest.raises(ModelError):
        read_card(content, head=ExplicitHead)


def years() -> st.SearchStrategy[float]:
    return st.floats(min_value=0, max_value=1e6)


@given(one=years(), other=years(), scale=st.floats(0.1, 100), centre=st.floats(0, 100))
def test_apparent_minor_never_rises_with_age(
    cards: dict[str, Any], one: float, other: float, scale: float, centre: float
) -> None:
    head = replace(read(cards["age"], "age").head, scale_years=scale, centre_years=centre)
    younger, older = sorted((one, other))
    assert 0.0 <= head.apparent_minor(older) <= head.apparent_minor(younger) <= 1.0


def test_apparent_minor_is_a_half_at_the_centre(cards: dict[str, Any]) -> None:
    head = read(cards["age"], "age").head
    assert head.apparent_minor(head.centre_years) == 0.5
    assert math.isclose(head.apparent_minor(head.centre_years + 3), 1 / (1 + math.e))


@given(minor=years(), gap=st.floats(0, 100))
def test_between_minor_and_adult_there_is_room(minor: float, gap: float) -> None:
    adult = minor + gap
    if adult > minor:
        AgePoint(minor_to_years=minor, adult_from_years=adult, calibration="")
    with pytest.raises(ValueError, match="below"):
        AgePoint(minor_to_years=adult, adult_from_years=minor, calibration="")


@given(st.floats())
def test_an_explicit_threshold_is_a_share_above_zero(threshold: float) -> None:
    if 0 < threshold <= 1:
        ExplicitPoint(explicit=threshold, calibration="")
        return
    with pytest.raises(ValueError, match="explicit"):
        ExplicitPoint(explicit=threshold, calibration="")
