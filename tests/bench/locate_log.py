"""The case's log against the simplest that could be kept: appending to it, and checking it.

The peer is a chain: each record's SHA-256 covers the one before, Ed25519 signs every 256th, and
each batch is written with one fsync, as ours is. It hides nothing, discloses no single record,
and its verifier must have every one. ``bench_locate`` prints these rows with its own.
"""

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from protech.evidence.log import Log
from protech.signing import Key, verify
from tests.bench.frame import Peer, Row, row

BATCH = 1024
APPENDED = 40 * BATCH
ROUNDS = 5
VERIFIED = 1_000_000
SIGN_EVERY = 256

KEY = Key.of_seed(bytes(range(32)))
DATA_KEY = bytes(range(32))
CHAIN = Peer(
    name="SHA-256 chain, canonical JSON of the standard library, Ed25519 every 256",
    version="",
)

Records = Sequence[Mapping[str, object]]


def _records(count: int, *, start: int = 0) -> Records:
    """Return made-up records of about 400 bytes, as a scan at level 3 would write them."""
    return [
        {
            "v": 1,
            "kind": "sighting",
            "at": f"2026-11-28T13:26:{n % 60:02}.{n % 1000:03}Z",
            "clock": {"synchronised": True, "error_ms": 1.5},
            "case": "A-2026-17",
            "run": 0,
            "entry": f"e-{n % 997:04}",
            "number": n % 997,
            "network": "bittorrent",
            "level": 3,
            "outcome": "claimed",
            "peer": {"address": f"198.18.{n >> 8 & 255}.{n & 255}", "port": 51413},
            "local": {"address": "198.18.0.1", "port": 40001},
            "transport": "tcp",
            "attempts": 1,
            "sources": ["tracker", "dht"],
        }
        for n in range(start, start + count)
    ]


@cache
def _batch() -> Records:
    return _records(BATCH)


class _Chain:
    """The simplest log: what a careful person would write in an afternoon."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._last = bytes(32)
        self._count = 0

    def append(self, records: Records) -> None:
        lines = []
        for record in records:
            content = json.dumps(
                record, sort_keys=True, separators=(",", ":"), ensure_ascii=False
            ).encode()
            self._last = hashlib.sha256(self._last + content).digest()
            self._count += 1
            lines.append(content)
            lines.append(self._last.hex().encode())
            if self._count % SIGN_EVERY == 0:
                lines.append(KEY.sign(self._last).hex().encode())
        self._file.write(b"\n".join(lines) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def _verify_chain(path: Path) -> int:
    """Check a chain from its first record; return how many it has."""
    last, count = bytes(32), 0
    with path.open("rb") as file:
        while content := file.readline():
            last = hashlib.sha256(last + content[:-1]).digest()
            if bytes.fromhex(file.readline().decode()) != last:
                raise ValueError("the chain is broken")
            count += 1
            if count % SIGN_EVERY == 0:
                signature = bytes.fromhex(file.readline().decode())
                if not verify(KEY.public, last, signature):
                    raise ValueError("the chain is not signed")
    return count


def _log(folder: str, name: str) -> Log:
    return Log.create(Path(folder) / name, origin="bench", signer=KEY, data_key=DATA_KEY)


def log_append() -> Row:
    """Records a second that are confirmed on the disk, in batches of 1,024."""
    ours: list[float] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, _log(folder, "log") as log:
        chain = _Chain(Path(folder) / "chain")
        for turn in range(2 * ROUNDS):
            mine = turn % 2 == 0
            append = log.append if mine else chain.append
            start_s = time.perf_counter()
            for _ in range(APPENDED // BATCH):
                append(_batch())
            (ours if mine else theirs).append(APPENDED / (time.perf_counter() - start_s))
        chain.close()
    return row(
        "locate",
        "log_append",
        unit="records/s",
        ours=ours,
        theirs=theirs,
        peer=CHAIN,
        is_less_better=False,
    )


def log_verify_1m() -> Row:
    """Seconds to check a million records: frames, every record and leaf, the tree, its root."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder) / "chain"
        chain = _Chain(path)
        with _log(folder, "log") as log:
            for at in range(0, VERIFIED, 10 * BATCH):
                some = _records(min(10 * BATCH, VERIFIED - at), start=at)
                log.append(some)
                chain.append(some)
            log.checkpoint(datetime.now(UTC))
        chain.close()
        start_s = time.perf_counter()
        if _verify_log(Path(folder) / "log") != VERIFIED:
            raise ValueError("a record was lost")
        between_s = time.perf_counter()
        if _verify_chain(path) != VERIFIED:
            raise ValueError("a record was lost")
        end_s = time.perf_counter()
    return row(
        "locate",
        "log_verify_1m",
        unit="s",
        ours=[between_s - start_s],
        theirs=[end_s - between_s],
        peer=CHAIN,
    )


def _verify_log(directory: Path) -> int:
    """Open a log, which checks frames, tree and checkpoint, and check each record's leaf."""
    with Log.open(directory, data_key=DATA_KEY) as log:
        return log.check()


METRICS = {metric.__name__: metric for metric in (log_append, log_verify_1m)}
