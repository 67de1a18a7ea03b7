"""mitmproxy's settings as the guard has them, seen from outside."""

import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from http.client import RemoteDisconnected
from pathlib import Path

import pytest

from protech.errors import ConfigError
from protech.guard.proxy.certificates import CERTIFICATE_FILE, KEY_FILE
from protech.guard.proxy.placeholder import placeholder
from tests.proxied import (
    JudgeBySha,
    Proxied,
    Roots,
    Sent,
    Way,
    h2_origin,
    picture,
    proxied,
    server_context,
    way,
)

GOOD = picture(1, size=(300, 200))
BAD = picture(2)
GREY = placeholder(64, 48)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    with way(tmp_path_factory.mktemp("way")) as opened:
        yield opened


def curl(proxy: Proxied, *arguments: str) -> bytes:
    command = ["curl", "-sS", "-x", f"http://127.0.0.1:{proxy.port}", "--cacert"]
    return subprocess.run(
        [*command, str(proxy.ca_file), *arguments], capture_output=True, check=True
    ).stdout


def test_http_2_is_spoken_from_end_to_end(tmp_path: Path) -> None:
    judge = JudgeBySha()
    judge.block(BAD)
    roots = Roots.make()
    film = Sent(b"\x00\x00\x00\x18ftypisom" + bytes(300_000))
    routes = {"/good": Sent(GOOD), "/bad": Sent(BAD), "/film": film}
    with h2_origin(roots.site(tmp_path, "two.test"), routes) as (port, requests):
        where = {"two.test": ("127.0.0.1", port)}
        file = roots.write(tmp_path / "roots.pem")
        with proxied(tmp_path / "state", where, roots=file, judge=judge) as proxy:
            form = ["--http2", "-w", "%{http_version} %{http_code} %{num_connects}\n"]
            urls = ["https://two.test/good", "https://two.test/film", "https://two.test/bad"]
            files = [tmp_path / str(i) for i in range(3)]
            told = curl(proxy, *form, *(f"-o{file}" for file in files), *urls)
    assert told.split() == [b"2", b"200", b"1", b"2", b"502", b"0", b"2", b"200", b"0"]
    assert [file.read_bytes() if file.exists() else b"" for file in files] == [GOOD, b"", GREY]
    assert [request[":path"] for request in requests] == ["/good", "/film", "/bad"]


def test_a_server_of_http_1_gets_http_1(site: Way) -> None:
    site.routes["/"] = Sent(b"hello")
    form = ["--http2", "-w", " %{http_version}"]
    assert curl(site.proxy, *form, "https://photos.test/") == b"hello 1.1"


def test_a_clear_connection_is_not_turned_into_http_2(site: Way) -> None:
    site.routes["/"] = Sent(b"hello")
    curl(site.proxy, "--http2", "http://plain.test/")
    assert "http2-settings" not in site.asked("/")
    assert "upgrade" not in site.asked("/")


@pytest.mark.parametrize("path", ["/", "/cert/pem", "/mitmproxy-1.crl"])
def test_there_is_no_page_of_mitmproxy_s(site: Way, path: str) -> None:
    with pytest.raises(RemoteDisconnected):
        site.proxy.get(f"http://mitm.it{path}")
    serial = site.proxy.authority.certificate.serial_number
    site.routes[f"/mitmproxy-{serial}.crl"] = Sent(b"the site's own")
    assert site.get(f"/mitmproxy-{serial}.crl")[2] == b"the site's own"


def test_nothing_but_the_authority_is_written(site: Way) -> None:
    site.routes["/"] = Sent(GOOD)
    site.get("/")
    assert {file.name for file in site.proxy.state.iterdir()} == {KEY_FILE, CERTIFICATE_FILE}


def test_the_browser_s_side_takes_no_old_tls(site: Way) -> None:
    with socket.create_connection(("127.0.0.1", site.proxy.port), timeout=10) as client:
        client.sendall(b"CONNECT photos.test:443 HTTP/1.1\r\nHost: photos.test\r\n\r\n")
        assert b" 200 " in client.recv(65536)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with pytest.raises((ssl.SSLError, OSError)):
            context.wrap_socket(client, server_hostname="photos.test")


def test_a_port_in_use_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(
                ConfigError, match=rf"127.0.0.1:{port}.*--listen 127.0.0.1:{port + 1}"
            ),
            proxied(tmp_path, {}, port=port),
        ):
            pytest.fail("it served")


def test_a_server_that_is_gone_while_answering_leaves_nothing_half_shown(
    tmp_path: Path,
) -> None:
    roots = Roots.make()
    context = server_context(roots.site(tmp_path, "site.test"))
    context.num_tickets = 0
    with way(tmp_path) as opened:
        part = GOOD[: len(GOOD) // 2]
        opened.routes["/half"] = Sent(
            part, {"Content-Length": str(len(GOOD)), "Connection": "close"}
        )
        with pytest.raises(RemoteDisconnected):
            opened.get("/half")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run as another account")
def test_another_account_of_this_machine_is_turned_away(site: Way) -> None:
    site.routes["/good"] = Sent(GOOD)
    command = [
        "curl",
        "-sS",
        "-x",
        f"http://127.0.0.1:{site.proxy.port}",
        "http://plain.test/good",
    ]
    other = subprocess.run(command, capture_output=True, check=False, user=65534, cwd="/")
    assert other.returncode in (52, 56)  # an empty reply, or a reset
    assert other.stdout == b""
    assert subprocess.run(command, capture_output=True, check=True).stdout == GOOD
