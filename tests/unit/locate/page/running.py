"""The page as the process that a run starts, over a log that a test appends to."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from protech.evidence.log import Log
from protech.serve.tokens import OneTimeTokens
from protech.serve.web import entry_url
from protech.signing import Key

DATA_KEY = bytes(range(32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A page that answers, and the log that it shows."""

    directory: Path
    port: int
    log: Log
    process: subprocess.Popen[bytes]

    def entry(self) -> str:
        """Return an address that opens the page once."""
        address = entry_url(self.directory / "place", OneTimeTokens(self.directory / "tokens"))
        assert address is not None
        return address


@contextmanager
def running(directory: Path, records: Iterable[Mapping[str, object]]) -> Iterator[Running]:
    """Run the page over ``records``, which are signed up to here."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = directory / "log"
    with Log.create(
        path, origin="protech/case/test", signer=Key.of_seed(bytes(32)), data_key=DATA_KEY
    ) as log:
        log.append(list(records))
        log.checkpoint(datetime.now(UTC))
        told = {
            "log": str(path),
            "tokens": str(directory / "tokens"),
            "place": str(directory / "place"),
            "port": port,
            "data_key": DATA_KEY.hex(),
        }
        command = [sys.executable, "-m", "protech.locate.page"]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            process.stdin.write(json.dumps(told).encode() + b"\n")
            process.stdin.flush()
            try:
                _wait_for(port, process)
                yield Running(directory=directory, port=port, log=log, process=process)
            finally:
                process.terminate()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(1200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, "the page has ended"
        time.sleep(0.05)
    raise AssertionError("the page did not come up")
