"""The models of a directory: opened, or refused with what to do."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from protech.errors import ModelError
from protech.models import registry
from protech.models.registry import ModelSet, open_models
from tests.surrogate import make_surrogate


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return make_surrogate(tmp_path / "models")


def opened(directory: Path) -> ModelSet:
    models = open_models(directory)
    assert models is not None
    return models


def rewrite(directory: Path, task: str, **changes: object) -> None:
    path = directory / task / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_whole_directory_opens(directory: Path) -> None:
    models = opened(directory)
    assert models.directory == directory.absolute()
    assert models.ids == (
        ("explicit", "surrogate-explicit"),
        ("face", "surrogate-face"),
        ("age", "surrogate-age"),
    )
    assert models.lowest_explicit == 0.2


def test_the_operating_point_joins_both_cards(directory: Path) -> None:
    models = opened(directory)
    point = models.point("guard")
    assert models.age is not None
    assert point.name == "guard"
    assert point.explicit == 0.5
    assert point.apparent_minor == models.age.head.apparent_minor(26.1)
    assert point.clearly_adult == models.age.head.apparent_minor(30.7)
    assert point.clearly_adult < point.apparent_minor


@pytest.mark.parametrize("missing", ["face", "age"])
def test_face_and_age_may_be_missing(directory: Path, missing: str) -> None:
    shutil.rmtree(directory / missing)
    models = opened(directory)
    assert missing not in dict(models.ids)
    assert models.point("guard").explicit == 0.5


def test_without_an_age_model_no_score_reaches_a_threshold_of_age(directory: Path) -> None:
    shutil.rmtree(directory / "age")
    point = opened(directory).point("guard")
    assert (point.apparent_minor, point.clearly_adult) == (1.0, 0.0)


def test_an_unknown_operating_point_is_refused_by_name(directory: Path) -> None:
    with pytest.raises(ModelError, match=r"'nonsense'.*guard, messaging, triage"):
        opened(directory).point("nonsense")


def test_points_that_the_age_card_lacks_are_refused_at_once(directory: Path) -> None:
    path = directory / "age" / "card.json"
    raw = json.loads(path.read_text())
    del raw["head"]["points"]["guard"]
    path.write_text(json.dumps(raw))
    with pytest.raises(ModelError, match="no operating point 'guard'"):
        open_models(directory)


def test_the_package_may_carry_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "PACKAGED", tmp_path / "data")
    assert open_models() is None


def test_the_packages_own_models_open_without_a_name(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "PACKAGED", directory)
    models = open_models(None)
    assert models is not None
    assert len(models.cards) == 3


def test_a_named_directory_without_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"explicit/card\.json"):
        open_models(tmp_path)
    with pytest.raises(ModelError, match=r"explicit/card\.json"):
        open_models(tmp_path / "nowhere")


def test_models_without_the_explicit_one_are_refused(directory: Path) -> None:
    shutil.rmtree(directory / "explicit")
    with pytest.raises(ModelError, match=r"explicit/card\.json"):
        open_models(directory)


def test_a_file_that_is_not_the_cards_is_refused(directory: Path) -> None:
    path = directory / "face" / "model.onnx"
    path.write_bytes(path.read_bytes() + b"\x00")
    with pytest.raises(ModelError, match="SHA-256"):
        open_models(directory)


def test_a_file_that_changes_after_opening_is_refused(directory: Path) -> None:
    models = opened(directory)
    (directory / "explicit" / "model.onnx").write_bytes(b"something else")
    with pytest.raises(ModelError, match="SHA-256"):
        models.content(models.explicit)


def test_a_file_with_the_right_digest_that_is_no_model_is_refused(directory: Path) -> None:
    content = b"\x80\x04."  # an empty pickle
    (directory / "age" / "model.onnx").write_bytes(content)
    rewrite(directory, "age", sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(ModelError, match="ONNX"):
        open_models(directory)


def test_a_missing_file_says_which(directory: Path) -> None:
    (directory / "age" / "model.onnx").unlink()
    with pytest.raises(ModelError, match="the model for 'age' cannot be read"):
        open_models(directory)


def test_a_card_at_the_size_limit_is_read_and_beyond_it_is_refused(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = max(
        (directory / task / "card.json").stat().st_size for task in ("explicit", "face", "age")
    )
    monkeypatch.setattr(registry, "CARD_BYTES", size)
    opened(directory)
    monkeypatch.setattr(registry, "CARD_BYTES", size - 1)
    with pytest.raises(ModelError, match="larger"):
        open_models(directory)


def test_no_message_tells_a_path_or_a_digest(directory: Path) -> None:
    models = opened(directory)
    (directory / "explicit" / "model.onnx").write_bytes(b"")
    with pytest.raises(ModelError) as caught:
        models.content(models.explicit)
    assert str(directory) not in str(caught.value)
    assert models.explicit.sha256 not in str(caught.value)
