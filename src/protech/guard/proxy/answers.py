"""The answers that the guard gives in place of a server's: hidden, refused, or in plain words.

None of them carries a header, a byte or an address that tells who made it.
"""

import re

from mitmproxy import http

from protech.guard.proxy.inline import cuts
from protech.guard.proxy.upstream import Trouble, page

_RANGE = re.compile(r"bytes=(?:(\d+)-(\d*)|-(\d+))", re.ASCII)

LONG_HEADER = 100
"""Bytes; no picture is shorter."""

_FRESHNESS = ("etag", "last-modified", "expires", "age", "cache-control")

_PAGE_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    # The page is in the site's name: keep the site's other windows from reading or steering it.
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


def refused() -> http.Response:
    """Return the empty 502 that every refusal looks like to a page."""
    return http.Response.make(502, b"", {"Cache-Control": "no-store"})


def worded(what: Trouble, *, host: str, status: int = 502) -> http.Response:
    """Return a page in plain words, for a person who opened an address."""
    return http.Response.make(status, page(what, host=host), _PAGE_HEADERS)


def failed(request: http.Request, what: Trouble) -> http.Response:
    """Return words where a person opened the address, an empty 502 where a page asked."""
    return worded(what, host=request.pretty_host) if is_opened_by_person(request) else refused()


def is_opened_by_person(request: http.Request) -> bool:
    """Return whether the answer fills a tab, as far as the browser says."""
    headers = request.headers
    if "sec-fetch-dest" in headers:
        return bool(headers["sec-fetch-dest"] == "document")
    # Over plain http browsers do not say; only a navigation sends both of these.
    return "text/html" in headers.get("accept", "") and "upgrade-insecure-requests" in headers


def replaced(response: http.Response, body: bytes) -> http.Response:
    """Put ``body`` in place of the one that came, under the headers that came."""
    headers = response.headers
    headers.pop("content-encoding", None)
    if "transfer-encoding" not in headers:
        headers["content-length"] = str(len(body))
    response.raw_content = body
    response.trailers = None
    return response


def drop_pictures(response: http.Response) -> None:
    """Take out headers that carry a picture, as a Refresh to a ``data:`` URL does."""
    fields = response.headers.fields
    kept = tuple(each for each in fields if len(each[1]) < LONG_HEADER or not cuts(each[1]))
    if len(kept) < len(fields):
        response.headers.fields = kept
    if len(response.data.reason) >= LONG_HEADER:
        response.data.reason = b""


def unkept(response: http.Response) -> http.Response:
    """Keep browsers from storing an answer that says more of the moment than of the picture."""
    for name in _FRESHNESS:
        response.headers.pop(name, None)
    response.headers["cache-control"] = "no-store"
    return response


def cut_out(response: http.Response, asked: str, *, if_range: str | None) -> http.Response:
    """Return the range that was ``asked`` of a whole answer; the whole where it cannot be."""
    body = response.raw_content or b""
    match = _RANGE.fullmatch(asked.replace(" ", ""))
    headers = response.headers
    has_moved = if_range and if_range not in (headers.get("etag"), headers.get("last-modified"))
    is_whole = response.status_code == 200 and body and "content-encoding" not in headers
    if match is None or has_moved or not is_whole:
        return response
    size = len(body)
    start = int(match[1]) if match[1] else max(0, size - int(match[3]))
    end = min(int(match[2]) if match[2] else size - 1, size - 1)
    if start > end:
        response.status_code, response.reason = 416, "Range Not Satisfiable"
        headers["content-range"] = f"bytes */{size}"
        return replaced(response, b"")
    response.status_code, response.reason = 206, "Partial Content"
    headers["content-range"] = f"bytes {start}-{end}/{size}"
    return replaced(response, body[start : end + 1])
