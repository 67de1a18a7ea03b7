"""docs/licences.md names whatever in the product's locks is not simply permissive."""

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from tools.lock import pins

ROOT = Path(__file__).resolve().parents[2]
NAMED = set(re.findall(r"`([\w-]+)`", (ROOT / "docs" / "licences.md").read_text()))

PERMISSIVE = re.compile(
    r"\b(MIT|BSD|0BSD|Apache|PSF|CC0|ISC|Zlib|Unlicense|Permission is hereby granted, free)\b",
    re.IGNORECASE,
)
RECIPROCAL = re.compile(r"(GPL|\bMPL|Mozilla|EUPL|Reciprocal)", re.IGNORECASE)
BUNDLED = re.compile(r"lib(x264|x265|heif|de265|avcodec|avformat)\b")
"""Libraries under the GPL or LGPL that wheels bring along whatever their own licence says."""


def installed() -> list[Distribution]:
    """Return the packages of the product's locks that are meant for this machine."""
    locks = [(ROOT / "requirements" / name).read_text() for name in ("guard.txt", "locate.txt")]
    found = []
    for line in {line: None for lock in locks for line in pins(lock).values()}:
        try:
            found.append(distribution(line.partition("==")[0]))
        except PackageNotFoundError:
            assert ";" in line, f"{line} is not installed"  # another system's
    return found


def name_of(package: Distribution) -> str:
    return package.name.replace("_", "-").lower()


def licence_of(package: Distribution) -> str:
    """Return what a package says of its licence, else the first words of its licence."""
    told = package.metadata
    classifiers = [one for one in told.get_all("Classifier") or () if one.startswith("License")]
    short = (told.get("License") or "").partition("\n")[0]
    words = " ".join([told.get("License-Expression") or "", short, *classifiers]).strip()
    return words or " ".join(
        Path(str(file.locate())).read_text()[:200]
        for file in package.files or ()
        if file.name.startswith("LICENSE")
    )


def test_what_asks_for_more_than_credit_is_named() -> None:
    restricted = {
        name_of(package)
        for package in installed()
        if RECIPROCAL.search(licence_of(package))
        or any(BUNDLED.match(file.name) for file in package.files or ())
    }
    assert restricted <= NAMED, restricted - NAMED


def test_every_other_licence_is_known_to_be_permissive() -> None:
    unknown = {
        name_of(package): licence_of(package)
        for package in installed()
        if name_of(package) not in NAMED and not PERMISSIVE.search(licence_of(package))
    }
    assert unknown == {}


def test_no_name_on_the_page_is_out_of_date() -> None:
    names = {name_of(package) for package in installed()}
    assert {name for name in NAMED if name not in names} == set()
