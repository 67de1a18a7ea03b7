"""What the demo says about what it saw; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protech.guard import words
from protech.guard.demo.look import Seen
from protech.guard.demo.pictures import Photo, evening_pixels, has_detail
from protech.guard.words import line
from protech.types import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one photo."""

    photo: Photo
    reason: Reason
    without: Seen
    through: Seen

    @property
    def is_shown_without(self) -> bool:
        """Whether the page shows it where there is no guard."""
        return has_detail(self.without.pixels)

    @property
    def pixels_without(self) -> int:
        """Pixels of a listed photo on the screen without the guard."""
        return evening_pixels(self.without.pixels)

    @property
    def pixels_through(self) -> int:
        """Pixels of a listed photo on the screen with the guard."""
        return evening_pixels(self.through.pixels)

    @property
    def is_same(self) -> bool:
        """Whether both looks show the very same."""
        return self.without.content == self.through.content

    @property
    def is_right(self) -> bool:
        """Whether a listed photo is hidden wholly, or another one left wholly alone."""
        if self.photo.is_listed:
            return self.pixels_without > 0 and self.pixels_through == 0
        return self.is_shown_without and self.is_same


COLUMNS = (
    ("photo", 16),
    ("how the page brings it", 46),
    ("judged", 13),
    ("without guard", 15),
    ("with guard", 12),
)


def report(outcomes: Sequence[Outcome], state: Mapping[str, Any], *, has_browser: bool) -> str:
    """Return the table and its sum in words."""
    listed = [outcome for outcome in outcomes if outcome.photo.is_listed]
    others = [outcome for outcome in outcomes if not outcome.photo.is_listed]
    return "\n".join(
        [
            "",
            line("Known list", words.lists(state)),
            line("Models", words.models(state)),
            line("Decoding", words.sandbox(state)),
            "",
            _row([name for name, _ in COLUMNS]),
            _row(["─" * (width - 2) for _, width in COLUMNS]),
            *(_row(_cells(outcome)) for outcome in listed),
            "",
            *(_row(_cells(outcome)) for outcome in others),
            "",
            *_sum(listed, others, has_browser=has_browser),
        ]
    )


def pictures(directory: Path, names: Sequence[str]) -> str:
    """Return where the screenshots are."""
    return "\n".join(
        ["", line("Screenshots", str(directory)), *(line("", name) for name in names)]
    )


def invitation(command: str | None, *, page: str | None) -> str:
    """Return how to look for oneself while the demo's guard goes on."""
    lines = ["", "  The guard goes on, so that you can look for yourself."]
    if command is not None:
        lines += ["  In a browser window of its own:", "", f"    {command}"]
    if page is not None:
        lines += ["", line("Its page", page)]
    return "\n".join(
        [*lines, "", "  Ctrl-C ends the demo and removes all but the screenshots."]
    )


def _cells(outcome: Outcome) -> list[str]:
    photo = outcome.photo
    return [
        photo.title,
        f"{photo.served}, {photo.placing.value}",
        outcome.reason.value if outcome.reason is not Reason.NONE else "-",
        "shown" if outcome.is_shown_without else "NOT SHOWN",
        _with_guard(outcome),
    ]


def _with_guard(outcome: Outcome) -> str:
    if outcome.photo.is_listed:
        return "SHOWN" if outcome.pixels_through else "hidden"
    return "shown" if outcome.is_same else "CHANGED"


def _row(cells: Sequence[str]) -> str:
    widths = [width for _, width in COLUMNS]
    return (
        "  "
        + "".join(
            f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)
        ).rstrip()
    )


def _sum(
    listed: Sequence[Outcome], others: Sequence[Outcome], *, has_browser: bool
) -> list[str]:
    hidden = sum(outcome.is_right for outcome in listed)
    same = sum(outcome.is_right for outcome in others)
    without = sum(outcome.pixels_without for outcome in listed)
    through = sum(outcome.pixels_through for outcome in listed)
    where = "on the screen" if has_browser else "received"
    alike = "pixel for pixel" if has_browser else "byte for byte"
    pixels = f"{without:,} of their pixels {where} without the guard, {through:,} with it"
    return [
        f"  {hidden} of {len(listed)} photos of the known list hidden: {pixels}.",
        f"  {same} of {len(others)} other photos left alone, {alike}.",
    ]
