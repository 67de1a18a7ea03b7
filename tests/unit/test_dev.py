import subprocess
import sys
from pathlib import Path

import pytest

import dev


def make_environment(root: Path) -> dev.Environment:
    """Return an environment in a folder of its own, its locks written, nothing installed."""
    (root / "requirements").mkdir()
    for name in ("pyproject.toml", *(f"requirements/{one}.txt" for one in ("all", *dev.PARTS))):
        (root / name).write_text(f"as {name} is now\n")
    return dev.Environment(str(root))


def pretend_installed(environment: dev.Environment, lock: str) -> None:
    """Leave what a finished set-up leaves."""
    Path(environment.path, "bin").mkdir(parents=True, exist_ok=True)
    Path(environment.program("protech")).touch()
    Path(environment.stamp).write_text(environment.wanted(lock))


def test_finds_a_python_that_is_new_enough() -> None:
    printed = dev.output_of(
        [dev.find_python(), "-c", "import sys; print(sys.version_info[:2])"]
    )
    assert printed is not None
    assert (3, 12) <= tuple(int(part) for part in printed.strip("()").split(",")) <= (3, 14)


def test_finds_one_that_pyenv_keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "versions" / "3.12.7" / "bin" / "python3.12"
    kept.parent.mkdir(parents=True)
    kept.symlink_to(dev.find_python())
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    assert str(kept) in list(dev.candidates())


def test_the_python_found_is_outside_any_environment() -> None:
    found = dev.probe(sys.executable)
    assert found is not None
    assert ".venv" not in found[1]


def test_without_one_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "candidates", lambda: iter(["/nonexistent/python"]))
    with pytest.raises(dev.SetupError, match=r"apt install python3\.12"):
        dev.find_python()


def test_a_python_that_is_too_old_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "candidates", lambda: iter(["old", "new"]))
    versions = {"old": ((3, 11), "/old"), "new": ((3, 12), "/new")}
    monkeypatch.setattr(dev, "probe", versions.__getitem__)
    assert dev.find_python() == "/new"


def test_an_environment_is_ready_once_its_stamp_is_written(tmp_path: Path) -> None:
    environment = make_environment(tmp_path)
    assert not environment.is_ready("guard")
    pretend_installed(environment, "guard")
    assert environment.is_ready("guard")


def test_a_part_does_not_serve_all_but_all_serves_each_part(tmp_path: Path) -> None:
    environment = make_environment(tmp_path)
    for part in dev.PARTS:
        pretend_installed(environment, part)
        assert not environment.is_ready("all")
    pretend_installed(environment, "all")
    assert all(environment.is_ready(part) for part in dev.PARTS)


@pytest.mark.parametrize("name", ["pyproject.toml", "requirements/guard.txt"])
def test_a_changed_lock_is_installed_anew(tmp_path: Path, name: str) -> None:
    environment = make_environment(tmp_path)
    pretend_installed(environment, "all")
    (tmp_path / name).write_text("changed\n")
    assert not environment.is_ready("all")


def test_a_changed_kernel_is_compiled_anew(tmp_path: Path) -> None:
    environment = make_environment(tmp_path)
    (tmp_path / "native").mkdir()
    (tmp_path / "native" / "mih.c").write_text("as it is now\n")
    pretend_installed(environment, "all")
    assert environment.is_ready("all")
    (tmp_path / "native" / "mih.c").write_text("changed\n")
    assert not environment.is_ready("all")
    pretend_installed(environment, "all")
    (tmp_path / "native" / "bands.h").write_text("new\n")
    assert not environment.is_ready("all")


def test_a_set_up_that_was_killed_is_started_over(tmp_path: Path) -> None:
    environment = make_environment(tmp_path)
    pretend_installed(environment, "all")
    Path(environment.installing).touch()
    assert not environment.is_ready("all")
    assert not environment.is_usable()


def test_an_environment_that_was_copied_is_started_over(tmp_path: Path) -> None:
    environment = make_environment(tmp_path)
    Path(environment.path, "bin").mkdir(parents=True)
    Path(environment.program("pip")).write_text("#!/another/place/.venv/bin/python\n")
    assert environment.has_moved()


def test_a_step_that_fails_names_itself() -> None:
    with pytest.raises(dev.SetupError, match="exit code 3"):
        dev.run([sys.executable, "-c", "raise SystemExit(3)"])


def test_an_unknown_command_prints_the_usage_on_stderr(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert dev.main(["chekc"]) == 2
    printed = capfd.readouterr()
    assert "python3 dev.py check" in printed.err
    assert printed.out == ""


def test_an_unknown_bench_is_named_with_those_that_exist(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert dev.main(["bench", "no-such"]) == 2
    assert "no bench is called no-such" in capfd.readouterr().err


def test_it_starts_without_any_package(tmp_path: Path) -> None:
    command = [dev.find_python(), "-I", "-S", f"{dev.ROOT}/dev.py", "--help"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, text=True)
    assert "python3 dev.py run guard --demo" in shown.stdout
