"""Real origins and the real proxy on loopback, for the tests of the guard's way through it."""

import asyncio
import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
import numpy as np
import wsproto
import wsproto.events
import wsproto.extensions
import wsproto.utilities
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from PIL import Image

from protech.guard.proxy.certificates import Authority, open_authority
from protech.guard.proxy.screen import Screen
from protech.guard.proxy.serving import serve
from protech.guard.proxy.targets import ScreenedLoop, Targets
from protech.serve.detector_client import DetectorUnavailable
from protech.types import Decision, Kind, Reason
from tests.loops import loop_apart

Headers = dict[str, str]


@dataclass(frozen=True)
class Judged:
    decision: Decision = Decision.ALLOW
    reason: Reason = Reason.NONE
    width_px: int | None = None
    height_px: int | None = None


@dataclass
class JudgeBySha:
    """Blocks what it was told to, as long as it is there."""

    blocked: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    is_down: bool = False
    error: Exception | None = None
    delay_s: float = 0.0
    seen: list[tuple[bytes, Kind | None]] = field(default_factory=list)

    def block(self, content: bytes, size: tuple[int | None, int | None] = (64, 48)) -> None:
        self.blocked[sha256(content).hexdigest()] = size

    async def inspect(
        self,
        content: bytes | memoryview,
        *,
        claims: Kind | None,
        surface: str,
        deadline_s: float,
    ) -> Judged:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.is_down:
            raise DetectorUnavailable("down")
        if self.error is not None:
            raise self.error
        self.seen.append((bytes(content), claims))
        size = self.blocked.get(sha256(content).hexdigest())
        if size is None:
            return Judged()
        return Judged(
            decision=Decision.BLOCK, reason=Reason.KNOWN, width_px=size[0], height_px=size[1]
        )


@dataclass
class Counts:
    rows: list[tuple[date, str, Reason]] = field(default_factory=list)

    def count(self, *, day: date, surface: str, reason: Reason) -> None:
        self.rows.append((day, surface, reason))


@dataclass(frozen=True)
class Sent:
    """What an origin answers."""

    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    pieces: tuple[bytes, ...] = ()
    pause_s: float = 0.0
    is_chunked: bool = False


Route = Sent | Callable[[BaseHTTPRequestHandler], Sent]


@dataclass
class Origin:
    port: int
    routes: dict[str, Route] = field(default_factory=dict)
    requests: list[tuple[str, Headers]] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    """Answers from the routes of its server's origin."""

    protocol_version = "HTTP/1.1"
    served: Origin

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.served.requests.append((self.path, headers))
        path = urlsplit(self.path).path
        route = self.served.routes.get(path, Sent(status=404))
        sent = route(self) if callable(route) else route
        self.send_response(sent.status)
        for name, value in sent.headers.items():
            self.send_header(name, value)
        if sent.is_chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif "Content-Length" not in sent.headers:
            self.send_header("Content-Length", str(len(sent.body)))
        self.end_headers()
        try:
            self._send(sent)
        except OSError:
            self.close_connection = True

    do_POST = do_HEAD = do_GET  # noqa: N815 - the names that http.server calls

    def _send(self, sent: Sent) -> None:
        if self.command == "HEAD":
            return
        for piece in sent.pieces or (sent.body,):
            self.wfile.write(
                b"%x\r\n%s\r\n" % (len(piece), piece) if sent.is_chunked else piece
            )
            self.wfile.flush()
            time.sleep(sent.pause_s)
        if sent.is_chunked:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its signature
        pass


class Server(ThreadingHTTPServer):
    """Serves with TLS where it is given a context."""

    daemon_threads = True
    request_queue_size = 64
    context: ssl.SSLContext | None = None

    def handle_error(self, request: object, client_address: object) -> None:
        pass

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        if self.context is not None:
            connection.settimeout(10)
            connection = self.context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address


@contextmanager
def origin(context: ssl.SSLContext | None = None) -> Iterator[Origin]:
    """Serve HTTP/1.1, over TLS where a context is given."""
    served = Origin(port=0)
    handler = type("OwnHandler", (Handler,), {"served": served})
    server = Server(("127.0.0.1", 0), handler)
    server.context = context
    served.port = server.server_address[1]
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class Proxied:
    port: int
    authority: Authority
    judge: JudgeBySha
    counts: Counts
    state: Path

    @property
    def ca_file(self) -> Path:
        return self.state / "authority.pem"

    def connection(self, host: str, port: int, *, is_tls: bool) -> http.client.HTTPConnection:
        """Return a client's connection to ``host`` through the proxy."""
        if not is_tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        context = ssl.create_default_context(cafile=str(self.ca_file))
        client = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=20, context=context
        )
        client.set_tunnel(host, port)
        return client

    def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        body: bytes | None = None,
    ) -> tuple[int, Headers, bytes]:
        """Ask for ``url`` through the proxy; a new connection each time."""
        parts = urlsplit(url)
        is_tls = parts.scheme == "https"
        target = parts.path if is_tls else url
        client = self.connection(parts.hostname or "", parts.port or 443, is_tls=is_tls)
        try:
            client.request(method, target, body=body, headers=dict(headers or {}))
            answer = client.getresponse()
            return (
                answer.status,
                {name.lower(): value for name, value in answer.getheaders()},
                answer.read(),
            )
        finally:
            client.close()


@contextmanager
def proxied(
    state: Path,
    overrides: Mapping[str, tuple[str, int]],
    *,
    roots: Path | None = None,
    judge: JudgeBySha | None = None,
    paused: Callable[[], bool] = lambda: False,
    deadline_s: float = 5.0,
    port: int = 0,
) -> Iterator[Proxied]:
    """Run the real proxy in a thread."""
    judge = judge or JudgeBySha()
    counts = Counts()
    authority = open_authority(state, now=datetime.now(UTC))
    targets = Targets(overrides=dict(overrides))
    ready = threading.Event()
    served: list[int] = []
    loop = ScreenedLoop()
    loop.targets = targets
    stopped = asyncio.Event()
    errors: list[BaseException] = []

    def is_ready(address: tuple[str, int]) -> None:
        served.append(address[1])
        ready.set()

    async def serving() -> None:
        screen = Screen(
            judge=judge, counter=counts, paused=paused, targets=targets, deadline_s=deadline_s
        )
        await serve(
            ("127.0.0.1", port),
            authority=authority,
            screen=screen,
            state=state,
            roots=str(roots) if roots else None,
            ready=is_ready,
            stopped=stopped,
        )

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(serving())
        except BaseException as error:  # noqa: BLE001 - raised again by the test
            errors.append(error)
            ready.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(20)
    if errors:
        thread.join()
        raise errors[0]
    try:
        yield Proxied(
            port=served[0], authority=authority, judge=judge, counts=counts, state=state
        )
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(20)
        assert not thread.is_alive()
        if errors:
            raise errors[0]


@dataclass(frozen=True)
class Roots:
    """A certificate authority of the test's own internet."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls, name: str = "Test root") -> "Roots":
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=100))
            .not_valid_after(now + timedelta(days=100))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    def write(self, path: Path) -> Path:
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def site(
        self,
        directory: Path,
        host: str,
        *,
        starts: timedelta = timedelta(days=-10),
        ends: timedelta = timedelta(days=10),
        key_bits: int | None = None,
        is_self_signed: bool = False,
    ) -> Path:
        """Write a certificate and key for ``host`` to one file and return it."""
        key = (
            ec.generate_private_key(ec.SECP256R1())
            if key_bits is None
            else rsa.generate_private_key(public_exponent=65537, key_size=key_bits)
        )
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if is_self_signed else self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + starts)
            .not_valid_after(now + ends)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .sign(key if is_self_signed else self.key, hashes.SHA256())
        )
        path = directory / f"{host}-{certificate.serial_number}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return path


def server_context(
    certificate: Path, *, alpn: tuple[str, ...] = ("http/1.1",)
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(list(alpn))
    return context


class H2Connection(asyncio.Protocol):
    """One HTTP/2 connection of an origin."""

    def __init__(self, routes: Mapping[str, Sent], requests: list[Headers]) -> None:
        self._routes = routes
        self._requests = requests
        self._pending: dict[int, bytes] = {}
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self._connection = h2.connection.H2Connection(config)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connection.initiate_connection()
        transport.write(self._connection.data_to_send())

    def data_received(self, data: bytes) -> None:
        for event in self._connection.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                self._answer(event)
        for stream, body in list(self._pending.items()):
            self._pending[stream] = _send_some(self._connection, stream, body)
            if not self._pending[stream]:
                self._connection.end_stream(stream)
                del self._pending[stream]
        self._transport.write(self._connection.data_to_send())

    def _answer(self, event: h2.events.RequestReceived) -> None:
        assert event.headers is not None
        assert event.stream_id is not None
        headers = {str(name): str(value) for name, value in event.headers}
        self._requests.append(headers)
        sent = self._routes.get(headers[":path"], Sent(status=404))
        answer = [(":status", str(sent.status))]
        answer += [(name.lower(), value) for name, value in sent.headers.items()]
        self._connection.send_headers(event.stream_id, answer)
        self._pending[event.stream_id] = sent.body


@contextmanager
def h2_origin(
    certificate: Path, routes: Mapping[str, Sent]
) -> Iterator[tuple[int, list[Headers]]]:
    """Serve HTTP/2 and nothing else, over TLS."""
    requests: list[Headers] = []
    context = server_context(certificate, alpn=("h2",))

    async def serve() -> asyncio.Server:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)
        return await loop.create_server(
            lambda: H2Connection(routes, requests), "127.0.0.1", 0, ssl=context
        )

    async def close(server: asyncio.Server) -> None:
        server.close()
        await asyncio.sleep(0.05)

    with loop_apart() as running:
        server = running(serve())
        try:
            yield server.sockets[0].getsockname()[1], requests
        finally:
            running(close(server))


def _send_some(connection: h2.connection.H2Connection, stream: int, body: bytes) -> bytes:
    while body:
        room = min(
            connection.local_flow_control_window(stream), connection.max_outbound_frame_size
        )
        if room <= 0:
            return body
        connection.send_data(stream, body[:room])
        body = body[room:]
    return body


@dataclass(frozen=True)
class Way:
    """An origin behind the proxy: photos.test over TLS, plain.test without."""

    routes: dict[str, Route]
    secure: Origin
    plain: Origin
    proxy: Proxied

    def get(
        self, path: str, headers: Mapping[str, str] | None = None, *, method: str = "GET"
    ) -> tuple[int, Headers, bytes]:
        return self.proxy.get(f"https://photos.test{path}", headers, method=method)

    def asked(self, path: str) -> Headers:
        """Return the headers of the last request for ``path`` as the origin got them."""
        requests = self.secure.requests + self.plain.requests
        return [headers for asked, headers in requests if asked.endswith(path)][-1]


@contextmanager
def way(
    directory: Path,
    *,
    judge: JudgeBySha | None = None,
    paused: Callable[[], bool] = lambda: False,
    deadline_s: float = 5.0,
) -> Iterator[Way]:
    roots = Roots.make()
    certificate = roots.site(directory, "photos.test")
    routes: dict[str, Route] = {}
    with origin(server_context(certificate)) as secure, origin() as plain:
        secure.routes = plain.routes = routes
        overrides = {
            "photos.test": ("127.0.0.1", secure.port),
            "plain.test": ("127.0.0.1", plain.port),
        }
        with proxied(
            directory / "state",
            overrides,
            roots=roots.write(directory / "roots.pem"),
            judge=judge,
            paused=paused,
            deadline_s=deadline_s,
        ) as proxy:
            yield Way(routes=routes, secure=secure, plain=plain, proxy=proxy)


def picture(seed: int, kind: str = "JPEG", size: tuple[int, int] = (64, 48)) -> bytes:
    """Return noise as an encoded picture; a seed never gives the same bytes as another."""
    noise = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind)
    return file.getvalue()


class Socket:
    """A WebSocket client or server over a connected socket."""

    def __init__(self, connection: socket.socket, *, is_client: bool, host: str = "") -> None:
        kind = wsproto.ConnectionType.CLIENT if is_client else wsproto.ConnectionType.SERVER
        self._socket = connection
        self._connection = wsproto.WSConnection(kind)
        self._messages: list[str | bytes] = []
        self._part: str | bytes = b""
        self.is_closed = False
        if is_client:
            asked = wsproto.events.Request(
                host=host, target="/", extensions=[wsproto.extensions.PerMessageDeflate()]
            )
            self._send(asked)
            self._receive()

    def send(self, *parts: str | bytes) -> None:
        """Send one message in as many fragments as there are parts."""
        for i, part in enumerate(parts, start=1):
            is_last = i == len(parts)
            if isinstance(part, str):
                self._send(wsproto.events.TextMessage(data=part, message_finished=is_last))
            else:
                self._send(wsproto.events.BytesMessage(data=part, message_finished=is_last))

    def message(self) -> str | bytes | None:
        """Return the next message, None once the other side has gone."""
        while not self._messages and not self.is_closed:
            self._receive()
        return self._messages.pop(0) if self._messages else None

    def close(self) -> None:
        with suppress(OSError, wsproto.utilities.LocalProtocolError):
            self._send(wsproto.events.CloseConnection(code=1000))
        self._socket.close()

    def _send(self, event: wsproto.events.Event) -> None:
        self._socket.sendall(self._connection.send(event))

    def _receive(self) -> None:
        data = self._socket.recv(65536)
        self._connection.receive_data(data or None)
        for event in self._connection.events():
            if isinstance(event, wsproto.events.Request):
                deflate = wsproto.extensions.PerMessageDeflate()
                self._send(wsproto.events.AcceptConnection(extensions=[deflate]))
            elif isinstance(event, wsproto.events.Message):
                self._part = event.data if not self._part else self._part + event.data
                if event.message_finished:
                    self._messages.append(self._part)
                    self._part = b""
            elif isinstance(
                event, wsproto.events.CloseConnection | wsproto.events.RejectConnection
            ):
                self.is_closed = True
        self.is_closed = self.is_closed or not data


@contextmanager
def sockets(
    proxy: Proxied, host: str, server: socket.socket
) -> Iterator[tuple[Socket, Socket]]:
    """Connect a client to ``host`` through the proxy; return it and the server's side."""
    with ThreadPoolExecutor(1) as pool:
        accepted = pool.submit(server.accept)
        connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
        connection.sendall(f"CONNECT {host}:80 HTTP/1.1\r\nHost: {host}:80\r\n\r\n".encode())
        assert b" 200 " in connection.recv(65536)

        def serve() -> Socket:
            ours = accepted.result(10)[0]
            ours.settimeout(10)
            side = Socket(ours, is_client=False)
            side._receive()
            return side

        serving = pool.submit(serve)
        client = Socket(connection, is_client=True, host=host)
        side = serving.result(10)
    try:
        yield client, side
    finally:
        side.close()
        client.close()
