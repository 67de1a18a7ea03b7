"""How the demo looks at its site: through a real browser, or as a plain HTTPS client."""

import base64
import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from protech.guard.demo.certificate import pin
from protech.guard.demo.pictures import Photo, Pixels, Placing, opened, screenshot
from protech.guard.demo.site import HOST, PAGE_WIDTH_PX, page_height_px, path_of, regions
from protech.guard.plan import Address, text_of

BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FRAME_PX = 120
"""A headless window counts a frame that it does not draw; the page must fit all the same."""

BROWSER_S = 90.0
SETTLE_MS = 15_000
"""Virtual time: it stands still while something loads, and then runs out at once."""

CLIENT_S = 30.0

QUIET = (
    "--headless=new",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--force-color-profile=srgb",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--no-first-run",
)
DATA_URI = re.compile(rb"data:image/[a-z]+;base64,([A-Za-z0-9+/=]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to the site: straight to ``site``, or through ``proxy``; whom it trusts, PEM."""

    site: Address
    proxy: Address | None = None
    authority: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What came of one photo: its pixels, and the bytes by which two looks are compared."""

    pixels: Pixels = field(repr=False)
    content: bytes = field(repr=False)


def browser() -> str | None:
    """Return the path of an installed browser that can be driven, None without one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def browser_command(program: str, way: Way, *, profile: str) -> list[str]:
    """Return the command that opens the site in ``program`` by ``way``, without a task yet.

    The browser is told to take one key: that of the certificate which answers now, and which
    this process has checked.

    Raises:
        OSError: Nothing answers, or its certificate does not hold.
    """
    command = [program, f"--user-data-dir={profile}", "--no-first-run"]
    command.append(f"--ignore-certificate-errors-spki-list={pin(_certificate(way))}")
    if way.proxy is not None:
        # Without the bypass rule a browser goes to loopback addresses on its own.
        command += [f"--proxy-server={text_of(way.proxy)}", "--proxy-bypass-list=<-loopback>"]
    else:
        command.append(f"--host-resolver-rules=MAP {HOST} {text_of(way.site)}")
    if os.getuid() == 0:
        command.append("--no-sandbox")
    return command


def look_with_browser(
    program: str,
    way: Way,
    photos: Sequence[Photo],
    *,
    picture: Path,
    is_stopped: Callable[[], bool],
) -> list[Seen] | None:
    """Open the site once, leave a screenshot at ``picture``, return what each photo shows.

    None where the browser took no screenshot: it cannot run here, or was stopped.
    """
    picture.unlink(missing_ok=True)
    size = f"{PAGE_WIDTH_PX},{page_height_px(len(photos)) + FRAME_PX}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = browser_command(program, way, profile=profile)
        command += [*QUIET, f"--window-size={size}", f"--virtual-time-budget={SETTLE_MS}"]
        command += [f"--screenshot={picture}", f"https://{HOST}/"]
        _run(command, is_stopped)
    if not picture.exists():
        return None
    pixels = screenshot(picture, height_px=page_height_px(len(photos)))
    shown = []
    for region in regions(len(photos)):
        right, bottom = region.left + region.width, region.top + region.height
        cut = pixels[region.top : bottom, region.left : right]
        shown.append(Seen(pixels=cut, content=cut.tobytes()))
    return shown


def look_as_client(way: Way, photos: Sequence[Photo]) -> list[Seen]:
    """Fetch the page and each photo, return what came.

    Raises:
        OSError: The site or the proxy does not answer.
    """
    with _Client(way) as client:
        inside = iter(DATA_URI.findall(client.get("/")))
        contents = [
            base64.b64decode(next(inside, b""))
            if photo.placing is Placing.DATA
            else client.get(path_of(photo))
            for photo in photos
        ]
    return [Seen(pixels=opened(content), content=content) for content in contents]


class _Client:
    """One HTTPS connection to the site, straight or through the proxy."""

    def __init__(self, way: Way) -> None:
        self._way = way

    def __enter__(self) -> Self:
        self._connection = http.client.HTTPSConnection(HOST, timeout=CLIENT_S)
        self._connection.sock = secured(self._way)
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, path: str) -> bytes:
        """Return the body under ``path``."""
        self._connection.request("GET", path)
        return self._connection.getresponse().read()


def secured(way: Way) -> ssl.SSLSocket:
    """Return a checked TLS connection to the site.

    Raises:
        OSError: Nothing answers, or its certificate does not hold.
    """
    trust = ssl.create_default_context(cadata=way.authority.decode())
    plain = socket.create_connection(way.proxy or way.site, timeout=CLIENT_S)
    try:
        if way.proxy is not None:
            _tunnel(plain)
        return trust.wrap_socket(plain, server_hostname=HOST)
    except BaseException:
        plain.close()
        raise


def _certificate(way: Way) -> bytes:
    with secured(way) as connection:
        return ssl.DER_cert_to_PEM_cert(
            connection.getpeercert(binary_form=True) or b""
        ).encode()


def _tunnel(plain: socket.socket) -> None:
    plain.sendall(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = plain.recv(1)  # Not a byte beyond the head: what follows belongs to TLS.
        if not piece:
            raise ConnectionResetError("the proxy closed the connection")
        answer += piece
    if b" 200 " not in answer.split(b"\r\n", 1)[0]:
        raise ConnectionRefusedError("the proxy opened no tunnel")


def _run(command: Sequence[str], is_stopped: Callable[[], bool]) -> None:
    """Run ``command`` until it ends, ``is_stopped`` or its time is over; kill what is left."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    ) as process:
        waits = int(BROWSER_S / 0.1)
        while waits and not is_stopped():
            try:
                process.wait(0.1)
                break
            except subprocess.TimeoutExpired:
                waits -= 1
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
