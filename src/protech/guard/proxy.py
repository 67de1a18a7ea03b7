"""``python -m protech.guard.proxy``: the proxy that a browser is told to use.

It listens on loopback only, says nothing of what passes, keeps no traffic, and has none of
mitmproxy's own pages, commands, scripts or files.
"""

import argparse
import asyncio
import contextlib
import errno
import ipaddress
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from mitmproxy import options
from mitmproxy.addons.disable_h2c import DisableH2C
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.certs import CertStoreEntry
from mitmproxy.master import Master
from mitmproxy.net import tls as net_tls
from mitmproxy.proxy.context import Context
from mitmproxy.tls import ClientHelloData

from protech.errors import ConfigError, ProtechError
from protech.guard.certificates import Authority, SiteCertificates, open_authority
from protech.guard.consent import Consent
from protech.guard.layers import OnlyHttp
from protech.guard.record import Record
from protech.guard.screen import DEADLINE_S, Screen
from protech.guard.targets import Address, ScreenedLoop, Targets
from protech.guard.upstream import TLS_CIPHERS, trusted_roots
from protech.sandbox import harden_process
from protech.serve.detector_client import DetectorClient

KEY_LOGS = ("SSLKEYLOGFILE", "MITMPROXY_SSLKEYLOGFILE")
"""Variables that would have the keys of every connection written to a file."""

COUNTS_FILE = "counts.db"
PAUSE_FILE = "pause.json"
"""Where counts and pause lie in the state directory unless the command line says otherwise."""

LOUD_LIBRARIES = ("mitmproxy", "mitmproxy_rs", "asyncio", "hpack", "h2", "wsproto")
"""Loggers that name hosts and addresses; they are silenced."""


class DeviceTls(TlsConfig):
    """Certificates of this device's authority towards the browser, strict checks towards sites."""

    name = "tlsconfig"

    def __init__(self, authority: Authority) -> None:
        """Take the authority that signs for sites."""
        self.certstore = SiteCertificates(authority)

    def configure(self, updated: Iterable[str]) -> None:
        """Make no store of mitmproxy's own."""

    def running(self) -> None:
        """Make no store of mitmproxy's own."""

    def request(self, flow: object) -> None:
        """Answer no address of mitmproxy's own."""

    def tls_clienthello(self, tls_clienthello: ClientHelloData) -> None:
        """Meet the server first, so that both sides speak the same protocol (HTTP/2 or 1.1)."""
        tls_clienthello.establish_server_tls_first = bool(tls_clienthello.context.server.tls)

    def get_cert(self, conn_context: Context) -> CertStoreEntry:
        """Return a certificate for the one name that the browser asked for."""
        asked = conn_context.client.sni
        if asked is None and conn_context.server.address:
            asked = conn_context.server.address[0]
        return self.certstore.get_cert(None, [_general_name(asked or "")])


class GuardMaster(Master):
    """mitmproxy with only what the guard needs; ``ready`` is called with the address it serves."""

    def __init__(
        self,
        settings: options.Options,
        addons: Sequence[object],
        *,
        ready: Callable[[Address], None],
    ) -> None:
        """Take the settings, and the addons in the order in which they are asked."""
        super().__init__(settings, event_loop=asyncio.get_running_loop())
        self._ready = ready
        self._server = Proxyserver()
        self.failure: OSError | None = None
        self.addons.add(self._server, *addons)

    async def running(self) -> None:
        """Tell that the proxy serves, or stop where it cannot."""
        errors = (instance.last_exception for instance in self._server.servers)
        self.failure = next((error for error in errors if isinstance(error, OSError)), None)
        addresses = self._server.listen_addrs()
        if self.failure is not None or not addresses:
            self.failure = self.failure or OSError(errno.EADDRNOTAVAIL, "nothing listens")
            self.should_exit.set()
            return
        await super().running()
        self._ready((str(addresses[0][0]), int(addresses[0][1])))


async def serve(  # noqa: PLR0913 - the parts, each by name
    listen: Address,
    *,
    authority: Authority,
    screen: Screen,
    state: Path,
    roots: str | None,
    ready: Callable[[Address], None],
    stopped: asyncio.Event | None = None,
) -> None:
    """Serve at ``listen`` until cancelled or ``stopped``.

    Raises:
        ConfigError: The address is in use or cannot be used.
    """
    net_tls.log_master_secret = None
    only_http = OnlyHttp(screen.answer_to_failure)
    addons = (DisableH2C(), DeviceTls(authority), only_http, screen)
    master = GuardMaster(_bare_settings(state), addons, ready=ready)
    try:
        master.options.update(**_settings(listen, roots=roots))
        waiting = asyncio.create_task(_stop(master, stopped))
        try:
            await master.run()
        finally:
            waiting.cancel()
    finally:
        master._legacy_log_events.uninstall()  # noqa: SLF001 - run() leaves it where it failed early
    if master.failure is not None:
        raise _unusable(listen, master.failure)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    for name in KEY_LOGS:
        os.environ.pop(name, None)
    parsed = _parser().parse_args(arguments)
    harden_process()
    quiet_libraries()
    try:
        _run(parsed)
    except ProtechError as error:
        print(f"protech proxy: {error}", file=sys.stderr)  # noqa: T201 - the command's own words
        return error.exit_code
    return 0


def quiet_libraries() -> None:
    """Silence every logger that names hosts; only our own speak."""
    logging.lastResort = None
    for name in LOUD_LIBRARIES:
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL + 1)
        logger.propagate = False
    own = logging.getLogger("protech")
    own.propagate = False
    own.setLevel(logging.INFO)
    speaker = logging.StreamHandler()
    speaker.setFormatter(logging.Formatter("protech %(levelname)s %(message)s"))
    own.handlers = [speaker]


def _run(parsed: argparse.Namespace) -> None:
    now = datetime.now(UTC)
    authority = open_authority(parsed.state, now=now)
    consent = Consent(parsed.pause or parsed.state / PAUSE_FILE)
    targets = Targets(overrides=dict(parsed.override))
    record = Record.open(parsed.counts or parsed.state / COUNTS_FILE)
    roots = str(parsed.upstream_ca) if parsed.upstream_ca else trusted_roots()

    def loop() -> ScreenedLoop:
        made = ScreenedLoop()
        made.targets = targets
        return made

    def announced(address: Address) -> None:
        with os.fdopen(parsed.ready_fd, "w", closefd=parsed.ready_fd > 2) as channel:
            channel.write(f"READY {address[0]}:{address[1]}\n")

    async def serving() -> None:
        stopped = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, stopped.set)
        async with DetectorClient(parsed.detector) as judge:
            screen = Screen(
                judge=judge,
                counter=record,
                paused=lambda: consent.paused(datetime.now(UTC)),
                targets=targets,
                deadline_s=parsed.deadline,
            )
            await serve(
                parsed.listen,
                authority=authority,
                screen=screen,
                state=parsed.state,
                roots=roots,
                ready=announced,
                stopped=stopped,
            )

    with contextlib.closing(record):
        asyncio.run(serving(), loop_factory=loop)


async def _stop(master: Master, stopped: asyncio.Event | None) -> None:
    if stopped is not None:
        await stopped.wait()
        master.shutdown()


def _bare_settings(state: Path) -> options.Options:
    """Return what must hold before the first addon is asked: no file of mitmproxy's is read."""
    return options.Options(confdir=str(state), server=True)


def _settings(listen: Address, *, roots: str | None) -> dict[str, object]:
    return {
        "mode": ["regular"],
        "listen_host": listen[0],
        "listen_port": listen[1],
        "connection_strategy": "lazy",
        "upstream_cert": False,
        "http2": True,
        "http3": False,
        "rawtcp": False,
        "websocket": True,
        "validate_inbound_headers": True,
        "ssl_insecure": False,
        "ssl_verify_upstream_trusted_ca": roots,
        "tls_version_client_min": "TLS1_2",
        "tls_version_server_min": "TLS1_2",
        "ciphers_server": ":".join(TLS_CIPHERS),
    }


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return x509.DNSName(host.encode("idna").decode())


def _unusable(listen: Address, refused: OSError) -> ConfigError:
    where = f"{listen[0]}:{listen[1]}"
    if refused.errno == errno.EADDRINUSE:
        return ConfigError(
            f"Another program uses {where}; stop it (`ss -ltnp` names it), or choose another port"
            f" with --listen {listen[0]}:{listen[1] + 1} and tell the browser."
        )
    return ConfigError(f"The proxy cannot listen at {where}: {refused.strerror or refused}.")


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
