"""What the doctor finds, and what it says to do."""

import io
import json
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from protech import RELEASED, doctor
from protech.doctor import NOT_USABLE, SAMPLES, State, all_checks, examine
from protech.errors import ModelError, SandboxError
from protech.guard.demo import look as demo_look
from protech.lists import kernel as index_kernel
from protech.salus.engine import Engine
from protech.sandbox import LockState
from protech.settings import private_directory
from tests.surrogate import make_surrogate

RELEASED_ON = date.fromisoformat(RELEASED)


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CACHE_HOME", "RUNTIME_DIR"):
        (tmp_path / name).mkdir(mode=0o700)
        monkeypatch.setenv(f"XDG_{name}", str(tmp_path / name))
    return tmp_path


def test_on_a_machine_where_all_works_all_is_good(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = make_surrogate(places / "models")
    monkeypatch.setattr("protech.models.registry.PACKAGED", models)
    indexes = private_directory(places / "CACHE_HOME" / "protech" / "lists")
    (indexes / "index").mkdir()
    monkeypatch.setattr(doctor, "BROWSERS", ("true",))
    checks = list(all_checks(today=RELEASED_ON))
    assert [check for check in checks if check.state is not State.GOOD] == []
    assert [check for check in checks if check.advice is not None] == []
    assert all(name in checks[-2].found for name in SAMPLES)
    assert "explicit" in checks[-1].found


def test_it_prints_a_line_each_or_json(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = doctor.Check(name="x", state=State.BROKEN, found="y", advice="do z")
    lacking = doctor.Check(name="v", state=State.LACKING, found="w")
    for checks, code in (([broken, lacking], NOT_USABLE), ([lacking], 0)):
        monkeypatch.setattr(doctor, "all_checks", lambda today, checks=checks: iter(checks))
        text, fields = io.StringIO(), io.StringIO()
        assert examine(is_json=False, out=text) == examine(is_json=True, out=fields) == code
        assert "lacking  v                  w\n" in text.getvalue()
        assert ("-> do z\n" in text.getvalue()) is (broken in checks)
        last = json.loads(fields.getvalue())["checks"][-1]
        assert last == {"name": "v", "state": "lacking", "found": "w", "advice": None}


def test_it_says_what_searches_the_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.index_search().found == index_kernel.name()
    monkeypatch.setattr(index_kernel, "_mih", None)
    without = doctor.index_search()
    assert (without.state, without.found) == (State.LACKING, "NumPy")
    assert without.advice is not None


def test_it_looks_for_the_browsers_that_the_demo_drives() -> None:
    assert doctor.BROWSERS == demo_look.BROWSERS


@pytest.mark.parametrize(
    ("days", "state"), [(0, "good"), (1, "good"), (180, "good"), (181, "lacking")]
)
def test_an_old_version_is_said_to_be_old(days: int, state: str) -> None:
    check = doctor.version(RELEASED_ON + timedelta(days=days))
    assert check.state == state
    assert f"{days} day{'s' if days != 1 else ''} old" in check.found


def test_an_old_python_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.python().state is State.GOOD
    monkeypatch.setattr(sys, "version_info", (3, 11))
    assert doctor.python().state is State.BROKEN


def test_a_kernel_without_locks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "capability", lambda: LockState(missing=("do this", "that")))
    check = doctor.kernel()
    assert (check.state, check.advice) == (State.LACKING, "do this; that")
    assert "no landlock, no seccomp" in check.found


def test_an_open_runtime_directory_is_said(places: Path) -> None:
    runtime = places / "RUNTIME_DIR" / "protech"
    runtime.mkdir()
    runtime.chmod(0o755)
    check = doctor.places()
    assert check.state is State.LACKING
    assert "chmod 700" in (check.advice or "")


def test_a_cache_that_cannot_be_used_is_said(places: Path) -> None:
    private_directory(places / "CACHE_HOME" / "protech" / "lists").chmod(0o755)
    check = doctor.lists()
    assert check.state is State.LACKING
    assert "chmod 700" in (check.advice or "")


def test_missing_lists_browser_and_guard_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "BROWSERS", ("no-such-browser",))
    monkeypatch.setitem(doctor.EXTRAS, "guard", ("json", "no_such_package"))
    for check, advice in (
        (doctor.lists(), "lists make"),
        (doctor.browser(), "chromium"),
        (doctor.part("guard"), "protech[guard]"),
    ):
        assert check.state is State.LACKING
        assert advice in (check.advice or "")
    assert doctor.missing_for("guard") == ["no_such_package"]


def test_a_sandbox_that_does_not_hold_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**options: object) -> Engine:
        raise SandboxError("do this")

    monkeypatch.setattr(Engine, "open", refuse)
    (check,) = doctor.workers()
    assert (check.state, check.advice) == (State.BROKEN, "do this")


def test_a_format_that_does_not_open_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor.SAMPLES, "gif", SAMPLES["gif"][:40])
    _, formats = doctor.workers()
    assert formats.state is State.LACKING
    assert (formats.advice or "").endswith(": gif")


def test_missing_and_broken_models_are_said(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protech.models.registry.PACKAGED", places / "none")
    assert doctor.models().state is State.LACKING

    def refuse() -> None:
        raise ModelError("do this")

    monkeypatch.setattr(doctor, "open_models", refuse)
    assert (doctor.models().state, doctor.models().advice) == (State.BROKEN, "do this")
