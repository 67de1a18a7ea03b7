"""Looking at the site: what may go wrong on the way, and the browser's command line."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from protech.guard.demo.certificate import site_pair
from protech.guard.demo.look import Way, browser, browser_command, look_with_browser, secured
from protech.guard.demo.paint import Palette, paint
from protech.guard.demo.pictures import Photo, jpeg
from protech.guard.demo.site import HOST, served

SMALL = paint(1, 64, 48, palette=Palette.COOL)
PHOTOS = [Photo(title="Small", served="JPEG", is_listed=False, content=jpeg(SMALL))]


@pytest.fixture
def way() -> Iterator[Way]:
    pair = site_pair(HOST, now=datetime.now(UTC))
    with served(PHOTOS, certificate=pair.chain, key=pair.key) as port:
        yield Way(site=("127.0.0.1", port), authority=pair.authority)


@contextmanager
def answering(answer: bytes) -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[:2]
        thread.join()


def test_a_site_that_cannot_prove_itself_is_not_looked_at(way: Way) -> None:
    stranger = site_pair(HOST, now=datetime.now(UTC)).authority
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        secured(replace(way, authority=stranger))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", ConnectionRefusedError),
        (b"", ConnectionResetError),
    ],
)
def test_a_proxy_that_opens_no_tunnel_is_said(
    way: Way, answer: bytes, error: type[OSError]
) -> None:
    with answering(answer) as proxy, pytest.raises(error):
        secured(replace(way, proxy=proxy))


def test_a_browser_goes_straight_or_through_the_proxy_only(way: Way, tmp_path: Path) -> None:
    straight = browser_command("browser", way, profile="p")
    assert not any("proxy" in option for option in straight)
    assert any(option.startswith(f"--host-resolver-rules=MAP {HOST} ") for option in straight)
    assert any("spki-list=" in option for option in straight)
    assert ("--no-sandbox" in straight) == (os.getuid() == 0)


def test_a_browser_that_leaves_no_screenshot_gives_no_look(way: Way, tmp_path: Path) -> None:
    look = look_with_browser(
        "/bin/true", way, PHOTOS, picture=tmp_path / "shot.png", is_stopped=lambda: False
    )
    assert look is None


def test_a_look_ends_when_the_person_wants_to(way: Way, tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o700)
    began = time.monotonic()
    look = look_with_browser(
        os.fspath(slow), way, PHOTOS, picture=tmp_path / "shot.png", is_stopped=lambda: True
    )
    assert look is None
    assert time.monotonic() - began < 30


def test_without_a_browser_on_the_path_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert browser() is None
