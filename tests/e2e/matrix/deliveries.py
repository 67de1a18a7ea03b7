"""How a page may bring a picture to the screen: the rows of the matrix.

In a template ``@plain`` stands for the URL of that transport, ``@cdn:plain`` for the same on
another host, and ``@data`` and its like for the picture written into the text itself.
"""

import base64
import html
import re
from collections.abc import Callable
from urllib.parse import quote, quote_from_bytes

from tests.e2e.matrix.pictures import Picture
from tests.e2e.matrix.transports import TRANSPORTS, data_url

HOSTS = ("site.example", "cdn.example", "h1.example")
ORIGINS = {None: "", "cdn": "https://cdn.example", "h1": "https://h1.example"}

FRAMED = "&lt;body style=margin:0&gt;&lt;img width=40 height=30"

MARKUP = {
    "img": '<img src="@plain">',
    "background": '<div style="background:url(@plain) 0/100% 100%"></div>',
    "picture": '<picture><source srcset="@plain"><img src="/none"></picture>',
    "srcset": '<img src="/none" srcset="@plain 1x, @plain 2x">',
    "octet": '<img src="@octet">',
    "text": '<img src="@text">',
    "hypertext": '<img src="@hypertext">',
    "script-type": '<img src="@script">',
    "video-type": '<img src="@video">',
    "event-type": '<img src="@events">',
    "unnamed": '<img src="@unnamed">',
    "chunked": '<img src="@chunked">',
    "slow": '<img src="@slow">',
    "gzip": '<img src="@gzip">',
    "br": '<img src="@br">',
    "zstd": '<img src="@zstd">',
    "deflate": '<img src="@deflate">',
    "deflate-raw": '<img src="@deflate-raw">',
    "twice": '<img src="@twice">',
    "cut-off": '<img src="@cut-off">',
    "lost": '<img src="@lost">',
    "moved": '<img src="@moved&to=@plain">',
    "validated": '<img src="@validated">',
    "mixed": '<img src="@mixed">',
    "cdn": '<img src="@cdn:plain">',
    "http1": '<img src="@h1:plain">',
    "http1-chunked": '<img src="@h1:chunked">',
    "input": '<input type="image" src="@plain">',
    "object": '<object data="@plain" type="@type"></object>',
    "embed": '<embed src="@plain" type="@type">',
    "iframe": '<iframe src="@plain"></iframe>',
    "poster": '<video poster="@plain"></video>',
    "preload": '<link rel="preload" as="image" href="@plain"><img src="@plain">',
    "svg-href": '<svg viewBox="0 0 40 30"><image href="@plain" width="40" height="30"/></svg>',
    "svg-data": '<svg viewBox="0 0 40 30"><image href="@data" width="40" height="30"/></svg>',
    "svg-file": '<img src="/svg/@name">',
    "nested-page": '<iframe src="@page"></iframe>',
    "srcdoc": f'<iframe srcdoc="{FRAMED} src=@plain&gt;"></iframe>',
    "srcdoc-data": f'<iframe srcdoc="{FRAMED} src=@data&gt;"></iframe>',
    "data": '<img src="@data">',
    "data-style": '<div style="background:url(@data) 0/100% 100%"></div>',
    "data-wrapped": '<img src="@wrapped">',
    "data-quoted": '<img src="@quoted">',
    "data-entities": '<img src="@entities">',
    "data-upper": '<img src="@upper">',
    "data-charset": '<img src="@charset">',
    "data-untyped": '<img src="@untyped">',
    "data-percent": '<img src="@percent">',
    "data-letters": '<img src="@letters">',
    "data-letters-percent": '<img src="@letters-percent">',
    "data-tabbed": '<img src="@tabbed">',
    "data-style-letters": "<div style='background:url(\"@letters-style\") 0/100% 100%'></div>",
    "data-all-percent": '<img src="@all-percent">',
    "data-svg": '<img src="@nested">',
    "data-svg-text": '<img src="@utf8">',
    "compressed-svg": '<img src="/svgz/@name">',
}

STYLES = {
    "stylesheet": "background:url(@plain) 0/100% 100%",
    "stylesheet-data": "background:url(@data) 0/100% 100%",
    "image-set": 'background:image-set("@plain" 1x) 0/100% 100%',
    "content": "content:url(@plain)",
    "border-image": "border:15px solid;border-image:url(@plain) 49% fill;box-sizing:border-box",
}

SCRIPTED = (
    "blob",
    "blob-octet",
    "bitmap",
    "xhr",
    "stream",
    "file-reader",
    "form-data",
    "cache-api",
    "worker-bitmap",
    "image-decoder",
    "range",
    "range-insistent",
    "range-disguised",
    "socket",
    "socket-text",
    "socket-bare",
    "socket-split",
    "server-sent",
    "json-data",
    "json-slash",
    "json-unicode",
    "json-bare",
    "json-bare-slash",
    "json-urlsafe",
    "json-hesitant",
    "text-lines",
    "script-data",
)

UNJUDGEABLE = frozenset(
    {
        "range-insistent",
        "range-disguised",
        "socket-split",
        "mixed",
        "server-sent",
        "json-hesitant",
    }
)
"""A picture in parts, without an end, or in a stream cannot be judged: hidden in any case."""


def names() -> list[str]:
    """Return every delivery of the wall, in the order of its cells."""
    return [*MARKUP, *STYLES, *SCRIPTED]


def fill(template: str, *, group: str, picture: Picture, delivery: str) -> str:
    """Return ``template`` with URLs and inline data of ``picture`` from set ``group``."""

    def one(found: re.Match[str]) -> str:
        host, token = found.groups()
        if token in INLINE:
            return INLINE[token](picture)
        if token not in TRANSPORTS:
            raise KeyError(token)
        return f"{ORIGINS[host]}/m/{token}/{group}/{picture.copy}?{delivery}"

    named = template.replace("@name", f"{group}/{picture.copy}")
    return re.sub(r"@(?:(cdn|h1):)?([a-z0-9-]+)", one, named)


def drawing(picture: Picture) -> str:
    """Return an SVG document that embeds the picture."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 30" width="40" height="30">'
        f'<image href="{data_url(picture)}" width="40" height="30"/></svg>'
    )


def _wrapped(picture: Picture) -> str:
    encoded = base64.encodebytes(picture.content).decode()
    return f"data:{picture.media_type};base64,\n{encoded}"


def _quoted(picture: Picture) -> str:
    return data_url(picture).replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")


def _entities(picture: Picture) -> str:
    return data_url(picture).replace("/", "&#x2F;").replace("+", "&#43;").replace("=", "&#61;")


def _nested(picture: Picture) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(drawing(picture).encode()).decode()


def _page(picture: Picture) -> str:
    inner = f'<body style="margin:0"><img width="40" height="30" src="{data_url(picture)}">'
    return "data:text/html;base64," + base64.b64encode(inner.encode()).decode()


def _utf8(picture: Picture) -> str:
    return "data:image/svg+xml;utf8," + html.escape(quote(drawing(picture), safe=" =:/;,'()"))


def _letters(picture: Picture) -> str:
    return "".join(f"&#{ord(letter)};" for letter in data_url(picture))


def _letters_percent(picture: Picture) -> str:
    head, payload = data_url(picture).split(",")
    return f"{head}," + "".join(f"%{ord(letter):02x}" for letter in payload)


def _tabbed(picture: Picture) -> str:
    payload = data_url(picture).partition(",")[2]
    return f"da\nta:;ba\nse64,{payload[:2]}\t{payload[2:]}"


def _letters_style(picture: Picture) -> str:
    head, payload = data_url(picture).replace("base64", r"ba\73 e64", 1).split(",")
    return f"{head}," + "".join(rf"\{ord(letter):x} " for letter in payload)


def _all_percent(picture: Picture) -> str:
    return "data:," + "".join(f"%{byte:02x}" for byte in picture.content)


INLINE: dict[str, Callable[[Picture], str]] = {
    "type": lambda picture: picture.media_type,
    "data": data_url,
    "wrapped": _wrapped,
    "quoted": _quoted,
    "entities": _entities,
    "upper": lambda picture: data_url(picture).replace("data:image", "DATA:IMAGE", 1),
    "charset": lambda picture: data_url(picture).replace(";base64", ";charset=utf-8;base64", 1),
    "untyped": lambda picture: data_url(picture).replace(picture.media_type, "", 1),
    "percent": lambda picture: f"data:{picture.media_type},{quote_from_bytes(picture.content)}",
    "letters": _letters,
    "letters-percent": _letters_percent,
    "letters-style": _letters_style,
    "tabbed": _tabbed,
    "all-percent": _all_percent,
    "nested": _nested,
    "page": _page,
    "utf8": _utf8,
}
