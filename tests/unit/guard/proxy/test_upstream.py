"""What becomes of sites that cannot prove who they are: real TLS servers, one fault each."""

import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.client import RemoteDisconnected
from pathlib import Path

import pytest

from protech.guard.proxy.upstream import (
    OWN_MACHINE_ERROR,
    Trouble,
    page,
    trouble,
    trusted_roots,
)
from tests.proxied import Proxied, Roots, Sent, origin, proxied, server_context

DAY = timedelta(days=1)


@contextmanager
def faulty(directory: Path, context: ssl.SSLContext, roots: Roots) -> Iterator[Proxied]:
    with origin(context) as site:
        site.routes["/"] = Sent(b"<html>secret", {"Content-Type": "text/html"})
        overrides = {"site.test": ("127.0.0.1", site.port)}
        file = roots.write(directory / "roots.pem")
        with proxied(directory / "state", overrides, roots=file) as proxy:
            yield proxy


def assert_refused(proxy: Proxied, words: bytes) -> None:
    """A person reads why; what a page asks for breaks off, as without a proxy."""
    opened = {"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}
    status, headers, body = proxy.get("https://site.test/", opened)
    assert status == 502
    assert words in body
    assert b"secret" not in body
    assert b"mitmproxy" not in body + repr(headers).encode()
    with pytest.raises(RemoteDisconnected):
        proxy.get("https://site.test/", {"Sec-Fetch-Dest": "image"})


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"starts": -20 * DAY, "ends": -DAY}, b"has run out"),
        ({"starts": DAY, "ends": 2 * DAY}, b"not valid yet"),
        ({"host": "other.test"}, b"belongs to another site"),
        ({"is_self_signed": True}, b"vouches only for itself"),
        ({"key_bits": 1024}, b"too weak"),
    ],
)
def test_a_certificate_with_a_fault_is_refused(
    tmp_path: Path, fault: dict[str, object], words: bytes
) -> None:
    roots = Roots.make()
    certificate = roots.site(tmp_path, **{"host": "site.test", **fault})  # type: ignore[arg-type]
    with faulty(tmp_path, server_context(certificate), roots) as proxy:
        assert_refused(proxy, words)


def test_a_site_that_nobody_known_vouches_for_is_refused(tmp_path: Path) -> None:
    certificate = Roots.make("Somebody").site(tmp_path, "site.test")
    with faulty(tmp_path, server_context(certificate), Roots.make()) as proxy:
        assert_refused(proxy, b"Nobody known vouches")


def test_old_tls_is_refused(tmp_path: Path) -> None:
    roots = Roots.make()
    context = server_context(roots.site(tmp_path, "site.test"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with faulty(tmp_path, context, roots) as proxy:
        assert_refused(proxy, b"out of date")


def test_the_same_site_without_a_fault_is_served(tmp_path: Path) -> None:
    roots = Roots.make()
    context = server_context(roots.site(tmp_path, "site.test"))
    with faulty(tmp_path, context, roots) as proxy:
        assert proxy.get("https://site.test/")[2] == b"<html>secret"


def test_something_that_does_not_speak_tls_is_refused(tmp_path: Path) -> None:
    with (
        origin() as site,
        proxied(tmp_path / "state", {"site.test": ("127.0.0.1", site.port)}) as proxy,
    ):
        assert_refused(proxy, b"does not answer securely")


def test_a_site_that_is_not_there_is_explained(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with proxied(tmp_path / "state", {"site.test": ("127.0.0.1", port)}) as proxy:
        assert_refused(proxy, b"cannot be reached")


def test_a_server_that_hangs_up_or_talks_nonsense_gives_a_page_nothing(
    tmp_path: Path,
) -> None:
    def serve(listener: socket.socket) -> None:
        for answer in (b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n"):
            client, _ = listener.accept()
            with client:
                client.recv(65536)
                client.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = listener.getsockname()
        server = threading.Thread(target=serve, args=(listener,), daemon=True)
        server.start()
        with proxied(tmp_path / "state", {"site.test": where}) as proxy:
            for _ in range(3):
                with pytest.raises(RemoteDisconnected):
                    proxy.get("http://site.test/")
        server.join()


@pytest.mark.parametrize(
    ("message", "what"),
    [
        ("Certificate verify failed: certificate has expired", Trouble.EXPIRED),
        ("Certificate verify failed: hostname mismatch", Trouble.WRONG_HOST),
        ("Certificate verify failed: IP address mismatch", Trouble.WRONG_HOST),
        ("Certificate verify failed: CA certificate key too weak", Trouble.WEAK_KEY),
        ("Certificate verify failed: something new", Trouble.UNKNOWN_ROOT),
        ("OpenSSL Error([('SSL routines', '', 'internal error')])", Trouble.TLS_FAILED),
        (f"Connection killed: {OWN_MACHINE_ERROR}", Trouble.OWN_MACHINE),
        ("[Errno 111] Connect call failed", Trouble.UNREACHABLE),
    ],
)
def test_errors_are_told_apart(message: str, what: Trouble) -> None:
    assert trouble(message) is what


def test_an_error_after_the_connection_is_a_broken_answer() -> None:
    assert trouble("server closed connection", was_connected=True) is Trouble.BROKEN_ANSWER


@pytest.mark.parametrize("what", Trouble)
def test_every_trouble_has_words_and_no_name(what: Trouble) -> None:
    text = page(what, host="<script>")
    assert b"&lt;script&gt;" in text
    assert b"rotech" not in text
    assert text.count(b"<p>") == 2


def test_the_roots_of_this_machine_are_found_or_left_to_the_packaged_ones() -> None:
    file = trusted_roots()
    assert file is None or b"BEGIN" in Path(file).read_bytes()
