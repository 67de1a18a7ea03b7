"""Faces: anchors, decoding, views, and each face once."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.models.card import AnchorGrid, FaceHead
from protech.salus.faces import Faces, anchors, blend, decode_faces, in_frame, views
from protech.salus.views import View

HEAD = FaceHead(
    scores="scores",
    boxes="boxes",
    anchors=(AnchorGrid(cells=16, per_cell=2), AnchorGrid(cells=8, per_cell=6)),
    threshold=0.5,
    overlap=0.3,
    tiles=2,
    tile_overlap=0.2,
    is_turned=True,
    max_stretch=1.5,
    max_faces=64,
)
WHOLE = View(left=0, top=0, width=900, height=600)


def face(left: float, top: float, side: float, score: float) -> Faces:
    box = [[left, top], [left + side, top + side]]
    eyes = [[left + side / 4, top + side / 3], [left + 3 * side / 4, top + side / 3]]
    return Faces(scores=np.array([score]), points=np.array([box + eyes]))


def test_blazeface_back_has_896_anchors_row_by_row() -> None:
    centres = anchors(HEAD.anchors)
    assert centres.shape == (896, 2)
    assert centres[0].tolist() == centres[1].tolist() == [0.5 / 16, 0.5 / 16]
    assert centres[2].tolist() == [1.5 / 16, 0.5 / 16]
    assert centres[512].tolist() == centres[517].tolist() == [0.5 / 8, 0.5 / 8]
    assert centres[895].tolist() == [7.5 / 8, 7.5 / 8]


def test_the_frame_is_looked_at_whole_in_tiles_and_turned() -> None:
    found = list(views(WHOLE, HEAD))
    assert found[0] == WHOLE
    assert [(view.left, view.top) for view in found[1:5]] == [
        (0, 0),
        (pytest.approx(400), 0),
        (0, pytest.approx(800 / 3)),
        (pytest.approx(400), pytest.approx(800 / 3)),
    ]
    assert found[1].width == pytest.approx(500)
    assert found[1].width - found[2].left == pytest.approx(0.2 * 500)
    assert found[4].left + found[4].width == pytest.approx(900)
    assert found[5] == replace(WHOLE, is_turned=True)


@pytest.mark.parametrize(
    ("tiles", "is_turned", "count"), [(0, False, 1), (1, True, 2), (3, False, 10)]
)
def test_a_card_may_ask_for_fewer_or_more_views(
    tiles: int, is_turned: bool, count: int
) -> None:
    assert len(list(views(WHOLE, replace(HEAD, tiles=tiles, is_turned=is_turned)))) == count


def test_what_is_too_long_gets_bars_around_its_middle() -> None:
    tall = View(left=10, top=20, width=100, height=600)
    whole, *tiles, turned = views(tall, HEAD)
    assert whole == View(left=-140, top=20, width=400, height=600)
    assert turned == replace(whole, is_turned=True)
    assert all(view.height / view.width == pytest.approx(1.5) for view in tiles)
    wide = View(left=0, top=0, width=600, height=100)
    assert next(views(wide, HEAD)) == View(left=0, top=-150, width=600, height=400)


def test_a_box_is_read_from_its_anchor() -> None:
    centres = np.array([[0.5, 0.25], [0.1, 0.1]])
    logits = np.array([[[0.0], [-0.1]]], dtype=np.float32)
    boxes = np.array([[[8, -8, 32, 64, -4, -8, 4, -8] + [0] * 8] * 2], dtype=np.float32)
    faces = decode_faces(logits, boxes, centres=centres, size_px=128, threshold=0.5)
    assert faces.scores.tolist() == [0.5]
    assert (faces.points[0] * 128).tolist() == [[56, -8], [88, 56], [60, 24], [68, 24]]
    assert (faces.sides_px * 128).tolist() == [32]


def test_a_box_of_no_number_is_no_face() -> None:
    boxes = np.full((1, 1, 16), np.nan, dtype=np.float32)
    faces = decode_faces(
        np.full((1, 1, 1), 1e30, dtype=np.float32),
        boxes,
        centres=np.array([[0.5, 0.5]]),
        size_px=128,
        threshold=0.5,
    )
    assert len(faces.scores) == 0


@pytest.mark.parametrize(
    ("logits", "boxes"),
    [((1, 3, 1), (1, 2, 16)), ((1, 2, 1), (1, 3, 16)), ((2, 1), (1, 2, 16))],
)
def test_tensors_that_do_not_fit_the_anchors_are_refused(
    logits: tuple[int, ...], boxes: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="anchors"):
        decode_faces(
            np.zeros(logits, dtype=np.float32),
            np.zeros(boxes, dtype=np.float32),
            centres=np.zeros((2, 2)),
            size_px=128,
            threshold=0.5,
        )


def test_a_face_of_a_turned_view_keeps_left_top_first() -> None:
    found = Faces(
        scores=np.array([0.9]),
        points=np.array([[[0.1, 0.2], [0.3, 0.5], [0.15, 0.3], [0.25, 0.3]]]),
    )
    points = in_frame(found, replace(WHOLE, is_turned=True)).points[0]
    assert points[0].tolist() == [pytest.approx(630), pytest.approx(300)]
    assert points[1].tolist() == [pytest.approx(810), pytest.approx(480)]
    # The eyes are those of a head that stands upside down in the frame.
    assert points[2].tolist() == [pytest.approx(765), pytest.approx(420)]
    assert points[3].tolist() == [pytest.approx(675), pytest.approx(420)]


def test_the_same_face_in_two_views_is_one_weighted_by_score() -> None:
    once = blend([face(10, 10, 100, 0.6), face(20, 10, 100, 0.9)], overlap=0.3)
    assert once.scores.tolist() == [0.9]
    assert once.points[0, 0, 0] == pytest.approx((10 * 0.6 + 20 * 0.9) / 1.5)


def test_a_view_that_shows_the_face_the_wrong_way_up_does_not_move_its_eyes() -> None:
    upright = face(10, 10, 100, 0.9)
    wrong = face(20, 10, 100, 0.6)
    wrong.points[0, 2:] = wrong.points[0, [3, 2]] + (0, 40)
    once = blend([wrong, upright], overlap=0.3)
    assert once.scores.tolist() == [0.9]
    assert np.array_equal(once.points, upright.points)


def test_two_faces_side_by_side_stay_two() -> None:
    both = blend([face(10, 10, 100, 0.6), face(90, 10, 100, 0.9)], overlap=0.3)
    assert both.scores.tolist() == [0.9, 0.6]


def test_no_face_is_no_face() -> None:
    empty = Faces(scores=np.empty(0), points=np.empty((0, 4, 2)))
    assert blend([empty, empty], overlap=0.3).points.shape == (0, 4, 2)


@given(
    st.lists(
        st.tuples(st.floats(0, 500), st.floats(0, 500), st.floats(0, 300), st.floats(0.5, 1.0)),
        max_size=20,
    )
)
def test_no_two_faces_that_remain_are_wholly_apart_from_what_was_found(
    boxes: list[tuple[float, float, float, float]],
) -> None:
    found = [face(*box) for box in boxes] or [face(0, 0, 10, 0.5)]
    once = blend(found, overlap=0.3)
    assert 1 <= len(once.scores) <= len(found)
    assert once.scores.max() == max(one.scores[0] for one in found)
    assert sorted(once.scores, reverse=True) == once.scores.tolist()
