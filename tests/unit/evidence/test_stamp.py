"""Time stamps: they wait while there is no network, and prove what they say and no more."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from protech.errors import ConfigError, TrustError
from protech.evidence import stamp_wire
from protech.evidence.log_checkpoint import sign_state
from protech.evidence.stamp import STAMP, WAITING, Stamps, sender
from protech.lists.checkpoint import log_key
from protech.signing import Key
from tests.stamping import Authority

pytestmark = pytest.mark.needs("openssl")

SIGNER = Key.of_seed(bytes(32))
LOG = log_key("protech/case/1", SIGNER.public)
AT = datetime(2026, 11, 28, 13, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def stamps(tmp_path: Path) -> Stamps:
    return Stamps(tmp_path / "stamps")


def checkpoint(size: int) -> bytes:
    return sign_state(LOG, size, bytes([size]) * 32, AT, SIGNER).note


def offline(_: bytes) -> bytes:
    raise ConnectionRefusedError


def test_checkpoints_wait_while_there_is_no_network(
    stamps: Stamps, authority: Authority
) -> None:
    for size in (3, 5, 5, 9):
        stamps.queue(checkpoint(size))
    with pytest.raises(ConfigError, match="nothing is lost"):
        stamps.stamp(offline, authority.certificate)
    assert list(stamps.waiting) == [3, 5, 9]
    assert not stamps.all()
    assert stamps.stamp(authority.send, authority.certificate) == 3
    stamps.queue(checkpoint(5))
    assert not stamps.waiting
    assert stamps.stamp(authority.send, authority.certificate) == 0


def test_the_first_stamp_that_covers_a_record_counts(
    stamps: Stamps, authority: Authority
) -> None:
    stamps.queue(checkpoint(3))
    stamps.stamp(authority.send, authority.certificate)
    stamps.queue(checkpoint(9))
    stamps.stamp(authority.send, authority.certificate)
    found = [stamps.first(index) for index in (0, 2, 3, 8, 9)]
    assert [None if one is None else one.size for one in found] == [3, 3, 9, 9, None]
    first = found[0]
    assert first is not None
    assert abs(first.at - datetime.now(UTC)) < timedelta(minutes=5)
    assert first.checkpoint == checkpoint(3)


def test_a_changed_stamp_is_refused(
    stamps: Stamps, authority: Authority, tmp_path: Path
) -> None:
    stamps.queue(checkpoint(3))
    stamps.stamp(authority.send, authority.certificate)
    (path,) = (tmp_path / "stamps").glob(f"*{STAMP}")
    content = path.read_bytes()
    for bad in (b"", b"[]", b"{}", content.replace(b'"v":1', b'"v":2'), content[:-9]):
        path.write_bytes(bad)
        with pytest.raises(TrustError):
            stamps.all()
    other = content.replace(b"case/1", b"case/2")
    path.write_bytes(other)
    with pytest.raises(TrustError):
        stamps.all()


def test_an_answer_for_something_else_is_not_kept(
    stamps: Stamps, authority: Authority, tmp_path: Path
) -> None:
    stamps.queue(checkpoint(3))
    request = stamp_wire.request(b"something else")
    with pytest.raises(TrustError, match="not for this checkpoint"):
        stamps.stamp(lambda _: authority.send(request), authority.certificate)
    with pytest.raises(TrustError):
        stamps.stamp(lambda _: b"none", authority.certificate)
    other = Authority(tmp_path / "other")
    with pytest.raises(TrustError):
        stamps.stamp(other.send, authority.certificate)
    assert stamps.waiting == (3,)


def test_what_is_no_checkpoint_is_not_queued(stamps: Stamps, tmp_path: Path) -> None:
    with pytest.raises(TrustError):
        stamps.queue(b"none")
    assert not list((tmp_path / "stamps").glob(f"*{WAITING}"))


@pytest.fixture
def server(authority: Authority) -> Iterator[HTTPServer]:
    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200 if self.path == "/tsa?a=1" else 503)
            self.end_headers()
            self.wfile.write(authority.send(content))

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_an_authority_is_asked_over_http(
    stamps: Stamps, authority: Authority, server: HTTPServer
) -> None:
    stamps.queue(checkpoint(3))
    url = f"http://127.0.0.1:{server.server_port}"
    with pytest.raises(ConfigError):
        stamps.stamp(sender(f"{url}/down"), authority.certificate)
    with pytest.raises(ConfigError):
        stamps.stamp(sender("https://127.0.0.1:9"), authority.certificate)
    assert stamps.stamp(sender(f"{url}/tsa?a=1"), authority.certificate) == 1


@pytest.mark.parametrize("url", ["", "ftp://example.com", "http://", "example.com"])
def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises(ConfigError):
        sender(url)
