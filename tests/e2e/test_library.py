"""docs/library.md, run as it stands where only `pip install protech` has been."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.clean import ROOT, clean_environment
from tests.make_data import encode, make_photo


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment without extras."""
    return clean_environment(tmp_path_factory.mktemp("clean"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the photo that the page names, also among `mine`."""
    (tmp_path / "mine").mkdir()
    for path in (tmp_path / "photo.png", tmp_path / "mine" / "photo.png"):
        path.write_bytes(encode(make_photo(1), "PNG"))
    return tmp_path


def run(command: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, check=False, text=True)


def test_the_page_runs_as_it_stands(python: Path, folder: Path) -> None:
    page = (ROOT / "docs/library.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (folder / "page.py").write_text("\n".join(blocks))
    ran = run([python, "page.py"], folder)
    assert ran.returncode == 0, ran.stderr
    assert "sha256" in ran.stdout


def test_scan_works_without_extras(python: Path, folder: Path) -> None:
    ran = run(
        [python, "-c", "from protech.cli import main; main()", "scan", "photo.png"], folder
    )
    assert ran.returncode == 0, ran.stderr
    assert "photo.png" in ran.stdout


def test_the_environment_is_without_extras(python: Path, folder: Path) -> None:
    for absent in ("mitmproxy", "fastapi", "pytest"):
        assert run([python, "-c", f"import {absent}"], folder).returncode == 1
