"""The demo's photo site: a page of evenings and days, served over HTTPS on loopback."""

import base64
import html
import ssl
import tempfile
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import assert_never

from protech.guard.demo.pictures import Photo, Placing, day, evening, jpeg, webp

HOST = "photos.example"
"""A name that no one can own (RFC 2606); only the demo's guard and browser know where it is."""

LISTED_SEEDS = (5, 3, 11, 9)
"""Of the four evenings that the demo's known list holds."""

COLUMNS = 4
TILE_WIDTH_PX, TILE_HEIGHT_PX = 282, 188
GAP_PX, MARGIN_PX, TOP_PX, CAPTION_PX = 20, 40, 132, 46
PAGE_WIDTH_PX = 2 * MARGIN_PX + COLUMNS * TILE_WIDTH_PX + (COLUMNS - 1) * GAP_PX

_STYLE = f"""
* {{ box-sizing: border-box; margin: 0; }}
body {{ width: {PAGE_WIDTH_PX}px; background: #f6f5f1; color: #2b2f33;
  font: 15px/1.4 system-ui, "DejaVu Sans", sans-serif; }}
header {{ height: {TOP_PX}px; padding: 34px {MARGIN_PX}px 0; }}
h1 {{ font-size: 30px; font-weight: 600; letter-spacing: -0.01em; }}
header p {{ color: #6a7076; }}
main {{ display: grid; grid-template-columns: repeat({COLUMNS}, {TILE_WIDTH_PX}px);
  column-gap: {GAP_PX}px; padding: 0 {MARGIN_PX}px 30px; }}
figure {{ height: {TILE_HEIGHT_PX + CAPTION_PX}px; }}
.photo {{ display: block; width: {TILE_WIDTH_PX}px; height: {TILE_HEIGHT_PX}px;
  background-size: cover; }}
figcaption {{ padding-top: 7px; font-size: 13px; color: #4a4f54; }}
"""

_SCRIPT = """
for (const image of document.querySelectorAll("img[data-fetch]")) {
  fetch(image.dataset.fetch).then((answer) => answer.blob())
    .then((blob) => { image.src = URL.createObjectURL(blob); });
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Where a photo stands on the page, in CSS pixels."""

    left: int
    top: int
    width: int
    height: int


def photos() -> list[Photo]:
    """Return the photos of the site in page order: seven of listed evenings, five of days."""
    lake, ridge, firs, valley = (evening(seed) for seed in LISTED_SEEDS)
    clear, coast, meadow, hills, pond = (day(seed) for seed in (2, 7, 4, 8, 12))
    listed = partial(Photo, is_listed=True)
    other = partial(Photo, is_listed=False)
    background, inside, fetched = Placing.BACKGROUND, Placing.DATA, Placing.BLOB
    return [
        listed(title="Evening lake", served="the listed file", content=jpeg(lake)),
        other(title="Clear morning", served="JPEG", content=jpeg(clear)),
        listed(title="Evening lake", served="saved again", content=jpeg(lake, quality=60)),
        other(title="Green coast", served="WebP", content=webp(coast)),
        listed(title="Evening lake", served="half its size", content=jpeg(lake, width_px=360)),
        listed(title="Evening lake", served="turned into WebP", content=webp(lake)),
        other(title="Meadow", served="JPEG", content=jpeg(meadow), placing=background),
        listed(
            title="Red ridge", served="the listed file", content=jpeg(ridge), placing=background
        ),
        listed(
            title="Dark firs",
            served="saved again",
            content=jpeg(firs, quality=80),
            placing=inside,
        ),
        other(
            title="Green hills", served="JPEG", content=jpeg(hills, quality=80), placing=inside
        ),
        other(title="Quiet pond", served="JPEG", content=jpeg(pond), placing=fetched),
        listed(
            title="Red valley", served="the listed file", content=jpeg(valley), placing=fetched
        ),
    ]


def listed_files() -> dict[str, bytes]:
    """Return the files that the demo's known list is made of."""
    return {f"evening-{seed}.jpg": jpeg(evening(seed)) for seed in LISTED_SEEDS}


def page(shown: Sequence[Photo]) -> bytes:
    """Return the site's page."""
    figures = "".join(_figure(photo) for photo in shown)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Evenings and days</title>'
        f"<style>{_STYLE}</style><header><h1>Evenings and days</h1>"
        "<p>Twelve views of places that do not exist.</p></header>"
        f"<main>{figures}</main><script>{_SCRIPT}</script>"
    ).encode()


def regions(count: int) -> list[Region]:
    """Return where the first ``count`` photos stand, in page order."""
    return [
        Region(
            left=MARGIN_PX + i % COLUMNS * (TILE_WIDTH_PX + GAP_PX),
            top=TOP_PX + i // COLUMNS * (TILE_HEIGHT_PX + CAPTION_PX),
            width=TILE_WIDTH_PX,
            height=TILE_HEIGHT_PX,
        )
        for i in range(count)
    ]


def page_height_px(count: int) -> int:
    """Return the height of a page of ``count`` photos."""
    return TOP_PX + -(-count // COLUMNS) * (TILE_HEIGHT_PX + CAPTION_PX) + 30


@contextmanager
def served(shown: Sequence[Photo], *, certificate: bytes, key: bytes) -> Iterator[int]:
    """Serve the site on a free port of 127.0.0.1 for the length of the ``with``; give the port.

    Args:
        shown: The photos.
        certificate: PEM, the chain for ``HOST``.
        key: PEM, its private key; it is on the disk only while it is read.
    """
    files = {"/": ("text/html; charset=utf-8", page(shown))}
    files |= {path_of(photo): (_type_of(photo), photo.content) for photo in shown}

    class Answer(_Answer):
        site = files

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as directory:
        pair = Path(directory) / "site.pem"
        pair.touch(mode=0o600)
        pair.write_bytes(key + certificate)
        context.load_cert_chain(pair)
    with _Server(("127.0.0.1", 0), Answer) as server:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def path_of(photo: Photo) -> str:
    """Return the path under which the site serves ``photo``; it says nothing of what it is."""
    return f"/photo/{zlib.crc32(photo.content):08x}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: a browser that hangs up early is no matter of the demo's terminal."""


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Mapping[str, tuple[str, bytes]]

    def do_GET(self) -> None:
        """Answer with the file under the path."""
        media_type, content = self.site.get(self.path, ("text/plain", b""))
        self.send_response(200 if self.path in self.site else 404)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _figure(photo: Photo) -> str:
    path = path_of(photo)
    match photo.placing:
        case Placing.IMG:
            shown = f'<img class="photo" src="{path}" alt="">'
        case Placing.BACKGROUND:
            shown = f'<div class="photo" style="background-image: url({path})"></div>'
        case Placing.DATA:
            text = base64.b64encode(photo.content).decode()
            shown = f'<img class="photo" src="data:image/jpeg;base64,{text}" alt="">'
        case Placing.BLOB:
            shown = f'<img class="photo" data-fetch="{path}" alt="">'
        case _:
            assert_never(photo.placing)
    caption = html.escape(f"{photo.title} ({photo.served})")
    return f"<figure>{shown}<figcaption>{caption}</figcaption></figure>"


def _type_of(photo: Photo) -> str:
    if photo.placing is Placing.BLOB:
        return "application/octet-stream"
    return "image/webp" if photo.content[8:12] == b"WEBP" else "image/jpeg"
