"""The classifier: explicit first; faces and their ages only when that score calls for them.

Runs only inside a sandboxed worker. Pixels stay here; scores leave.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from protech.errors import ModelError
from protech.models.card import REPAIR, AgeHead, AnyCard, Card, ExplicitHead, FaceHead
from protech.models.registry import ModelSet
from protech.models.runtime import Session, give_back
from protech.salus.faces import Faces, anchors, blend, decode_faces, in_frame, views
from protech.salus.frames import Pixels
from protech.salus.views import Picture, tensor
from protech.types import Person, Scores

ROUNDING = 1e-3
"""How far a share may stand outside of [0, 1] by rounding."""

UNJUDGED = Person(apparent_minor=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplicitModel:
    """Gives the explicit score of a whole frame."""

    card: Card[ExplicitHead]
    session: Session

    def score(self, picture: Picture) -> float:
        """Return the score in [0, 1].

        Raises:
            ModelError: The model gives something else.
        """
        spec, head = self.card.input, self.card.head
        values = tensor(picture.seen(picture.whole, spec.resize_px), spec)
        (output,) = self.session.run(spec.name, values, [head.output])
        shares = output.reshape(-1)
        if head.index >= len(shares):
            raise _misfit(self.card)
        return _share(self.card, float(shares[head.index]))


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceModel:
    """Finds the faces of a frame."""

    card: Card[FaceHead]
    session: Session
    centres: NDArray[np.float64]

    def faces(self, picture: Picture) -> Faces:
        """Return each face once, best first, looking at every view that the card asks for."""
        spec, head = self.card.input, self.card.head
        found: list[Faces] = []
        for view in views(picture.whole, head):
            values = tensor(picture.seen(view, spec.resize_px), spec)
            logits, boxes = self.session.run(spec.name, values, [head.scores, head.boxes])
            try:
                faces = decode_faces(
                    logits,
                    boxes,
                    centres=self.centres,
                    size_px=spec.size_px,
                    threshold=head.threshold,
                )
            except ValueError as error:
                raise _misfit(self.card) from error
            found.append(in_frame(faces, view))
        return blend(found, overlap=head.overlap)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeModel:
    """Gives the apparent age of one face."""

    card: Card[AgeHead]
    session: Session

    def person(self, picture: Picture, eyes: NDArray[np.float64], *, side_px: float) -> Person:
        """Return the person of a face; unjudged where it is too small or cannot be cut out."""
        spec, head = self.card.input, self.card.head
        if side_px < head.min_face_px:
            return UNJUDGED
        onto = (np.array(head.eyes) + head.padding) / (1.0 + 2.0 * head.padding)
        chip = picture.chip(eyes, onto=onto, size_px=spec.size_px)
        if chip is None:
            return UNJUDGED
        years = self.expected_age(chip)
        return Person(apparent_minor=head.apparent_minor(years))

    def expected_age(self, chip: Pixels) -> float:
        """Return the mean age in years that the model gives to ``chip``.

        Raises:
            ModelError: The model does not give shares of 1, one for each age of its card.
        """
        spec, head = self.card.input, self.card.head
        (output,) = self.session.run(spec.name, tensor(chip, spec), [head.output])
        shares = output.reshape(-1).astype(np.float64)
        if len(shares) != len(head.ages) or not abs(shares.sum() - 1.0) <= 10 * ROUNDING:
            raise _misfit(self.card)
        return float(shares @ np.array(head.ages))


class Classifier:
    """Scores frames with the models of one set; safe to call from several threads."""

    def __init__(
        self,
        *,
        explicit: ExplicitModel,
        lowest_explicit: float,
        face: FaceModel | None = None,
        age: AgeModel | None = None,
    ) -> None:
        """Take the opened models; below ``lowest_explicit`` no face is looked for."""
        self._explicit = explicit
        self._lowest_explicit = lowest_explicit
        self._face = face
        self._age = age

    @classmethod
    def open(cls, models: ModelSet, *, threads: int = 1) -> Self:
        """Open every model of ``models`` and run it once, so that later runs allocate little.

        Raises:
            ModelError: A model cannot be used, or does not do what its card says.
        """

        def session(card: AnyCard) -> Session:
            where = f"the model for '{card.task}'"
            return Session(models.content(card), where=where, threads=threads)

        explicit = ExplicitModel(card=models.explicit, session=session(models.explicit))
        face = age = None
        if models.face is not None:
            centres = anchors(models.face.head.anchors)
            face = FaceModel(card=models.face, session=session(models.face), centres=centres)
        if models.age is not None:
            age = AgeModel(card=models.age, session=session(models.age))
        classifier = cls(
            explicit=explicit, lowest_explicit=models.lowest_explicit, face=face, age=age
        )
        classifier._warm()
        give_back()
        return classifier

    def scores(self, pixels: Pixels) -> Scores:
        """Return the scores of a frame, (height, width, 3) uint8 sRGB.

        Raises:
            ModelError: A model does not do what its card says.
        """
        picture = Picture.of(pixels)
        explicit = self._explicit.score(picture)
        if explicit < self._lowest_explicit or self._face is None:
            return Scores(explicit=explicit)
        return Scores(explicit=explicit, persons=self._persons(picture, self._face))

    def _persons(self, picture: Picture, face: FaceModel) -> tuple[Person, ...]:
        faces = face.faces(picture)
        judged = min(len(faces.scores), face.card.head.max_faces)
        persons = [
            self._age.person(picture, faces.points[i, 2:], side_px=float(faces.sides_px[i]))
            if self._age is not None
            else UNJUDGED
            for i in range(judged)
        ]
        # Who is beyond the bound stands as one unjudged person, so that nobody is passed over.
        return tuple(persons) + (UNJUDGED,) * (judged < len(faces.scores))

    def _warm(self) -> None:
        grey = np.full((512, 512, 3), 128, dtype=np.uint8)
        picture = Picture.of(grey)
        self._explicit.score(picture)
        if self._face is not None:
            self._face.faces(picture)
        if self._age is not None:
            size_px = self._age.card.input.size_px
            self._age.expected_age(grey[:size_px, :size_px])


def _share(card: AnyCard, value: float) -> float:
    if not -ROUNDING <= value <= 1.0 + ROUNDING:  # also where it is not a number
        raise _misfit(card)
    return min(max(value, 0.0), 1.0)


def _misfit(card: AnyCard) -> ModelError:
    return ModelError(
        f"the model for '{card.task}' does not give what its card describes; {REPAIR}"
    )
