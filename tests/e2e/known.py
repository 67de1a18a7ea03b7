"""The sets of pictures that the matrix and its bench serve, and the known list of one."""

import subprocess
import sys
from pathlib import Path

from tests.e2e.matrix import pictures
from tests.e2e.matrix.pictures import Picture
from tests.e2e.matrix.processes import environment
from tests.surrogate import Variant, paint_pattern

Album = dict[str, dict[str, Picture]]

LISTED_SEED, FREE_SEED, OTHER_SEEDS = 11, 12, (13, 14)
PATTERNS = {
    "classified": Variant.MINOR,
    "unsure": Variant.NOBODY,
    "unjudged": Variant.TINY,
    "adult": Variant.ADULT,
}
"""Sets of photos that carry the test pattern, each photo of its own."""


def make_album(directory: Path) -> None:
    """Write every set, still and moving: listed and with the pattern (warm), free (cool)."""
    others = [pictures.photo(seed, is_warm=False) for seed in OTHER_SEEDS]
    photos = {
        "listed": pictures.photo(LISTED_SEED, is_warm=True),
        "free": pictures.photo(FREE_SEED, is_warm=False),
    }
    for seed, (name, variant) in enumerate(PATTERNS.items()):
        photos[name] = paint_pattern(pictures.photo(seed, is_warm=True), variant)
    for name, photo in photos.items():
        pictures.write(pictures.copies(photo), directory / name)
        pictures.write(pictures.animations(photo, others), directory / f"{name}-moving")
        pictures.write(pictures.formats(photo), directory / f"{name}-formats")


def read_album(directory: Path) -> Album:
    """Return every set of pictures, by name."""
    return {path.name: pictures.read(path) for path in sorted(directory.iterdir())}


def make_known(album: Album, directory: Path) -> Path:
    """Make a known list of the listed photo's own file, as a person would make it."""
    photos = directory / "photos"
    photos.mkdir()
    (photos / "photo.jpg").write_bytes(album["listed"]["own"].content)
    out = directory / "known.list"
    subprocess.run(
        [sys.executable, "-m", "protech.cli", "lists", "make", str(photos), "--out", str(out)],
        env=environment(directory),
        check=True,
        capture_output=True,
    )
    return out
