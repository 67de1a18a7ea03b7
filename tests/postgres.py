"""A PostgreSQL server of a test's own: an account without rights, a Unix socket, no network."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "pg_ctlcluster"
"""What `needs` looks for: Debian keeps the server's own programs off the PATH."""

SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "16MB",
    "max_connections": "30",
    "max_wal_size": "64MB",
    "log_destination": "stderr",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server."""

    directory: Path

    @property
    def where(self) -> str:
        return f"host={self.directory} dbname=postgres user=protech"

    def stop(self, how: str = "fast") -> None:
        self._run("pg_ctl", "-D", str(self.data), "-m", how, "-w", "stop")

    def start(self) -> None:
        options = [f"-c {name}='{value}'" for name, value in SETTINGS.items()]
        options.append(f"-c unix_socket_directories='{self.directory}'")
        log = str(self.directory / "log")
        self._run(
            "pg_ctl", "-D", str(self.data), "-l", log, "-o", " ".join(options), "-w", "start"
        )

    def make(self) -> None:
        self._run(
            "initdb", "-D", str(self.data), "-U", "protech", "--auth=trust", "--no-sync",
            "--encoding=UTF8", "--locale=C",
        )  # fmt: skip

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def _run(self, program: str, *arguments: str) -> None:
        is_root = os.geteuid() == 0  # as which the server refuses to run
        subprocess.run(
            [programs() / program, *arguments],
            check=True,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            user="nobody" if is_root else None,
            group="nogroup" if is_root else None,
            extra_groups=[] if is_root else None,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        )


def programs() -> Path:
    """Return where Debian keeps the programs of its newest server."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: int(one.parent.name))


@contextmanager
def running() -> Iterator[Server]:
    """Yield a fresh server, which is gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(directory, "nobody", "nogroup")
    server = Server(directory=directory)
    try:
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(directory)
