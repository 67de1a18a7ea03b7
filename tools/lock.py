"""Make requirements/{all,guard,locate,peers}.txt; see `dev.py lock`.

Pins that still fit stay as they are; `--upgrade` takes the newest of everything. The locks hold
names, versions and digests, and no address to fetch from. All but `peers` are made from
pyproject.toml; `guard` and `locate` are what `dev.py run` installs: subsets of `all` with the
same pins.
`peers` is made from requirements/peers.in, for an environment of its own.
"""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {
    "all": ("guard", "locate", "build", "dev"),
    "guard": ("guard", "build"),
    "locate": ("locate",),
}
"""Each lock and the extras it holds; the first holds all that is in the others."""

SUBSETS = tuple(name for name in LOCKS if name != "all")

OPTIONS = (
    "--universal",
    "--fork-strategy=fewest",
    "--python-version=3.12",
    "--generate-hashes",
    "--no-emit-index-url",
    "--annotation-style=line",
    "--custom-compile-command=python3 dev.py lock",
    "--quiet",
)


def path_of(name: str) -> Path:
    """Return where a lock stands."""
    return ROOT / "requirements" / f"{name}.txt"


def pins(lock: str) -> dict[str, str]:
    """Return each line of a lock that pins a package, by the package's name and its markers."""
    lines = [line.rstrip(" \\") for line in lock.splitlines() if "==" in line[:100]]
    pinned = [line for line in lines if line[:1].isalnum()]
    return {line.partition("==")[0] + line.partition(";")[2]: line for line in pinned}


def faults(everything: str, subsets: Mapping[str, str], peers: str = "") -> list[str]:
    """Return what is wrong with the locks, one sentence each; empty when they are good."""
    known = {line.partition(";")[0].strip() for line in pins(everything).values()}
    found = [
        f"{name}.txt pins {line}, all.txt does not"
        for name, text in subsets.items()
        for line in pins(text).values()
        if line.partition(";")[0].strip() not in known
    ]
    named = [("all.txt", everything), ("peers.txt", peers)]
    named += [(f"{name}.txt", text) for name, text in subsets.items()]
    for name, text in named:
        if "://" in text or "--index" in text or "--find-links" in text:
            found.append(f"{name} names a place to fetch from")
        if text.count("--hash=") < len(pins(text)):
            found.append(f"{name} pins a package without a digest")
    return found


def compile_lock(uv: str, name: str, options: list[str]) -> None:
    """Write one lock with uv, which keeps the pins that it finds in the file.

    What builds Protech itself goes in too: it is installed without build isolation.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    command = [uv, "pip", "compile", *OPTIONS, *options]
    command += [f"--extra={extra}" for extra in LOCKS[name]]
    command += ["pyproject.toml", "-", f"--output-file=requirements/{name}.txt"]
    builders = "\n".join(project["build-system"]["requires"])
    subprocess.run(command, input=builders, cwd=ROOT, check=True, text=True)


def compile_peers(uv: str, options: list[str]) -> None:
    """Write the lock of what runs beside Protech."""
    command = [uv, "pip", "compile", *OPTIONS, *options]
    command += ["requirements/peers.in", "--output-file=requirements/peers.txt"]
    subprocess.run(command, cwd=ROOT, check=True)


def main(arguments: list[str]) -> int:
    """Write the locks and check them; 0 when they are good."""
    uv = shutil.which("uv") or shutil.which("uv", path=ROOT / ".venv/bin")
    if uv is None:
        sys.stderr.write("the locks are made with uv: `pip install uv`, then run this again\n")
        return 2
    compile_lock(uv, "all", arguments)
    for name in SUBSETS:
        shutil.copy(path_of("all"), path_of(name))
        compile_lock(uv, name, [])
    compile_peers(uv, arguments)
    subsets = {name: path_of(name).read_text() for name in SUBSETS}
    found = faults(path_of("all").read_text(), subsets, path_of("peers").read_text())
    sys.stderr.writelines(f"{fault}\n" for fault in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
