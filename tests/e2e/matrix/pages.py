"""The documents of the site: pages, styles, scripts and drawings, all made from the album."""

import base64
import gzip
import hashlib
import json
from pathlib import Path

from tests.e2e.matrix.deliveries import MARKUP, SCRIPTED, STYLES, drawing, fill, names
from tests.e2e.matrix.pictures import Picture
from tests.e2e.matrix.transports import Reply, data_url

STATIC = Path(__file__).with_name("static")
COLUMNS, CELL_WIDTH_PX, CELL_HEIGHT_PX = 24, 40, 30
ANIMATED = ("img", "background", "blob")
Group = dict[str, Picture]

BASE_CSS = (
    "body{margin:0;background:#fff}"
    f"#wall{{display:grid;grid-template-columns:repeat({COLUMNS},{CELL_WIDTH_PX}px);"
    f"grid-auto-rows:{CELL_HEIGHT_PX}px}}"
    ".cell{overflow:hidden;position:relative}"
    ".cell>*,.cell>picture>img{display:block;width:100%;height:100%;border:0;padding:0}"
    ".cell>link{display:none}"
)


def answer(
    album: dict[str, Group], path: str, query: dict[str, str], headers: dict[str, str]
) -> Reply:
    """Return the document at ``path``; 404 where there is none."""
    made = document(album, path, query)
    if made is None:
        return Reply(
            pieces=(b"not found",), status=404, headers=(("content-type", "text/plain"),)
        )
    media_type, body, more = made
    headers_out = (("content-type", media_type), ("cache-control", "no-cache"), *more)
    if "gzip" in headers.get("accept-encoding", "") and not path.startswith("/svg/"):
        return Reply(
            pieces=(gzip.compress(body, 1, mtime=0),),
            headers=(*headers_out, ("content-encoding", "gzip")),
        )
    return Reply(pieces=(body,), headers=headers_out)


def document(
    album: dict[str, Group], path: str, query: dict[str, str]
) -> tuple[str, bytes, tuple[tuple[str, str], ...]] | None:
    """Return media type, body and further headers of one document."""
    group = query.get("set", "free")
    parts = path.strip("/").split("/")
    match parts:
        case ["p", name] if name in PAGES:
            more = (
                (("content-security-policy", "default-src 'self'"),) if name == "strict" else ()
            )
            return "text/html; charset=utf-8", PAGES[name](group, album[group]).encode(), more
        case ["wall.css"]:
            return "text/css", (BASE_CSS + _rules(group, album[group])).encode(), ()
        case ["inline.js"]:
            return "text/javascript", inline_script(album[group]).encode(), ()
        case ["svg" | "svgz", name, copy]:
            return "image/svg+xml", drawing(album[name][copy]).encode(), ()
        case [name] if (STATIC / name).is_file():
            kind = "text/css" if name.endswith(".css") else "text/javascript"
            return kind, (STATIC / name).read_bytes(), ()
        case _:
            return None


def inline_script(pictures: Group) -> str:
    """Return a script that holds every picture as a string."""
    return f"window.brought = {json.dumps({c: data_url(p) for c, p in pictures.items()})};\n"


def wall_cells(pictures: Group) -> list[str]:
    """Return the names of the wall's cells, in the order in which they are laid out."""
    return [f"{delivery}/{copy}" for delivery in names() for copy in pictures]


def _wall(group: str, pictures: Group) -> str:
    cells = []
    for delivery in names():
        for copy, picture in pictures.items():
            template = MARKUP.get(delivery, "")
            if delivery in STYLES:
                template = f'<div class="{delivery}-{copy}"></div>'
            inner = fill(template, group=group, picture=picture, delivery=delivery)
            mark = " scripted" if delivery in SCRIPTED else ""
            cells.append(
                f'<div class="cell{mark}" id="{delivery}/{copy}" '
                f'data-size="{len(picture.content)}" data-type="{picture.media_type}">'
                f"{inner}</div>"
            )
    return _html(
        group,
        f'<link rel="stylesheet" href="/wall.css?set={group}">'
        f'<link rel="icon" href="/m/plain/{group}/png?icon">',
        f'<div id="wall">{"".join(cells)}</div>'
        f'<script src="/inline.js?set={group}"></script><script src="/wall.js"></script>',
    )


def _rules(group: str, pictures: Group) -> str:
    return "".join(
        f".{name}-{copy}{{{fill(rule, group=group, picture=picture, delivery=name)}}}\n"
        for name, rule in STYLES.items()
        for copy, picture in pictures.items()
    )


def _grid(group: str, pictures: Group, template: str, name: str) -> str:
    cells = "".join(
        f'<div class="cell" id="{name}/{copy}">'
        + fill(template, group=group, picture=picture, delivery=name)
        + "</div>"
        for copy, picture in pictures.items()
    )
    return f'<div id="wall">{cells}</div>'


def _lazy(group: str, pictures: Group) -> str:
    cells = _grid(group, pictures, '<img loading="lazy" src="@plain">', "lazy")
    style = f"<style>{BASE_CSS}#space{{height:9000px}}</style>"
    return _html(group, style, f'<div id="space"></div>{cells}')


def _animated(group: str, pictures: Group) -> str:
    cells = "".join(
        f'<div class="cell{" scripted" if delivery == "blob" else ""}" id="{delivery}/{copy}">'
        + fill(MARKUP.get(delivery, ""), group=group, picture=picture, delivery=delivery)
        + "</div>"
        for delivery in ANIMATED
        for copy, picture in pictures.items()
    )
    return _html(
        group,
        f"<style>{BASE_CSS}</style>",
        f'<div id="wall">{cells}</div><script src="/wall.js"></script>',
    )


def _strict(group: str, pictures: Group) -> str:
    images = "".join(
        f'<div class="cell"><img src="/m/plain/{group}/{copy}?strict"></div>'
        for copy in pictures
    )
    canvases = '<div class="cell"><canvas width="40" height="30"></canvas></div>' * len(
        pictures
    )
    styled = "".join(
        f'<div class="cell"><div class="stylesheet-{copy}"></div></div>' for copy in pictures
    )
    return _html(
        group,
        f'<link rel="stylesheet" href="/wall.css?set={group}">'
        '<script src="/strict.js"></script>',
        f'<div id="wall">{images}{canvases}{styled}</div>',
    )


def _integrity(group: str, pictures: Group) -> str:
    digest = hashlib.sha384(inline_script(pictures).encode()).digest()
    return _html(
        group,
        f"<style>{BASE_CSS}</style>",
        '<div id="wall"></div>'
        f'<script src="https://cdn.example/inline.js?set={group}" crossorigin="anonymous" '
        f'integrity="sha384-{base64.b64encode(digest).decode()}"></script>'
        '<script src="/integrity.js"></script>',
    )


def _offline(group: str, pictures: Group) -> str:
    return _html(
        group,
        f"<style>{BASE_CSS}</style>",
        _grid(group, pictures, '<img src="@plain">', "offline")
        + '<script src="/offline.js"></script>',
    )


def _plain(group: str, pictures: Group) -> str:
    return _html(
        group,
        f"<style>{BASE_CSS}</style>",
        _grid(group, pictures, '<img src="@plain"><img src="@data">', "plain"),
    )


def _html(group: str, head: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Pictures</title>'
        f'{head}</head><body data-set="{group}">{body}</body></html>\n'
    )


def _formats(group: str, pictures: Group) -> str:
    return _html(
        group,
        f"<style>{BASE_CSS}</style>",
        _grid(group, pictures, '<img src="@plain">', "formats"),
    )


PAGES = {
    "formats": _formats,
    "wall": _wall,
    "lazy": _lazy,
    "animated": _animated,
    "strict": _strict,
    "integrity": _integrity,
    "offline": _offline,
    "plain": _plain,
}
