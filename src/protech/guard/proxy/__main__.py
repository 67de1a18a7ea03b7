"""``python -m protech.guard.proxy``: the proxy that a browser is told to use.

It listens on loopback only, says nothing of what passes, keeps no traffic, and has none of
mitmproxy's own pages, commands, scripts or files.
"""

import argparse
import asyncio
import contextlib
import ipaddress
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from protech.allocator import share_arenas
from protech.errors import ProtechError
from protech.guard.consent import Consent
from protech.guard.proxy.certificates import Authority, open_authority
from protech.guard.proxy.judging import DEADLINE_S
from protech.guard.proxy.screen import Screen
from protech.guard.proxy.serving import serve
from protech.guard.proxy.targets import Address, ScreenedLoop, Targets
from protech.guard.proxy.upstream import trusted_roots
from protech.guard.record import Record
from protech.sandbox import harden_process
from protech.serve.detector_client import DetectorClient
from protech.streams import only_our_words

KEY_LOGS = ("SSLKEYLOGFILE", "MITMPROXY_SSLKEYLOGFILE")
"""Variables that would have the keys of every connection written to a file."""

COUNTS_FILE = "counts.db"
PAUSE_FILE = "pause.json"
"""Where counts and pause lie in the state directory unless the command line says otherwise."""

STDERR = 2

LOUD_LIBRARIES = ("mitmproxy", "mitmproxy_rs", "asyncio", "hpack", "h2", "wsproto")
"""Loggers that name hosts and addresses; they are silenced."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    for name in KEY_LOGS:
        os.environ.pop(name, None)
    parsed = _parser().parse_args(arguments)
    harden_process()
    share_arenas()
    only_our_words(silenced=LOUD_LIBRARIES)
    try:
        _run(parsed)
    except ProtechError as error:
        print(f"protech proxy: {error}", file=sys.stderr)  # noqa: T201 - the command's own words
        return error.exit_code
    return 0


def _run(parsed: argparse.Namespace) -> None:
    targets = Targets(overrides=dict(parsed.override))

    def loop() -> ScreenedLoop:
        made = ScreenedLoop()
        made.targets = targets
        return made

    authority = open_authority(parsed.state, now=datetime.now(UTC))
    with contextlib.closing(Record.open(parsed.counts or parsed.state / COUNTS_FILE)) as record:
        asyncio.run(_serve(parsed, authority, record, targets), loop_factory=loop)


async def _serve(
    parsed: argparse.Namespace, authority: Authority, record: Record, targets: Targets
) -> None:
    stopped = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    consent = Consent(parsed.pause or parsed.state / PAUSE_FILE)
    async with DetectorClient(parsed.detector) as judge:
        await serve(
            parsed.listen,
            authority=authority,
            screen=Screen(
                judge=judge,
                counter=record,
                paused=lambda: consent.paused(datetime.now(UTC)),
                targets=targets,
                deadline_s=parsed.deadline,
            ),
            state=parsed.state,
            roots=str(parsed.upstream_ca) if parsed.upstream_ca else trusted_roots(),
            ready=lambda address: _announce(address, parsed.ready_fd),
            stopped=stopped,
        )


def _announce(address: Address, descriptor: int) -> None:
    with os.fdopen(descriptor, "w", closefd=descriptor > STDERR) as channel:
        channel.write(f"READY {address[0]}:{address[1]}\n")


def _listen(text: str) -> Address:
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
        if not address.is_loopback or not 0 <= int(port) <= 65535:
            raise argparse.ArgumentTypeError(
                "the guard listens on this machine only: 127.0.0.1"
            )
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(
            "give an address and port such as 127.0.0.1:8080"
        ) from wrong
    return str(address), int(port)


def _override(text: str) -> tuple[str, Address]:
    host, _, where = text.partition("=")
    address, _, port = where.rpartition(":")
    try:
        return host.lower(), (str(ipaddress.ip_address(address.strip("[]"))), int(port))
    except ValueError as wrong:
        raise argparse.ArgumentTypeError("give HOST=IP:PORT") from wrong


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m protech.guard.proxy",
        description="Screen a browser's traffic; started by `protech guard`, not by hand.",
    )
    parser.add_argument(
        "--listen", type=_listen, required=True, help="127.0.0.1:PORT, 0 for any"
    )
    parser.add_argument("--detector", type=Path, required=True, help="the detector's socket")
    parser.add_argument(
        "--state", type=Path, required=True, help="where the certificate is kept"
    )
    parser.add_argument("--counts", type=Path, help=f"counts, else {COUNTS_FILE} in --state")
    parser.add_argument("--pause", type=Path, help=f"pause, else {PAUSE_FILE} in --state")
    parser.add_argument("--override", type=_override, action="append", default=[])
    parser.add_argument(
        "--upstream-ca", type=Path, help="roots to trust instead of the machine's"
    )
    parser.add_argument(
        "--deadline", type=float, default=DEADLINE_S, help="seconds a picture waits"
    )
    parser.add_argument("--ready-fd", type=int, default=1, help="where READY is written")
    return parser


if __name__ == "__main__":
    sys.exit(main())
