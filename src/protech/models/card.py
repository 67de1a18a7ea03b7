"""The model card: everything the engine has to know of a model, beside the weights themselves.

A model is a directory ``<task>/`` with ``model.onnx``, ``card.json`` and its licence texts.
This module is the only reader and writer of ``card.json``. No threshold and no constant of a
model stands in code: they come from here.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import StrEnum

from protech.errors import ModelError
from protech.models.fields import FieldError, read_fields

FORMAT_VERSION = 1

CARD_BYTES = 1024 * 1024
"""A card is a page or two; more is not one."""

REPAIR = "make it again with `python3 tools/build_models.py`, or choose another model"


class Task(StrEnum):
    """What a model is asked."""

    EXPLICIT = "explicit"
    FACE = "face"
    AGE = "age"


class Layout(StrEnum):
    """Order of the axes of an input: N number, H height, W width, C channels."""

    NHWC = "NHWC"
    NCHW = "NCHW"


class Channels(StrEnum):
    """Order of the colour channels."""

    RGB = "RGB"
    BGR = "BGR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """How pixels become the input tensor: (pixels - mean) * scale, float32.

    The frame is stretched to a square of ``resize_px`` by Pillow's bilinear filter and its
    centre square of ``size_px`` is taken; equal sizes take all of it.
    """

    name: str
    layout: Layout
    channels: Channels
    mean: tuple[float, float, float]
    scale: float
    size_px: int
    resize_px: int
    resize: str = "bilinear"

    def __post_init__(self) -> None:
        """Refuse sizes that do not fit and filters that are not offered."""
        if not 1 <= self.size_px <= self.resize_px <= 2048:
            raise ValueError("sizes have to satisfy 1 <= size_px <= resize_px <= 2048")
        if self.resize != "bilinear":
            raise ValueError("resize has to be bilinear")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplicitPoint:
    """One operating point: scores from ``explicit`` upwards count, and how that was chosen."""

    explicit: float
    calibration: str

    def __post_init__(self) -> None:
        """Refuse what is no score, or 0, which everything reaches."""
        if not 0.0 < self.explicit <= 1.0:
            raise ValueError("explicit has to be above 0 and at most 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplicitHead:
    """Where the score in [0, 1] stands: column ``index`` of ``output``, shape (1, n)."""

    output: str
    index: int
    points: Mapping[str, ExplicitPoint]

    def __post_init__(self) -> None:
        """Refuse a card without operating points."""
        if not self.points:
            raise ValueError("points is empty")
        if self.index < 0:
            raise ValueError("index is negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorGrid:
    """``cells`` x ``cells`` places over the square input, row by row, ``per_cell`` at each."""

    cells: int
    per_cell: int

    def __post_init__(self) -> None:
        """Refuse grids out of all proportion."""
        if not (1 <= self.cells <= 512 and 1 <= self.per_cell <= 16):
            raise ValueError("cells is 1 to 512, per_cell 1 to 16")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceHead:
    """How faces are read: BlazeFace's two tensors over anchors, and which views are taken.

    ``scores`` is (1, anchors, 1) logits. ``boxes`` is (1, anchors, at least 8), in pixels of
    the input: centre x, y from the anchor, width, height, then image-left eye x, y and
    image-right eye x, y from the anchor. Faces from a score of ``threshold`` upwards count;
    those that share ``overlap`` of their union are one face.
    A frame is looked at whole, in ``tiles`` x ``tiles`` tiles (0 or 1: none) that overlap by
    ``tile_overlap`` of their side, and turned by 180 degrees where ``is_turned``. A view whose
    one side is above ``max_stretch`` times the other is widened before it is made square.
    Beyond ``max_faces`` faces the rest stand as one person who cannot be judged.
    """

    scores: str
    boxes: str
    anchors: tuple[AnchorGrid, ...]
    threshold: float
    overlap: float
    tiles: int
    tile_overlap: float
    is_turned: bool
    max_stretch: float
    max_faces: int

    def __post_init__(self) -> None:
        """Refuse shares that are none and counts out of all proportion."""
        if not all(0.0 < share < 1.0 for share in (self.threshold, self.overlap)):
            raise ValueError("threshold and overlap lie between 0 and 1")
        if not (0 <= self.tiles <= 8 and 0.0 <= self.tile_overlap <= 0.5):
            raise ValueError("tiles is 0 to 8, tile_overlap 0 to 0.5")
        if not (self.anchors and 1 <= self.max_faces <= 256 and self.max_stretch >= 1.0):
            raise ValueError("anchors is not empty, max_faces 1 to 256, max_stretch at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgePoint:
    """One operating point in years of expected age, and how it was chosen.

    Up to ``minor_to_years`` a person counts as an apparent minor, from ``adult_from_years`` as
    clearly adult; between the two as unsure.
    """

    minor_to_years: float
    adult_from_years: float
    calibration: str

    def __post_init__(self) -> None:
        """Refuse cuts that cross."""
        if not 0.0 <= self.minor_to_years < self.adult_from_years:
            raise ValueError("minor_to_years has to be below adult_from_years")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeHead:
    """How an age is read, and how it becomes ``apparent_minor``.

    ``output`` is (1, len(ages)) shares of 1; their mean age is the expected age. ``eyes`` are
    where the two eyes stand in the face chip before ``padding``, as shares of its side,
    image-left first. A face below ``min_face_px`` on its shorter side cannot be judged.

    apparent_minor = 1 / (1 + exp((expected age - centre_years) / scale_years)): it falls with
    age and is 0.5 at ``centre_years``.
    """

    output: str
    ages: tuple[float, ...]
    eyes: tuple[tuple[float, float], tuple[float, float]]
    padding: float
    min_face_px: int
    centre_years: float
    scale_years: float
    points: Mapping[str, AgePoint]

    def __post_init__(self) -> None:
        """Refuse maps that do not fall with age and chips that are none."""
        if not (self.ages and self.points):
            raise ValueError("ages and points are not empty")
        if not (
            self.scale_years > 0.0 and 0.0 <= self.padding <= 2.0 and self.min_face_px >= 1
        ):
            raise ValueError("scale_years is above 0, padding 0 to 2, min_face_px at least 1")
        if math.dist(*self.eyes) < 0.05:
            raise ValueError("eyes are too close to each other")

    def apparent_minor(self, years: float) -> float:
        """Return the score of an expected age, in [0, 1]."""
        exponent = (years - self.centre_years) / self.scale_years
        return 1.0 / (1.0 + math.exp(min(exponent, 700.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Card[Head]:
    """One model: what it is, whence, under which licence, how it is fed and read.

    ``figures`` are what was measured or stated, each with where; ``unknown`` what was not.
    ``extra`` holds fields of the file that this version does not know.
    """

    task: Task
    id: str
    file: str
    sha256: str
    licence: str
    source: str
    date: str
    input: Input
    head: Head
    figures: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a file that is not beside the card, and a digest that is none."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*\.onnx", self.file):
            raise ValueError("file has to be the plain name of an .onnx file beside the card")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError("sha256 has to be 64 lower-case hex digits")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}", self.id):
            raise ValueError("id has to be 1 to 64 letters, digits, dots, dashes or plus signs")
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", self.date):
            raise ValueError("date has to be written YYYY-MM-DD")


AnyCard = Card[ExplicitHead] | Card[FaceHead] | Card[AgeHead]


TASKS: Mapping[type, Task] = {
    ExplicitHead: Task.EXPLICIT,
    FaceHead: Task.FACE,
    AgeHead: Task.AGE,
}
"""Which task each kind of head answers."""


def read_card[Head](content: bytes, *, head: type[Head]) -> Card[Head]:
    """Return the card written in ``content``, which has to be one with this kind of ``head``.

    Raises:
        ModelError: It is no card, of another version, for another task, or a field is wrong.
    """
    task = TASKS[head]
    where = f"the card of the model for '{task}'"
    try:
        raw = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{where} is not JSON; {REPAIR}") from error
    version = raw.get("format_version") if isinstance(raw, dict) else None
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise ModelError(
            f"{where} has another format version than {FORMAT_VERSION}, "
            f"which this Protech reads; {REPAIR}"
        )
    if raw.get("task") != task:
        raise ModelError(f"{where} is for another task; {REPAIR}")
    known = {"format_version", *(one.name for one in fields(Card))}
    extra = {name: one for name, one in raw.items() if name not in known}
    try:
        card = read_fields(Card, {**raw, "extra": extra}, "card", inner=head)
    except FieldError as error:
        raise ModelError(f"{where} cannot be used: {error}; {REPAIR}") from error
    return card


def card_text(card: AnyCard) -> str:
    """Return ``card`` as ``read_card`` reads it."""
    raw: dict[str, object] = {"format_version": FORMAT_VERSION}
    raw |= {one.name: _plain(getattr(card, one.name)) for one in fields(card)}
    del raw["extra"]
    raw |= card.extra
    return json.dumps(raw, indent=2, ensure_ascii=False) + "\n"


def _plain(value: object) -> object:
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value
