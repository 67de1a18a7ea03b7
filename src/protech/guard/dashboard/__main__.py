"""The page as a process: ``python -m protech.guard.dashboard``, started by the supervisor."""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from protech.errors import ProtechError
from protech.guard.dashboard.page import Page, Sources
from protech.guard.record import Record
from protech.sandbox import harden_process
from protech.serve.detector_client import DetectorClient, DetectorUnavailable
from protech.serve.tokens import OneTimeTokens
from protech.serve.web import Place, create_app, serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until ended; returns the exit code."""
    options = _parser().parse_args(arguments)
    harden_process()
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(_run(options))
    except ProtechError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m protech.guard.dashboard")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--detector", type=Path, required=True, help="the detector's socket")
    parser.add_argument("--record", type=Path, required=True, help="the counts")
    parser.add_argument("--pause-file", type=Path, required=True)
    parser.add_argument("--tokens", type=Path, required=True, help="one-time tokens")
    parser.add_argument("--place", type=Path, required=True, help="gets the page's origin")
    parser.add_argument("--listen", required=True, help="the proxy's address, to show")
    return parser


async def _run(options: argparse.Namespace) -> None:
    place = Place.fresh(port=options.port)
    with Record.open(options.record) as record:
        async with DetectorClient(options.detector) as client:

            async def detector() -> Mapping[str, Any] | None:
                try:
                    return await client.state()
                except DetectorUnavailable:
                    return None

            sources = Sources(
                detector=detector,
                counts=lambda since: record.counts(since=since),
                pause_file=options.pause_file,
                listen=options.listen,
            )
            app = create_app(
                place=place,
                tokens=OneTimeTokens(options.tokens),
                routes=Page(sources).router(),
            )
            place.publish(options.place)
            await serve(app, place)


if __name__ == "__main__":
    sys.exit(main())
