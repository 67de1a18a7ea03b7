"""The classifier, with the surrogate models of tests/surrogate.py."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from protech.errors import ModelError
from protech.models.card import Card, FaceHead
from protech.models.registry import ModelSet, open_models
from protech.salus.classify import Classifier, ExplicitModel
from protech.salus.faces import Faces
from protech.salus.frames import Pixels
from protech.salus.policy import GUARD, TRIAGE, Policy
from protech.salus.views import Picture
from protech.types import Findings, Frame, Kind, Person, Reason, Scores
from tests.surrogate import Variant, make_surrogate, paint_pattern

WIDTH_PX, HEIGHT_PX = 640, 480


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> ModelSet:
    found = open_models(make_surrogate(tmp_path_factory.mktemp("models")))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def classifier(models: ModelSet) -> Classifier:
    return Classifier.open(models)


@pytest.fixture(scope="module")
def picture() -> Pixels:
    noise = np.random.default_rng(5).integers(0, 80, (HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
    return noise + np.array([150, 60, 60], dtype=np.uint8)


def reason(scores: Scores, models: ModelSet, *, is_adult_filter_on: bool = False) -> Reason:
    settings = replace(GUARD, is_adult_filter_on=is_adult_filter_on)
    findings = Findings(kind=Kind.IMAGE, frames=(Frame(scores=scores),))
    return Policy(settings=settings, point=models.point("guard")).decide(findings).reason


def encoded(pixels: Pixels, form: str, *, scale: float) -> Pixels:
    size = int(WIDTH_PX * scale), int(HEIGHT_PX * scale)
    copy = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)
    with io.BytesIO() as file:
        copy.save(file, form, quality=40)
        return np.asarray(Image.open(file).convert("RGB"))


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        (Variant.MINOR, Reason.CLASSIFIED),
        (Variant.NOBODY, Reason.UNSURE),
        (Variant.TINY, Reason.UNSURE),
        (Variant.ADULT, Reason.NONE),
    ],
)
def test_each_variant_of_the_pattern_leads_to_its_rule(
    classifier: Classifier,
    models: ModelSet,
    picture: Pixels,
    variant: Variant,
    expected: Reason,
) -> None:
    scores = classifier.scores(paint_pattern(picture, variant))
    assert reason(scores, models) is expected


def test_an_adult_is_hidden_by_the_adult_filter_only(
    classifier: Classifier, models: ModelSet, picture: Pixels
) -> None:
    scores = classifier.scores(paint_pattern(picture, Variant.ADULT))
    assert reason(scores, models, is_adult_filter_on=True) is Reason.ADULT_FILTER


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("form", ["JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("variant", list(Variant))
def test_copies_of_the_pattern_with_other_bytes_keep_its_rule(
    classifier: Classifier,
    models: ModelSet,
    picture: Pixels,
    variant: Variant,
    form: str,
    scale: float,
) -> None:
    pattern = paint_pattern(picture, variant)
    copy = classifier.scores(encoded(pattern, form, scale=scale))
    assert reason(copy, models) is reason(classifier.scores(pattern), models)


def test_a_face_that_is_upside_down_is_found_by_the_turned_view(
    classifier: Classifier, models: ModelSet, picture: Pixels
) -> None:
    turned = np.ascontiguousarray(paint_pattern(picture, Variant.MINOR)[::-1, ::-1])
    assert reason(classifier.scores(turned), models) is Reason.CLASSIFIED
    assert models.face is not None
    upright = replace(models.face, head=replace(models.face.head, is_turned=False))
    once = Classifier.open(replace(models, face=upright))
    assert once.scores(turned).persons == ()


def test_a_picture_without_the_pattern_scores_nothing(
    classifier: Classifier, picture: Pixels
) -> None:
    scores = classifier.scores(picture)
    assert scores.explicit is not None
    assert scores.explicit < 0.01
    assert scores.persons == ()


def test_below_the_lowest_threshold_no_face_is_looked_for(
    models: ModelSet, picture: Pixels
) -> None:
    whole = Classifier.open(models)
    found = whole.scores(paint_pattern(picture, Variant.MINOR)).explicit
    assert found is not None
    assert whole._face is not None
    above = Classifier(
        explicit=whole._explicit, lowest_explicit=np.nextafter(found, 1), face=whole._face
    )
    at = Classifier(explicit=whole._explicit, lowest_explicit=found, face=whole._face)
    assert above.scores(paint_pattern(picture, Variant.MINOR)).persons == ()
    assert at.scores(paint_pattern(picture, Variant.MINOR)).persons == (
        Person(apparent_minor=None),
    )


def test_without_a_face_model_everybody_is_unsure(models: ModelSet, picture: Pixels) -> None:
    classifier = Classifier.open(replace(models, face=None, age=None))
    scores = classifier.scores(paint_pattern(picture, Variant.MINOR))
    assert scores.persons == ()
    assert reason(scores, replace(models, face=None, age=None)) is Reason.UNSURE


def test_without_an_age_model_everybody_is_unjudged(models: ModelSet, picture: Pixels) -> None:
    blind = replace(models, age=None)
    scores = Classifier.open(blind).scores(paint_pattern(picture, Variant.ADULT))
    assert scores.persons == (Person(apparent_minor=None),)
    assert reason(scores, blind) is Reason.UNSURE


def test_a_face_is_judged_from_the_least_size_of_the_card_on(
    classifier: Classifier, models: ModelSet, picture: Pixels
) -> None:
    assert classifier._age is not None
    painted = Picture.of(paint_pattern(picture, Variant.MINOR))
    eyes = np.array([[311.0, 230.0], [329.0, 230.0]])
    at = classifier._age.person(painted, eyes, side_px=32.0)
    below = classifier._age.person(painted, eyes, side_px=31.9)
    assert at.apparent_minor is not None
    assert below.apparent_minor is None


def test_eyes_in_one_place_leave_the_age_unjudged(
    classifier: Classifier, picture: Pixels
) -> None:
    assert classifier._age is not None
    eyes = np.array([[300.0, 200.0], [300.0, 200.0]])
    person = classifier._age.person(Picture.of(picture), eyes, side_px=64.0)
    assert person.apparent_minor is None


class Crowd:
    """Finds the same five faces in every picture."""

    def __init__(self, card: Card[FaceHead]) -> None:
        self.card = card

    def faces(self, picture: Picture) -> Faces:
        one = np.array([[296.0, 216.0], [344.0, 264.0], [311.0, 230.0], [329.0, 230.0]])
        return Faces(scores=np.ones(5), points=np.stack([one] * 5))


def test_faces_beyond_the_bound_stand_as_one_unjudged_person(
    classifier: Classifier, models: ModelSet, picture: Pixels
) -> None:
    assert models.face is not None
    few = replace(models.face, head=replace(models.face.head, max_faces=2))
    limited = Classifier(
        explicit=classifier._explicit,
        lowest_explicit=0.5,
        face=Crowd(few),  # type: ignore[arg-type]  # a double
        age=classifier._age,
    )
    persons = limited.scores(paint_pattern(picture, Variant.ADULT)).persons
    assert [person.apparent_minor is None for person in persons] == [False, False, True]
    assert reason(Scores(explicit=0.9, persons=persons), models) is Reason.UNSURE


def test_a_model_whose_card_describes_another_output_is_refused(models: ModelSet) -> None:
    explicit, face, age = models.explicit, models.face, models.age
    assert face is not None
    assert age is not None
    wrong = [
        replace(models, explicit=replace(explicit, head=replace(explicit.head, index=2))),
        replace(models, explicit=replace(explicit, head=replace(explicit.head, output="x"))),
        replace(models, face=replace(face, head=replace(face.head, scores="boxes"))),
        replace(models, age=replace(age, head=replace(age.head, ages=(1.0, 2.0, 3.0)))),
        replace(models, age=replace(age, input=replace(age.input, size_px=32, resize_px=32))),
    ]
    for one in wrong:
        with pytest.raises(ModelError, match=r"card"):
            Classifier.open(one)


def test_a_score_that_is_no_share_is_refused(models: ModelSet, picture: Pixels) -> None:
    class Odd:
        """A session whose model gives what no score is."""

        def __init__(self, value: float) -> None:
            self.value = value

        def run(self, name: str, values: object, outputs: object) -> list[object]:
            return [np.array([[0.0, self.value]], dtype=np.float32)]

    for value in (float("nan"), 1.5, -0.5):
        model = ExplicitModel(card=models.explicit, session=Odd(value))  # type: ignore[arg-type]  # a double
        with pytest.raises(ModelError):
            model.score(Picture.of(picture))
    rounded = ExplicitModel(card=models.explicit, session=Odd(1.0000001))  # type: ignore[arg-type]  # a double
    assert rounded.score(Picture.of(picture)) == 1.0


def test_the_classifier_is_what_makes_the_difference(
    classifier: Classifier, models: ModelSet, picture: Pixels
) -> None:
    pattern = paint_pattern(picture, Variant.MINOR)
    assert reason(classifier.scores(pattern), models) is Reason.CLASSIFIED
    assert reason(Scores(), models) is Reason.NONE


def test_triage_ranks_what_the_guard_lets_pass(models: ModelSet) -> None:
    findings = Findings(kind=Kind.IMAGE, frames=(Frame(scores=Scores(explicit=0.3)),))
    guard = Policy(settings=GUARD, point=models.point("guard"))
    triage = Policy(settings=TRIAGE, point=models.point("triage"))
    assert guard.decide(findings).reason is Reason.NONE
    assert triage.decide(findings).reason is Reason.UNSURE
