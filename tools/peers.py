"""Make `.venv-peers` from requirements/peers.txt: what figures and answers are held against.

It is an environment of its own, whose programs run as processes: what is in there may need
other versions than Protech does. Packages that are published as source only are built last, by
the tools that the same lock pins.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "peers.txt"
PLACE = ROOT / ".venv-peers"
STAMP = PLACE / "protech-stamp"
PYTHON = PLACE / "bin" / "python"

BUILT = frozenset({"vpdq"})
"""Published as source only."""


def wanted(lock: str) -> str:
    """Return the stamp of an environment made from a lock with the Python that runs this."""
    return hashlib.sha256(f"{sys.version}\n{lock}".encode()).hexdigest()


def is_ready() -> bool:
    """Return whether the environment stands and is of the lock as it is now."""
    return STAMP.exists() and STAMP.read_text() == wanted(LOCK.read_text())


def blocks(lock: str) -> Iterator[str]:
    """Give each requirement of a lock with its digests."""
    block: list[str] = []
    for line in lock.splitlines(keepends=True):
        if line[:1].isalnum() and block:
            yield "".join(block)
            block = []
        if not line.startswith("#"):
            block.append(line)
    if block:
        yield "".join(block)


def parted(lock: str) -> tuple[list[str], list[str]]:
    """Return what is installed as it is published, and what must be built after that."""
    ready: list[str] = []
    built: list[str] = []
    for block in blocks(lock):
        (built if block.partition("==")[0].strip() in BUILT else ready).append(block)
    return ready, built


def make() -> None:
    """Make the environment, unless it stands.

    Raises:
        subprocess.CalledProcessError: A step failed; what it printed says why.
    """
    if is_ready():
        return
    lock = LOCK.read_text()
    ready, built = parted(lock)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(PLACE)], check=True)
    install(ready, "--only-binary=:all:")
    # Its build finds cmake of the system and the builders of this environment.
    install(built, "--no-build-isolation")
    STAMP.write_text(wanted(lock))


def install(requirements: Iterable[str], *options: str) -> None:
    """Install requirements with their digests and without anything else."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(requirements)
        file.flush()
        uv = shutil.which("uv")
        if uv:
            command = [uv, "pip", "install", "--quiet", "--python", str(PYTHON)]
        else:
            command = [
                str(PYTHON),
                "-m",
                "pip",
                "install",
                "-qq",
                "--disable-pip-version-check",
            ]
        command += ["--require-hashes", "--no-deps", *options, "-r", file.name]
        subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=True)


def main() -> int:
    """Make the environment; 0 when it stands."""
    try:
        make()
    except subprocess.CalledProcessError as failed:
        sys.stderr.write(
            f".venv-peers could not be made: exit code {failed.returncode}, see above. What is"
            " compiled needs the packages that system-packages.txt names for it.\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
