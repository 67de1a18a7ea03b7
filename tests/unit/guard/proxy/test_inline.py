import asyncio
import base64
import html
import json
import time
from collections.abc import Callable
from urllib.parse import quote, quote_from_bytes, unquote, unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protech.guard.proxy import inline
from protech.guard.proxy.inline import (
    PICTURES,
    TooManyPictures,
    cuts,
    find,
    picture_start,
    rewrite,
)
from protech.types import Kind
from tests.proxied import picture

BAD = picture(1)
GOOD = picture(2)
STAND_IN = b"\x89PNG\r\n\x1a\n stands here ??>>" + bytes(99)
KINDS = {
    kind: picture(3, kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "AVIF", "TIFF")
}
VIDEO = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41" + bytes(99)


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def run(body: bytes, *, blocked: bytes = BAD) -> tuple[bytes | None, list[bytes]]:
    seen = []

    async def replace(content: bytes, claims: Kind | None) -> bytes | None:
        seen.append(content)
        return STAND_IN if content == blocked else None

    return asyncio.run(rewrite(body, replace)), seen


HOLDERS: dict[str, Callable[[str], str]] = {
    "html": lambda data: f'<p>é</p><img src="data:image/jpeg;base64,{data}"><p>',
    "unquoted": lambda data: f"<img src=data:image/jpeg;base64,{data}><p>",
    "css": lambda data: f"a{{background:url(data:image/jpeg;base64,{data})}}",
    "js": lambda data: f"const a = 'data:image/jpeg;base64,{data}'; go(a)",
    "json": lambda data: json.dumps({"a": f"data:image/jpeg;base64,{data}", "b": [1]}),
    "json_slashes": lambda data: json.dumps({"a": f"data:image/jpeg;base64,{data}"}).replace(
        "/", "\\/"
    ),
    "charset": lambda data: f'"data:image/jpeg;charset=utf-8;base64,{data}"',
    "upper": lambda data: f'"DATA:IMAGE/JPEG;BASE64,{data}"',
    "no_type": lambda data: f'"data:;base64,{data}"',
    "other_type": lambda data: f'"data:application/octet-stream;base64,{data}"',
    "bare_js": lambda data: f"show(atob('{data}'))",
    "bare_json": lambda data: json.dumps({"image": data}),
    "bare_json_slashes": lambda data: json.dumps({"image": data}).replace("/", "\\/"),
    "bare_json_unicode": lambda data: (
        json.dumps({"image": data}).replace("/", "\\u002F").replace("+", "\\u002B")
    ),
    "srcset": lambda data: f'<img srcset="data:image/jpeg;base64,{data} 2x, b.png 3x">',
    "entities": lambda data: "<img src='data:image/jpeg;base64,{}'>".format(
        data.replace("+", "&#43;").replace("/", "&#x2F;")
    ),
    "percent": lambda data: "a='" + quote(f"data:image/jpeg;base64,{data}", safe="") + "'",
    "percent_bare": lambda data: "q=" + quote(f'{{"a":"{data}"}}', safe=""),
    "folded": lambda data: (
        "Content-Transfer-Encoding: base64\r\n\r\n"
        + "\r\n".join(data[i : i + 76] for i in range(0, len(data), 76))
        + "\r\n--boundary--"
    ),
    "urlsafe": lambda data: json.dumps({"a": data.replace("+", "-").replace("/", "_")}),
    "svg_percent": lambda data: (
        "url('data:image/svg+xml,%3Csvg%3E%3Cimage href=%22data:image/"
        f"jpeg;base64,{data}%22/%3E%3C/svg%3E')"
    ),
}


@pytest.mark.parametrize("holder", sorted(HOLDERS))
def test_a_blocked_picture_is_replaced_and_nothing_else(holder: str) -> None:
    body = HOLDERS[holder](text(BAD)).encode()
    changed, seen = run(body)
    assert seen == [BAD]
    assert changed is not None
    before, after = HOLDERS[holder]("PICTURE").encode().split(b"PICTURE")
    assert changed.startswith(before)
    assert changed.endswith(after)
    assert run(changed, blocked=STAND_IN)[1] == [STAND_IN]


@pytest.mark.parametrize("holder", sorted(HOLDERS))
def test_an_innocent_text_stays_as_it_is(holder: str) -> None:
    changed, seen = run(HOLDERS[holder](text(GOOD)).encode())
    assert changed is None
    assert seen == [GOOD]


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("holder", ["html", "bare_js", "percent"])
def test_every_format_is_found(kind: str, holder: str) -> None:
    assert run(HOLDERS[holder](text(KINDS[kind])).encode())[1] == [KINDS[kind]]


def test_what_replaces_json_is_json() -> None:
    changed, _ = run(HOLDERS["json_slashes"](text(BAD)).encode())
    assert changed is not None
    assert json.loads(changed)["a"] == f"data:image/jpeg;base64,{text(STAND_IN)}"


def test_what_replaces_bare_json_is_json() -> None:
    changed, _ = run(HOLDERS["bare_json_slashes"](text(BAD)).encode())
    assert changed is not None
    assert json.loads(changed) == {"image": text(STAND_IN)}


def test_what_replaces_base64url_is_base64url() -> None:
    changed, _ = run(HOLDERS["urlsafe"](text(BAD)).encode())
    assert changed is not None
    assert base64.urlsafe_b64decode(json.loads(changed)["a"]) == STAND_IN


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF"])
def test_a_picture_that_is_a_part_of_a_body_is_replaced(kind: str, newline: bytes) -> None:
    lines = [b"--cut", b"Content-Type: x", b"", b"%s", b"--cut", b"", b"words", b"--cut--"]
    body = newline.join(lines)
    changed, seen = run(body % KINDS[kind], blocked=KINDS[kind])
    assert seen == [KINDS[kind]]
    assert changed == body % STAND_IN


def test_a_text_about_signatures_is_no_picture() -> None:
    words = b"A JPEG begins with /9j/ in base64.\n\nGIF89a is what a GIF begins with.\n"
    assert run(words) == (None, [])
    assert not cuts(words)


def test_what_replaces_percent_encoding_is_percent_encoded() -> None:
    changed, _ = run(HOLDERS["percent"](text(BAD)).encode())
    assert changed is not None
    assert unquote(changed.decode()) == f"a='data:image/jpeg;base64,{text(STAND_IN)}'"
    assert b"+" not in changed


def test_only_the_blocked_one_of_several_is_replaced() -> None:
    page = "<img src='data:image/jpeg;base64,{}'>" * 3
    changed, seen = run(page.format(text(GOOD), text(BAD), text(GOOD)).encode())
    assert changed == page.format(text(GOOD), text(STAND_IN), text(GOOD)).encode()
    assert sorted(seen) == sorted([GOOD, BAD])


def test_a_picture_in_an_svg_in_a_data_url_is_found_and_the_rest_kept() -> None:
    svg = "<svg xmlns='http://w3.org/2000/svg'><image href='data:image/jpeg;base64,{}'/></svg>"
    body = "<img src='data:image/svg+xml;base64,{}'>"
    inner = text(svg.format(text(BAD)).encode())
    changed, seen = run(body.format(inner).encode())
    assert seen == [BAD]
    expected = text(svg.format(text(STAND_IN)).encode())
    assert changed == body.format(expected).encode()
    assert run(body.format(text(svg.format(text(GOOD)).encode())).encode())[0] is None


def test_text_nested_beyond_all_reason_is_blanked() -> None:
    body = f"data:image/jpeg;base64,{text(BAD)}"
    for _ in range(inline.DEPTH + 1):
        body = "data:text/html;base64," + text(f"<p>{body}".encode())
    changed, seen = run(body.encode())
    assert seen == []
    assert changed is not None


def test_a_picture_without_base64_is_found() -> None:
    body = b"<img src='data:image/png," + quote_from_bytes(KINDS["PNG"]).encode() + b"'>"
    changed, seen = run(body, blocked=KINDS["PNG"])
    assert seen == [KINDS["PNG"]]
    assert changed is not None
    assert unquote_to_bytes(changed[len(b"<img src='data:image/png,") : -2]) == STAND_IN


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF"])
def test_every_format_is_found_without_base64(kind: str) -> None:
    content = KINDS[kind]
    changed, seen = run(
        f"<img src='data:image/x,{quote_from_bytes(content)}'>".encode(), blocked=content
    )
    assert (bool(changed), seen) == (True, [content])


def test_utf_16_is_read_and_written_as_such() -> None:
    page = "\ufeff<p>ж</p><img src='data:image/jpeg;base64,{}'>"
    for encoding in ("utf-16-le", "utf-16-be"):
        changed, seen = run(page.format(text(BAD)).encode(encoding))
        assert seen == [BAD]
        assert changed == page.format(text(STAND_IN)).encode(encoding)
        assert run(page.format(text(GOOD)).encode(encoding))[0] is None


def test_a_film_is_taken_out() -> None:
    changed, seen = run(f"<video src='data:video/mp4;base64,{text(VIDEO)}'>".encode())
    assert (changed, seen) == (b"<video src='data:video/mp4;base64,'>", [])


def test_an_unknown_format_that_claims_to_be_a_picture_is_asked_about() -> None:
    assert run(f"'data:image/x-new;base64,{text(bytes(90))}'".encode())[1] == [bytes(90)]
    assert run(f"'data:font/woff2;base64,{text(bytes(90))}'".encode())[1] == []


def test_more_pictures_than_are_judged_for_one_body_are_refused() -> None:
    one = "<img src=data:image/png;base64,{}>"
    pictures = (b"\x89PNG\r\n\x1a\n" + i.to_bytes(4) for i in range(PICTURES + 1))
    body = "".join(one.format(text(content)) for content in pictures).encode()
    with pytest.raises(TooManyPictures):
        run(body)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_without_an_error(body: bytes) -> None:
    find(body)
    find(b"data:image/png;base64," + body)
    find(b"/9j/" + body)


@settings(max_examples=50)
@given(st.text(max_size=200), st.text(max_size=200))
def test_what_surrounds_a_blocked_picture_is_kept(before: str, after: str) -> None:
    picture_text = f'"data:image/jpeg;base64,{text(BAD)}"'
    body = f"{before}{picture_text}{after}".encode()
    changed, _ = run(body)
    expected = f"{before}{picture_text.replace(text(BAD), text(STAND_IN))}{after}".encode()
    assert changed == expected


def test_searching_is_fast_enough_for_the_event_loop() -> None:
    page = html.escape("<div class='a'>some words, data: and more</div>\n" * 20_000).encode()
    began = time.perf_counter()
    assert find(page) == []
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize("holder", sorted(set(HOLDERS) - {"svg_percent"}))
def test_a_stream_is_cut_where_a_picture_begins(holder: str) -> None:
    assert cuts(HOLDERS[holder](text(BAD)).encode())
    assert not cuts(b"data: {'text': 'only words, base 64 and 9 jars'}\n\n")


@pytest.mark.parametrize("lead", [b"", b"\x04", b"header of the page's own"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF"])
def test_a_picture_is_found_behind_a_short_header_of_a_message(lead: bytes, kind: str) -> None:
    assert picture_start(lead + KINDS[kind]) == len(lead)


def test_a_message_without_a_picture_starts_at_its_start() -> None:
    assert picture_start(b"\x00\x01words" * 9) == 0
    assert picture_start(b"RIFF\x00\x00\x00\x00WAVE") == 0
    assert picture_start(b"ft") == 0
