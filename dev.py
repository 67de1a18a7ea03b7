#!/usr/bin/env python3
"""Set everything up, then run the product, the checks or the benchmarks.

    python3 dev.py run guard --demo       what Protech does, on a local photo site
    python3 dev.py run scan PATH...       any `protech` command, in the checkout's environment
    python3 dev.py check [--slow] [-k EXPR] [lint|unit|conformance|e2e ...]
    python3 dev.py bench [NAME [METRIC...]]
    python3 dev.py lock [--upgrade]       make requirements/*.txt anew (needs uv)

Standard library only. It starts on any Python 3 (hence the old-fashioned spelling), finds one
that is new enough, and keeps the environment in `.venv`. Set-up talk goes to stderr; stdout and
the exit code are the command's.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from glob import glob
from typing import Iterator, List, Optional, Tuple

ROOT = os.path.dirname(os.path.realpath(__file__))
BUILD_MODELS = os.path.join(ROOT, "tools", "build_models.py")
CHECK = os.path.join(ROOT, "tools", "check.py")
LOCK = os.path.join(ROOT, "tools", "lock.py")

OLDEST = (3, 12)
NEWEST = (3, 14)
"""The locks name wheels for these; .python-version names the one that CI runs."""

PARTS = ("guard", "locate")
"""The parts that have a lock of their own; `all` serves each of them."""

PROBE = (
    "import sys, venv, ensurepip;"
    "print(*sys.version_info[:2], getattr(sys, '_base_executable', sys.executable))"
)
HOW_TO_GET_PYTHON = """\
Protech needs Python 3.12 or newer with its venv module, and none was found.
Any one of these gives it, then run the same command again:
    apt install python3.12 python3.12-venv     (Debian, Ubuntu)
    dnf install python3.12                     (Fedora)
    pyenv install 3.12                         (any Linux)
    uv python install 3.12                     (any Linux)
"""


class SetupError(Exception):
    """What stands in the way of the environment and what to do, for a person."""


def say(message: str) -> None:
    """Print one line of set-up talk."""
    print("dev.py: " + message, file=sys.stderr, flush=True)


# ---- finding a Python ------------------------------------------------------------------------


def candidates() -> Iterator[str]:
    """Yield the Pythons that may be on this machine, the one that runs this file first."""
    yield sys.executable
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    for minor in range(OLDEST[1], NEWEST[1] + 1):
        name = "python3.%d" % minor
        yield from filter(None, [shutil.which(name)])
        yield from sorted(glob(os.path.join(pyenv, "versions", "3.%d.*" % minor, "bin", name)))
    yield from filter(None, [shutil.which("python3"), shutil.which("python")])
    yield from filter(None, [uv_python()])


def uv_python() -> Optional[str]:
    """Return a Python that uv has installed."""
    uv = shutil.which("uv")
    wanted = ">=%d.%d,<=%d.%d" % (OLDEST + NEWEST)
    return uv and output_of([uv, "python", "find", "--no-python-downloads", wanted])


def output_of(command: List[str]) -> Optional[str]:
    """Return what a command printed, or None where it could not run or failed."""
    try:
        printed = subprocess.check_output(command, stderr=subprocess.DEVNULL, cwd=ROOT)
    except (OSError, subprocess.CalledProcessError):
        return None
    return printed.decode(errors="replace").strip()


def probe(python: str) -> Optional[Tuple[Tuple[int, int], str]]:
    """Return the version of a Python and its own path outside any environment."""
    printed = output_of([python, "-c", PROBE])
    if not printed:
        return None
    major, minor, path = printed.split(" ", 2)
    return (int(major), int(minor)), path


def find_python() -> str:
    """Return a Python that the locks fit.

    Raises:
        SetupError: There is none; the message says how to get one.
    """
    for candidate in candidates():
        found = probe(candidate)
        if found and OLDEST <= found[0] <= NEWEST:
            return found[1]
    raise SetupError(HOW_TO_GET_PYTHON)


# ---- the environment -------------------------------------------------------------------------


class Environment:
    """The environment in `.venv`, and what has been installed there from which lock.

    Two marks make it safe to kill at any moment: `installing` stands while packages are put in,
    and whoever finds it starts over; `stamp` is written last, and names the lock and the digest
    of all that it was made from.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.path = os.path.join(root, ".venv")
        self.stamp = os.path.join(self.path, "protech-stamp")
        self.installing = os.path.join(self.path, "protech-installing")

    def program(self, name: str) -> str:
        """Return the path of a program of the environment."""
        return os.path.join(self.path, "bin", name)

    def wanted(self, lock: str) -> str:
        """Return the stamp of an environment made from a lock as it is now."""
        digest = hashlib.sha256(self.root.encode(errors="surrogateescape"))
        names = ["pyproject.toml", *("requirements/%s.txt" % one for one in ("all", *PARTS))]
        for pattern in ("setup.py", "native/*.[ch]"):  # what the kernel is compiled from
            names += sorted(
                os.path.relpath(p, self.root) for p in glob(self.root + "/" + pattern)
            )
        for name in names:
            with open(os.path.join(self.root, name), "rb") as file:
                digest.update(file.read())
        return "%s %s" % (lock, digest.hexdigest())

    def is_ready(self, lock: str) -> bool:
        """Return whether the lock's packages stand; what `all` installed serves each."""
        if os.path.exists(self.installing) or not os.path.exists(self.program("protech")):
            return False
        try:
            with open(self.stamp) as file:
                found = file.read()
        except OSError:
            return False
        return found in (self.wanted(lock), self.wanted("all"))

    def is_usable(self) -> bool:
        """Return whether packages can be installed on top of what is there."""
        if os.path.exists(self.installing):
            return False
        found = probe(self.program("python"))
        return found is not None and OLDEST <= found[0] <= NEWEST and not self.has_moved()

    def has_moved(self) -> bool:
        """Return whether its programs name a Python of another place (a copied checkout)."""
        with contextlib.suppress(OSError), open(self.program("pip"), "rb") as file:
            return os.fsencode(self.path) not in file.read(1024)
        return False

    def make(self, lock: str) -> None:
        """Create or mend the environment so that it holds a lock's packages and Protech."""
        if not self.is_usable():
            python = find_python()
            say("making .venv with %s" % python)
            run([python, "-m", "venv", "--clear", self.path])
        with open(self.installing, "w"):
            pass
        say("installing requirements/%s.txt into .venv" % lock)
        requirements = os.path.join(self.root, "requirements", lock + ".txt")
        self.install("--require-hashes", "--no-deps", "-r", requirements)
        self.install("--no-deps", "--no-build-isolation", "-e", self.root)
        with open(self.stamp + ".new", "w") as file:
            file.write(self.wanted(lock))
        os.replace(self.stamp + ".new", self.stamp)
        os.remove(self.installing)

    def install(self, *what: str) -> None:
        """Install with uv where there is one, else with the environment's own pip."""
        uv = shutil.which("uv")
        if uv:
            command = [uv, "pip", "install", "--quiet", "--python", self.program("python")]
        else:
            command = [self.program("python"), "-m", "pip", "install", "-qq"]
            command.append("--disable-pip-version-check")
        run(command + list(what))


def run(command: List[str]) -> None:
    """Run one step of the set-up, its output on stderr.

    Raises:
        SetupError: It failed; what it printed says why.
    """
    code = subprocess.call(command, stdout=sys.stderr, cwd=ROOT)
    if code != 0:
        raise SetupError(
            "this step of the set-up failed with exit code %d:\n    %s\nWhat it printed above "
            "says why (what is compiled needs gcc, g++ and Python's headers); "
            "once mended, run the same command again." % (code, " ".join(command))
        )


def ensure_environment(lock: str) -> Environment:
    """Return an environment that holds a lock's packages; two at once wait for each other."""
    environment = Environment(ROOT)
    with open(os.path.join(ROOT, "dev.py"), "rb") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not environment.is_ready(lock):
            environment.make(lock)
            say("ready")
        if lock != "locate":  # it decodes no media
            ensure_models(environment)
    return environment


def ensure_models(environment: Environment) -> None:
    """Build the models where they are missing; without them only known lists protect."""
    command = [environment.program("python"), BUILD_MODELS, "--if-missing"]
    if not os.path.exists(BUILD_MODELS) or subprocess.call(command, stdout=sys.stderr) != 0:
        say("the models could not be built (see above): only known lists protect for now")


# ---- the commands ----------------------------------------------------------------------------


def run_product(arguments: List[str]) -> None:
    """Become `protech ARGUMENTS`; from here on stdout and the exit code are its own."""
    lock = arguments[0] if arguments and arguments[0] in PARTS else PARTS[0]
    become(ensure_environment(lock).program("protech"), arguments)


def run_checks(arguments: List[str]) -> None:
    """Become the checks."""
    become(ensure_environment("all").program("python"), [CHECK, *arguments])


def run_benches(arguments: List[str]) -> int:
    """Run one benchmark with its metrics, or all; each prints JSON lines."""
    folder = os.path.join(ROOT, "tests", "bench")
    names = sorted(os.path.basename(path)[6:-3] for path in glob(folder + "/bench_*.py"))
    if arguments and arguments[0] not in names:
        raise SetupError("no bench is called %s; there are: %s" % (arguments[0], names))
    python = ensure_environment("all").program("python")
    code = 0
    for name in arguments[:1] or names:
        module = "tests.bench.bench_" + name
        code = subprocess.call([python, "-m", module, *arguments[1:]], cwd=ROOT) or code
    return code


def make_locks(arguments: List[str]) -> None:
    """Become the maker of the locks."""
    become(find_python(), [LOCK, *arguments])


def become(program: str, arguments: List[str]) -> None:
    """Replace this process, so that signals and the exit code are the program's."""
    sys.stdout.flush()
    os.execv(program, [program, *arguments])


COMMANDS = {"run": run_product, "check": run_checks, "bench": run_benches, "lock": make_locks}


def main(arguments: List[str]) -> int:
    """Carry out one command and return its exit code."""
    if not arguments or arguments[0] not in COMMANDS:
        is_help = arguments[:1] in (["-h"], ["--help"])
        print(__doc__, file=sys.stdout if is_help else sys.stderr)
        return 0 if is_help else 2
    try:
        return COMMANDS[arguments[0]](arguments[1:]) or 0
    except SetupError as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        say("stopped")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
