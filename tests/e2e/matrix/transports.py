"""The ways in which the origin sends one picture's bytes over HTTP."""

import asyncio
import base64
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

import brotli
import zstandard

from tests.e2e.matrix.pictures import Picture

PIECE_BYTES = 700
BOUNDARY = "part5f2c"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: status, headers, and the body in the pieces and with the pauses it is sent in.

    One piece is sent with its length, several without.
    """

    pieces: tuple[bytes, ...]
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    pause_s: float = field(default=0.0)

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the pieces, each after its pause."""
        for piece in self.pieces:
            if self.pause_s:
                await asyncio.sleep(self.pause_s)
            yield piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a request asks of a transport; header names are lower case."""

    picture: Picture
    headers: dict[str, str]
    query: dict[str, str]


def plain(wanted: Wanted) -> Reply:
    """Send the whole file under its own media type."""
    return _whole(wanted.picture.content, wanted.picture.media_type)


def octet(wanted: Wanted) -> Reply:
    """Send it as application/octet-stream."""
    return _whole(wanted.picture.content, "application/octet-stream")


def text(wanted: Wanted) -> Reply:
    """Send it as text/plain."""
    return _whole(wanted.picture.content, "text/plain")


def hypertext(wanted: Wanted) -> Reply:
    """Send it as text/html."""
    return _whole(wanted.picture.content, "text/html; charset=utf-8")


def script(wanted: Wanted) -> Reply:
    """Send it as text/javascript."""
    return _whole(wanted.picture.content, "text/javascript")


def video(wanted: Wanted) -> Reply:
    """Send it as video/mp4."""
    return _whole(wanted.picture.content, "video/mp4")


def events(wanted: Wanted) -> Reply:
    """Send it as text/event-stream, which proxies stream."""
    return _whole(wanted.picture.content, "text/event-stream")


def unnamed(wanted: Wanted) -> Reply:
    """Send it without a content-type."""
    return Reply(pieces=(wanted.picture.content,))


def chunked(wanted: Wanted) -> Reply:
    """Send it in small pieces without a length."""
    content = wanted.picture.content
    cuts = range(0, len(content), PIECE_BYTES)
    return Reply(
        pieces=tuple(content[cut : cut + PIECE_BYTES] for cut in cuts),
        headers=(("content-type", wanted.picture.media_type),),
        pause_s=0.001,
    )


def slow(wanted: Wanted) -> Reply:
    """Send half, wait, send the rest: a browser paints what it has meanwhile."""
    content = wanted.picture.content
    middle = len(content) // 2
    return Reply(
        pieces=(content[:middle], content[middle:]),
        headers=(("content-type", wanted.picture.media_type),),
        pause_s=0.15,
    )


def _deflate(content: bytes) -> bytes:
    return zlib.compress(content)


def _raw_deflate(content: bytes) -> bytes:
    return zlib.compress(content, wbits=-zlib.MAX_WBITS)


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "deflate": _deflate,
    "deflate-raw": _raw_deflate,
}


def coded(*names: str) -> Callable[[Wanted], Reply]:
    """Return a transport that applies content codings in this order."""

    def send(wanted: Wanted) -> Reply:
        body = wanted.picture.content
        for name in names:
            body = CODINGS[name](body)
        said = ", ".join(name.removesuffix("-raw") for name in names)
        headers = (("content-type", wanted.picture.media_type), ("content-encoding", said))
        return Reply(pieces=(body,), headers=headers)

    return send


def ranged(wanted: Wanted) -> Reply:
    """Honour a single byte range."""
    content = wanted.picture.content
    asked = wanted.headers.get("range", "").removeprefix("bytes=")
    if not asked:
        return plain(wanted)
    first, _, last = asked.partition("-")
    return _part(wanted.picture, int(first), int(last) if last else len(content) - 1)


def insistent(wanted: Wanted) -> Reply:
    """Answer 206 with the part that the URL names, whether or not a range was asked for."""
    return _part(wanted.picture, int(wanted.query["first"]), int(wanted.query["last"]))


def disguised(wanted: Wanted) -> Reply:
    """Send the part that the URL names as a whole 200 answer of octets."""
    first, last = int(wanted.query["first"]), int(wanted.query["last"])
    return _whole(wanted.picture.content[first : last + 1], "application/octet-stream")


def cut_off(wanted: Wanted) -> Reply:
    """Send gzip without its checksum; browsers paint what they could undo."""
    whole = gzip.compress(wanted.picture.content, mtime=0)
    headers = (("content-type", wanted.picture.media_type), ("content-encoding", "gzip"))
    return Reply(pieces=(whole[:-8],), headers=headers)


def lost(wanted: Wanted) -> Reply:
    """Send it with status 404; an <img> shows it all the same."""
    return replace(plain(wanted), status=404)


def moved(wanted: Wanted) -> Reply:
    """Redirect to where it is."""
    place = (("location", wanted.query["to"]),)
    return Reply(pieces=(b"",), status=302, headers=place)


def lines(wanted: Wanted) -> Reply:
    """Send base64 in lines of 76 characters, as mail does."""
    return _whole(base64.encodebytes(wanted.picture.content), "text/plain")


def hesitant(wanted: Wanted) -> Reply:
    """Send JSON with a pause so long that a proxy may take it for a stream."""
    body = json.dumps({"name": "file", "file": data_url(wanted.picture)}).encode()
    cut = body.index(b"base64") + 20
    return Reply(
        pieces=(body[:cut], body[cut:]),
        headers=(("content-type", "application/json"),),
        pause_s=2.2,
    )


def numbered(wanted: Wanted) -> Reply:
    """Send a JPEG with a comment of its own: another file each time, the same picture."""
    comment = wanted.query["n"].encode()
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment
    content = wanted.picture.content
    return _whole(content[:2] + segment + content[2:], wanted.picture.media_type)


def validated(wanted: Wanted) -> Reply:
    """Send an ETag to revalidate at each use, and 304 to who has it."""
    tag = f'"{len(wanted.picture.content)}"'
    headers = (("etag", tag), ("cache-control", "no-cache"))
    if wanted.headers.get("if-none-match") == tag:
        return Reply(pieces=(b"",), status=304, headers=headers)
    return _whole(wanted.picture.content, wanted.picture.media_type, *headers)


def mixed(wanted: Wanted) -> Reply:
    """Send multipart/x-mixed-replace of two parts, as cameras do."""
    part = (
        f"--{BOUNDARY}\r\nContent-Type: {wanted.picture.media_type}\r\n"
        f"Content-Length: {len(wanted.picture.content)}\r\n\r\n"
    ).encode() + wanted.picture.content
    return Reply(
        pieces=(part + b"\r\n", part + f"\r\n--{BOUNDARY}--\r\n".encode()),
        headers=(("content-type", f"multipart/x-mixed-replace; boundary={BOUNDARY}"),),
        pause_s=0.05,
    )


def form(wanted: Wanted) -> Reply:
    """Send it as a field of multipart/form-data, which fetch() can take apart."""
    body = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n'
        f"Content-Type: {wanted.picture.media_type}\r\n\r\n"
    ).encode()
    return _whole(
        body + wanted.picture.content + f"\r\n--{BOUNDARY}--\r\n".encode(),
        f"multipart/form-data; boundary={BOUNDARY}",
    )


def server_sent(wanted: Wanted) -> Reply:
    """Send base64 in one event of an event stream."""
    encoded = base64.b64encode(wanted.picture.content).decode()
    first = f"event: hello\ndata: {wanted.picture.media_type}\n\n".encode()
    return Reply(
        pieces=(first, f"event: file\ndata: {encoded}\n\n".encode()),
        headers=(("content-type", "text/event-stream"), ("cache-control", "no-store")),
        pause_s=0.02,
    )


def data_url(picture: Picture) -> str:
    """Return the picture as a base64 ``data:`` URL."""
    return f"data:{picture.media_type};base64,{base64.b64encode(picture.content).decode()}"


def as_json(wanted: Wanted) -> Reply:
    """Send the picture in JSON, written as the ``style`` of the query says."""
    url = data_url(wanted.picture)
    bare = url.partition(",")[2]
    match wanted.query["style"]:
        case "slash":
            body = json.dumps({"file": url}).replace("/", "\\/")
        case "unicode":
            body = json.dumps({"file": url}).replace("+", "\\u002B").replace("/", "\\u002f")
        case "bare":
            body = json.dumps({"name": "file", "content": bare})
        case "bare-slash":
            body = json.dumps({"name": "file", "content": bare}).replace("/", "\\/")
        case "urlsafe":
            body = json.dumps({"content": bare.replace("+", "-").replace("/", "_")})
        case "numbers":
            body = json.dumps({"content": list(wanted.picture.content)})
        case _:
            body = json.dumps({"file": url})
    return _whole(body.encode(), "application/json")


def _whole(content: bytes, media_type: str, *more: tuple[str, str]) -> Reply:
    return Reply(pieces=(content,), headers=(("content-type", media_type), *more))


def _part(picture: Picture, first: int, last: int) -> Reply:
    size = len(picture.content)
    last = min(last, size - 1)
    return Reply(
        pieces=(picture.content[first : last + 1],),
        status=206,
        headers=(
            ("content-type", picture.media_type),
            ("content-range", f"bytes {first}-{last}/{size}"),
            ("accept-ranges", "bytes"),
        ),
    )


TRANSPORTS: dict[str, Callable[[Wanted], Reply]] = {
    "plain": plain,
    "octet": octet,
    "text": text,
    "hypertext": hypertext,
    "script": script,
    "video": video,
    "events": events,
    "unnamed": unnamed,
    "chunked": chunked,
    "slow": slow,
    "gzip": coded("gzip"),
    "br": coded("br"),
    "zstd": coded("zstd"),
    "deflate": coded("deflate"),
    "deflate-raw": coded("deflate-raw"),
    "twice": coded("gzip", "br"),
    "cut-off": cut_off,
    "lost": lost,
    "numbered": numbered,
    "moved": moved,
    "lines": lines,
    "hesitant": hesitant,
    "ranged": ranged,
    "insistent": insistent,
    "disguised": disguised,
    "validated": validated,
    "mixed": mixed,
    "form": form,
    "server-sent": server_sent,
    "json": as_json,
}
