"""An environment that holds Protech and what it asks for without extras, and nothing else.

The wheel is built and unpacked as pip would; the packages that it asks for are linked from the
environment of the checks, so that nothing is fetched.
"""

import contextlib
import re
import shutil
import subprocess
import sys
import venv
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def clean_environment(folder: Path) -> Path:
    """Make the environment in a folder and return its Python."""
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    (packages,) = (folder / "venv" / "lib").glob("python3*/site-packages")
    for each in asked_for("protech", set()):
        link(each, packages)
    install = ["-m", "pip", "install", "--quiet", "--no-deps", f"--target={packages}"]
    subprocess.run([sys.executable, *install, build_wheel(folder)], check=True)
    return folder / "venv" / "bin" / "python"


def build_wheel(folder: Path) -> Path:
    """Build the wheel from a copy of the sources and return its path."""
    copy = folder / "source"
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([sys.executable, *build, f"--wheel-dir={folder}", copy], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def asked_for(name: str, seen: set[str]) -> list[Distribution]:
    """Return the installed packages that one asks for without extras, and so on."""
    found = []
    for requirement in distribution(name).requires or ():
        asked = re.split(r"[^\w.-]", requirement)[0].lower()
        if asked in seen or "extra ==" in requirement:
            continue
        seen.add(asked)
        # A marker of its own may keep a package off this machine.
        with contextlib.suppress(PackageNotFoundError):
            found += [distribution(asked), *asked_for(asked, seen)]
    return found


def link(package: Distribution, target: Path) -> None:
    """Link each folder and file of a package into another environment."""
    tops = {file.parts[0] for file in package.files or () if file.parts[0] != ".."}
    for top in tops - {"__pycache__"}:
        (target / top).symlink_to(str(package.locate_file(top)))
