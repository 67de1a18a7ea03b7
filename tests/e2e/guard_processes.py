"""The guard as the matrix runs it: a real detector and a real proxy, each its own process."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from protech.guard.proxy.certificates import CERTIFICATE_FILE
from protech.serve.detector_client import DetectorClient, DetectorUnavailable
from tests.e2e.matrix.processes import Origin, launched, started
from tests.loops import in_own_loop

READY_S = 60.0
WORKERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A running guard; tests may stop or kill its processes."""

    proxy_port: int
    authority: Path
    socket: Path
    detector: subprocess.Popen[str]
    proxy: subprocess.Popen[str]


def detector_arguments(
    socket: Path,
    *,
    lists: tuple[Path, ...] = (),
    models: Path | str = "none",
    is_adult_filter_on: bool = False,
    workers: int = WORKERS,
) -> list[str]:
    """Return the command line of the detector after ``python``."""
    arguments = ["-m", "protech.serve.detector", "--socket", str(socket)]
    arguments += ["--models", str(models), "--workers", str(workers)]
    for path in lists:
        arguments += ["--list", str(path)]
    return [*arguments, "--adult-filter"] if is_adult_filter_on else arguments


def proxy_arguments(
    directory: Path, site: Origin, *, deadline_s: float | None = None
) -> list[str]:
    """Return the command line of the proxy after ``python``."""
    arguments = ["-m", "protech.guard.proxy", "--listen", "127.0.0.1:0"]
    arguments += [
        "--detector",
        str(directory / "detector"),
        "--state",
        str(directory / "state"),
    ]
    arguments += ["--upstream-ca", str(site.certificates.authority)]
    for address, place in site.addresses.items():
        arguments += ["--override", f"{address.rpartition(':')[0]}={place}"]
    return arguments if deadline_s is None else [*arguments, "--deadline", str(deadline_s)]


@contextlib.contextmanager
def guard(
    directory: Path,
    site: Origin,
    *,
    lists: tuple[Path, ...] = (),
    models: Path | str = "none",
    is_adult_filter_on: bool = False,
    deadline_s: float | None = None,
) -> Iterator[Guard]:
    """Run a guard in front of ``site`` until the ``with`` ends."""
    directory.chmod(0o700)
    socket = directory / "detector"
    judge = detector_arguments(
        socket, lists=lists, models=models, is_adult_filter_on=is_adult_filter_on
    )
    screen = proxy_arguments(directory, site, deadline_s=deadline_s)
    with launched(judge, home=directory) as detector:
        wait_for(socket, detector)
        with started(screen, home=directory) as (proxy, ready):
            yield Guard(
                proxy_port=int(ready.rpartition(":")[2]),
                authority=directory / "state" / CERTIFICATE_FILE,
                socket=socket,
                detector=detector,
                proxy=proxy,
            )


def wait_for(socket: Path, detector: subprocess.Popen[str]) -> None:
    """Return once the detector answers at ``socket``."""
    end = time.monotonic() + READY_S
    while not in_own_loop(lambda: _serves(socket)):
        if detector.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the detector did not serve; exit code {detector.poll()}")
        time.sleep(0.1)


async def _serves(socket: Path) -> bool:
    async with DetectorClient(socket) as client:
        try:
            await client.state()
        except DetectorUnavailable:
            return False
        return True
