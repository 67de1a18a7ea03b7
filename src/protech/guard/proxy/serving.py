"""mitmproxy as the guard runs it: few addons, explicit settings, no pages of its own."""

import asyncio
import errno
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mitmproxy import options
from mitmproxy.addons.disable_h2c import DisableH2C
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.certs import CertStoreEntry
from mitmproxy.connection import Client, Connection
from mitmproxy.master import Master
from mitmproxy.net import tls as net_tls
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.tls import ClientHelloData

from protech.errors import ConfigError
from protech.guard.proxy.certificates import (
    CERTIFICATE_FILE,
    Authority,
    SiteCertificates,
    site_name,
)
from protech.guard.proxy.layers import OnlyHttp
from protech.guard.proxy.screen import Screen
from protech.guard.proxy.targets import Address
from protech.guard.proxy.upstream import TLS_CIPHERS
from protech.serve.peer import peer_uid

CLOSING_TURNS = 100
"""Hundredths of a second that open connections get to close."""


class DeviceTls(TlsConfig):
    """This device's own certificates towards the browser, strict checks towards sites."""

    name = "tlsconfig"

    def __init__(self, authority: Authority, *, state: Path) -> None:
        """Take the authority that signs for sites, and the directory where it is kept."""
        self.certstore = SiteCertificates(authority, chain_file=state / CERTIFICATE_FILE)

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
        return self.certstore.get_cert(None, [site_name(asked or "")])


class OnlyOwner:
    """Turns other accounts of this machine away.

    To them the proxy would be a way to ask what is hidden, and to add to this user's counts.
    """

    def client_connected(self, client: Client) -> None:
        """Turn away a connection of another account, or of one that cannot be told."""
        near, far = client.peername, client.sockname
        if peer_uid((near[0], near[1]), (far[0], far[1])) != os.getuid():
            client.error = "another account"


class Closing:
    """Closes what mitmproxy leaves open when a connection is ended in the midst of an answer.

    mitmproxy 12.2.3 cancels the task that reads from it; where that task waits for the lock of
    ``server_event`` just then, nobody closes its socket any more.
    """

    def __init__(self, server: Proxyserver) -> None:
        """Take the server whose connections are tended."""
        self._server = server

    def server_disconnected(self, data: ServerConnectionHookData) -> None:
        """Close a server's socket if it is still there."""
        self._close(data.client, data.server)

    def client_disconnected(self, client: Client) -> None:
        """Close a client's socket if it is still there."""
        self._close(client, client)

    def _close(self, client: Client, end: Connection) -> None:
        handler = self._server.connections.get(client.id)
        left = handler.transports.pop(end, None) if handler else None
        if left is not None and left.writer is not None:
            left.writer.close()


class GuardMaster(Master):
    """mitmproxy with only what the guard needs; ``ready`` is told the address it serves."""

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
        self.addons.add(self._server, OnlyOwner(), Closing(self._server), *addons)

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

    async def done(self) -> None:
        """Stop listening and close what is open, which mitmproxy leaves to the kernel."""
        await super().done()
        await self._server.servers.update([])
        for connection in list(self._server.connections.values()):
            for transport in list(connection.transports.values()):
                if transport.handler is not None:
                    transport.handler.cancel()
        for _ in range(CLOSING_TURNS):
            if not self._server.connections:
                break
            await asyncio.sleep(0.01)


async def serve(
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
    addons = (DisableH2C(), DeviceTls(authority, state=state), only_http, screen)
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


def _unusable(listen: Address, refused: OSError) -> ConfigError:
    where = f"{listen[0]}:{listen[1]}"
    if refused.errno == errno.EADDRINUSE:
        return ConfigError(
            f"Another program uses {where}; stop it (`ss -ltnp` names it), or choose another"
            f" port with --listen {listen[0]}:{listen[1] + 1} and tell the browser."
        )
    return ConfigError(f"The proxy cannot listen at {where}: {refused.strerror or refused}.")
