"""The models of one directory: cards read, files checked, operating points put together."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from protech.errors import ModelError
from protech.models.card import (
    CARD_BYTES,
    REPAIR,
    TASKS,
    AgeHead,
    AnyCard,
    Card,
    ExplicitHead,
    FaceHead,
    read_card,
)
from protech.models.graph import MODEL_BYTES, check_graph
from protech.types import OperatingPoint

PACKAGED = Path(__file__).parent / "data"
"""Where ``tools/build_models.py`` writes; package data of the wheel, not in git."""

CARD_NAME = "card.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSet:
    """The models of ``directory``; without a face or age model every person is unjudged."""

    directory: Path
    explicit: Card[ExplicitHead]
    face: Card[FaceHead] | None = None
    age: Card[AgeHead] | None = None

    @property
    def cards(self) -> tuple[AnyCard, ...]:
        """The cards that are there, in the order of the cascade."""
        return tuple(card for card in (self.explicit, self.face, self.age) if card is not None)

    @property
    def ids(self) -> tuple[tuple[str, str], ...]:
        """Pairs of task and model id, as verdicts name them."""
        return tuple((str(card.task), card.id) for card in self.cards)

    @property
    def lowest_explicit(self) -> float:
        """The lowest explicit threshold of any operating point: where the cascade goes on."""
        return min(point.explicit for point in self.explicit.head.points.values())

    def point(self, name: str) -> OperatingPoint:
        """Return the thresholds called ``name``.

        Raises:
            ModelError: A card does not have that operating point.
        """
        explicit = _named(self.explicit, self.explicit.head.points, name).explicit
        if self.age is None:
            # Nobody's age is judged then: neither threshold is ever compared with a score.
            return OperatingPoint(
                name=name, explicit=explicit, apparent_minor=1.0, clearly_adult=0.0
            )
        head = self.age.head
        years = _named(self.age, head.points, name)
        return OperatingPoint(
            name=name,
            explicit=explicit,
            apparent_minor=head.apparent_minor(years.minor_to_years),
            clearly_adult=head.apparent_minor(years.adult_from_years),
        )

    def content(self, card: AnyCard) -> bytes:
        """Return the model's file, checked against its card and looked through.

        Raises:
            ModelError: It cannot be read, is not the file of its card, or is no plain ONNX.
        """
        where = f"the model for '{card.task}'"
        content = _read(self.directory / card.task / card.file, limit=MODEL_BYTES, what=where)
        if hashlib.sha256(content).hexdigest() != card.sha256:
            raise ModelError(
                f"{where} is not the file that its card names (SHA-256 differs); "
                "put back the file, or make both again with `python3 tools/build_models.py`"
            )
        check_graph(content, where=where)
        return content


def open_models(directory: Path | None = None) -> ModelSet | None:
    """Return the models of ``directory``, every card and file checked.

    Args:
        directory: ``<task>/card.json`` and the file that it names, for the task
            ``explicit`` and optionally ``face`` and ``age``; None takes the package's models.

    Returns:
        None where no directory was named and the package carries no model.

    Raises:
        ModelError: The directory has no model, or a model or card cannot be used.
    """
    place = PACKAGED if directory is None else directory
    explicit = _card(place, ExplicitHead)
    if explicit is None and directory is None:
        return None
    if explicit is None:
        raise ModelError(
            "the directory of models has no explicit/card.json, and without that model the "
            "others are never asked; name a directory that tools/build_models.py wrote"
        )
    models = ModelSet(
        directory=place.absolute(),
        explicit=explicit,
        face=_card(place, FaceHead),
        age=_card(place, AgeHead),
    )
    for card in models.cards:
        models.content(card)
    for name in explicit.head.points:
        models.point(name)
    return models


def _card[Head](place: Path, head: type[Head]) -> Card[Head] | None:
    path = place / TASKS[head] / CARD_NAME
    if not path.exists():
        return None
    what = f"the card of the model for '{TASKS[head]}'"
    return read_card(_read(path, limit=CARD_BYTES, what=what), head=head)


def _named[Point](card: AnyCard, points: Mapping[str, Point], name: str) -> Point:
    if name not in points:
        raise ModelError(
            f"the card of the model for '{card.task}' has no operating point '{name}' "
            f"(it has {', '.join(sorted(points))}); {REPAIR}"
        )
    return points[name]


def _read(path: Path, *, limit: int, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise ModelError(f"{what} cannot be read ({error.strerror}); {REPAIR}") from error
    if len(content) > limit:
        raise ModelError(f"{what} is larger than {limit} bytes; {REPAIR}")
    return content
