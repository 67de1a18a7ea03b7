"""The peer of the guard's bench: mitmproxy that passes everything on, buffered.

``python -m tests.bench.passing_proxy DIRECTORY UPSTREAM_CA HOST=IP:PORT...`` prints READY and
its address. It has no addon of ours; names are resolved as in the guard's own loop, so that
both reach the same origin.
"""

import asyncio
import logging
import sys
from pathlib import Path

from mitmproxy import addons, options
from mitmproxy.master import Master

from protech.guard.proxy.targets import ScreenedLoop, Targets

CERTIFICATE = "mitmproxy-ca-cert.pem"


class PassingMaster(Master):
    """mitmproxy with its default addons."""

    def __init__(self, settings: options.Options) -> None:
        super().__init__(settings, event_loop=asyncio.get_running_loop(), with_termlog=False)
        self.addons.add(*addons.default_addons())

    async def running(self) -> None:
        """Say where it serves."""
        await super().running()
        server = self.addons.get("proxyserver")
        host, port = server.listen_addrs()[0][:2]
        print(f"READY {host}:{port}", flush=True)


async def serve(directory: Path, roots: Path) -> None:
    """Serve until the process is ended."""
    settings = options.Options(confdir=str(directory), listen_host="127.0.0.1", listen_port=0)
    master = PassingMaster(settings)
    master.options.update(ssl_verify_upstream_trusted_ca=str(roots), server_replay_reuse=False)
    await master.run()


def main(directory: str, roots: str, *overrides: str) -> None:
    """Serve with ``overrides``, each HOST=IP:PORT."""
    logging.disable()
    places = {}
    for override in overrides:
        host, _, place = override.partition("=")
        address, _, port = place.rpartition(":")
        places[host] = (address, int(port))

    def loop() -> ScreenedLoop:
        made = ScreenedLoop()
        made.targets = Targets(overrides=places)
        return made

    asyncio.run(serve(Path(directory), Path(roots)), loop_factory=loop)


if __name__ == "__main__":
    main(*sys.argv[1:])
