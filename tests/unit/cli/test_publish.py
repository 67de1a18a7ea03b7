from pathlib import Path

import pytest

from tests.as_process import run

STEPS = [
    "new",
    "delegate",
    "stage",
    "enrol",
    "revoke",
    "log",
    "now",
    "refresh",
    "status",
    "rotate",
    "renew",
]


@pytest.mark.parametrize("step", STEPS)
def test_each_step_explains_itself_with_an_example(step: str, tmp_path: Path) -> None:
    shown = run("lists", "publish", step, "--help", folder=tmp_path)
    assert shown.returncode == 0
    assert "protech lists publish stage REPO baseline.list" in shown.stdout
    assert "--json" in shown.stdout


def test_a_step_is_asked_for(tmp_path: Path) -> None:
    assert run("lists", "publish", folder=tmp_path).returncode == 2
