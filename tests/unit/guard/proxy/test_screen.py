"""The hooks, tried through the real proxy with real origins and connections."""

import base64
import gzip
import http.client
import io
import json
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import brotli
import pytest
import zstandard
from PIL import Image

from protech.guard.proxy.placeholder import placeholder
from protech.types import Kind, Reason
from tests.proxied import JudgeBySha, Sent, Way, picture, way

GOOD = picture(1)
BAD = picture(2)
GREY = placeholder(64, 48)
MP4 = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41" + bytes(5000)
MARKS = (b"rotech", b"itmproxy", b"salus")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    judge = JudgeBySha()
    judge.block(BAD)
    with way(tmp_path_factory.mktemp("way"), judge=judge) as opened:
        yield opened


def hidden(site: Way) -> list[Reason]:
    return [reason for _, _, reason in site.proxy.counts.rows]


@pytest.mark.parametrize(
    "content_type",
    [
        "image/jpeg",
        "application/octet-stream",
        "text/html",
        "application/json",
        "text/plain",
        "",
    ],
)
def test_a_listed_picture_is_hidden_whatever_it_is_said_to_be(
    site: Way, content_type: str
) -> None:
    site.routes["/bad"] = Sent(BAD, {"Content-Type": content_type})
    status, headers, body = site.get("/bad")
    assert (status, body) == (200, GREY)
    assert headers["content-type"] == content_type
    assert Image.open(io.BytesIO(body)).size == (64, 48)


def test_an_unlisted_picture_passes_byte_identical_with_its_headers(site: Way) -> None:
    sent = {
        "Content-Type": "image/jpeg",
        "ETag": '"1"',
        "Cache-Control": "max-age=9",
        "X-Y": "z",
    }
    site.routes["/good"] = Sent(GOOD, sent)
    status, headers, body = site.get("/good")
    assert (status, body) == (200, GOOD)
    assert {name: headers[name.lower()] for name in sent} == sent


def test_a_hidden_picture_keeps_status_and_headers_and_says_nothing_of_us(site: Way) -> None:
    sent = {
        "Content-Type": "image/jpeg",
        "ETag": '"1"',
        "Cache-Control": "max-age=9",
        "X-Y": "z",
    }
    site.routes["/bad"] = Sent(BAD, sent, status=203)
    site.routes["/good"] = Sent(GOOD, sent, status=203)
    status, headers, body = site.get("/bad")
    _, plain, _ = site.get("/good")
    assert status == 203
    assert set(headers) == set(plain)
    assert {name: headers[name.lower()] for name in sent} == sent
    assert headers["content-length"] == str(len(body))
    text = body + repr(headers).encode()
    assert not any(mark in text for mark in MARKS)


def test_pictures_over_plain_http_are_judged_too(site: Way) -> None:
    site.routes["http://plain.test/bad"] = site.routes["/bad"] = Sent(BAD)
    assert site.proxy.get("http://plain.test/bad")[2] == GREY


@pytest.mark.parametrize("status", [200, 404, 500])
def test_a_picture_in_an_error_answer_is_judged(site: Way, status: int) -> None:
    site.routes["/bad"] = Sent(BAD, status=status)
    assert site.get("/bad")[::2] == (status, GREY)


CODINGS = {
    "gzip": lambda body: gzip.compress(body, mtime=0),
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": lambda body: zstandard.ZstdCompressor().compress(body),
}


@pytest.mark.parametrize("coding", sorted(CODINGS))
def test_a_coded_picture_is_judged_and_an_innocent_one_keeps_its_coding(
    site: Way, coding: str
) -> None:
    site.routes["/bad"] = Sent(CODINGS[coding](BAD), {"Content-Encoding": coding})
    site.routes["/good"] = Sent(CODINGS[coding](GOOD), {"Content-Encoding": coding})
    _, headers, body = site.get("/bad")
    assert body == GREY
    assert "content-encoding" not in headers
    _, headers, body = site.get("/good")
    assert headers["content-encoding"] == coding
    assert body == CODINGS[coding](GOOD)


def test_a_bomb_is_refused_and_the_next_picture_is_served(site: Way) -> None:
    bomb = gzip.compress(BAD[:100] + bytes(70 * 1024 * 1024))
    site.routes["/bomb"] = Sent(bomb, {"Content-Encoding": "gzip", "Content-Type": "image/png"})
    assert site.get("/bomb")[::2] == (502, b"")
    site.routes["/good"] = Sent(GOOD)
    assert site.get("/good")[2] == GOOD


def test_a_coding_that_does_not_hold_is_refused(site: Way) -> None:
    site.routes["/bad"] = Sent(BAD, {"Content-Encoding": "br"})
    assert site.get("/bad")[::2] == (502, b"")


INLINE_BAD = b"data:image/jpeg;base64," + base64.b64encode(BAD)
INLINE_GREY = b"data:image/jpeg;base64," + base64.b64encode(GREY)


@pytest.mark.parametrize(
    "content_type",
    ["", "*/*", "unknown/unknown", "application/octet-stream, text/html", "text/html"],
)
def test_a_page_is_read_whatever_it_holds_and_is_said_to_be(
    site: Way, content_type: str
) -> None:
    page = b'<!doctype html>\x01<img src="%s">'
    site.routes["/page"] = Sent(page % INLINE_BAD, {"Content-Type": content_type})
    assert site.get("/page")[2] == page % INLINE_GREY


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16"])
def test_a_wide_page_is_read_with_a_mark_or_without(site: Way, encoding: str) -> None:
    page = f"<!doctype html><img src='{INLINE_BAD.decode()}'>".encode(encoding)
    site.routes["/page"] = Sent(page, {"Content-Type": f"text/html; charset={encoding}"})
    assert site.get("/page")[2] == page.decode(encoding).replace(
        INLINE_BAD.decode(), INLINE_GREY.decode()
    ).encode(encoding).replace(b"\xfe\xff", page[:2] if encoding == "utf-16" else b"")


@pytest.mark.parametrize("header", ["x\rContent-Encoding: gzip", "x\x00"])
def test_an_answer_whose_header_holds_a_break_is_refused(site: Way, header: str) -> None:
    site.routes["/torn"] = Sent(gzip.compress(BAD), {"X-A": header})
    assert site.get("/torn")[::2] == (502, b"")


def test_a_header_that_carries_a_picture_is_taken_out(site: Way) -> None:
    sent = {"Refresh": "0;url=" + INLINE_BAD.decode(), "X-D": base64.b64encode(BAD).decode()}
    site.routes["/carry"] = Sent(b"text", sent | {"X-Long": "word " * 50})
    _, headers, body = site.get("/carry")
    assert body == b"text"
    assert not {"refresh", "x-d"} & set(headers)
    assert headers["x-long"].strip() == ("word " * 50).strip()


def test_an_answer_that_may_have_no_body_and_has_one_is_refused(site: Way) -> None:
    site.routes["/reset"] = Sent(BAD, status=205)
    assert site.get("/reset")[::2] == (502, b"")


@pytest.mark.parametrize("said", ["audio/mp4", "application/octet-stream"])
def test_a_picture_or_video_under_the_brand_of_a_sound_is_not_passed(
    site: Way, said: str
) -> None:
    sound = MP4.replace(b"ftypisom", b"ftypM4A ")
    site.routes["/sound"] = Sent(sound, {"Content-Type": said})
    assert site.get("/sound", {"Sec-Fetch-Dest": "video"})[2] == b""
    assert site.get("/sound")[2] == b""
    assert site.get("/sound", {"Sec-Fetch-Dest": "audio"})[2] == sound
    avif = bytearray(picture(2, "AVIF"))
    avif[8:12] = b"M4A "
    site.proxy.judge.block(bytes(avif))
    site.routes["/avif"] = Sent(bytes(avif), {"Content-Type": said})
    assert site.get("/avif")[2] == GREY


@pytest.mark.parametrize("kind", ["BMP", "ICO"])
def test_a_part_of_a_form_is_judged_in_every_format(site: Way, kind: str) -> None:
    bad = picture(3, kind, (64, 64))
    site.proxy.judge.block(bad)
    form = b"--b\r\nContent-Disposition: form-data; name=f\r\n\r\n%s\r\n--b--\r\n"
    site.routes["/form"] = Sent(form % bad, {"Content-Type": "multipart/form-data; boundary=b"})
    assert bad not in site.get("/form")[2]


def test_an_event_stream_is_watched_whatever_it_holds(site: Way) -> None:
    pieces = (b"data: \x01\n\n", b"data: %s\n\n" % INLINE_BAD)
    site.routes["/events"] = Sent(
        pieces=pieces, headers={"Content-Type": "text/event-stream"}, is_chunked=True
    )
    with pytest.raises(http.client.HTTPException):
        site.get("/events")


def test_only_codings_that_can_be_undone_are_asked_for(site: Way) -> None:
    site.routes["/good"] = Sent(GOOD)
    site.get(
        "/good", {"Accept-Encoding": "gzip, dcz, br;q=0.9, zstd", "Available-Dictionary": "x"}
    )
    asked = site.asked("/good")
    assert asked["accept-encoding"] == "gzip, br;q=0.9, zstd"
    assert "available-dictionary" not in asked


def test_an_innocent_page_is_byte_identical_and_a_blocked_inline_picture_is_replaced(
    site: Way,
) -> None:
    page = "<html><img src='data:image/jpeg;base64,{}'><p>é</p>"
    innocent = page.format(base64.b64encode(GOOD).decode()).encode()
    site.routes["/page"] = Sent(innocent, {"Content-Type": "text/html"})
    assert site.get("/page")[2] == innocent
    guilty = page.format(base64.b64encode(BAD).decode()).encode()
    site.routes["/page"] = Sent(gzip.compress(guilty), {"Content-Encoding": "gzip"})
    _, headers, body = site.get("/page")
    assert body == page.format(base64.b64encode(GREY).decode()).encode()
    assert "content-encoding" not in headers


def test_json_with_escaped_slashes_is_read(site: Way) -> None:
    text = json.dumps({"a": "data:image/jpeg;base64," + base64.b64encode(BAD).decode()})
    site.routes["/json"] = Sent(text.replace("/", "\\/").encode())
    body = json.loads(site.get("/json")[2])
    assert body["a"].split(",")[1] == base64.b64encode(GREY).decode()


def test_a_range_never_reaches_the_server_and_is_cut_from_the_judged_whole(site: Way) -> None:
    site.routes["/good"] = Sent(GOOD, {"ETag": '"1"'})
    status, headers, body = site.get("/good", {"Range": "bytes=100-199"})
    assert "range" not in site.asked("/good")
    assert (status, body) == (206, GOOD[100:200])
    assert headers["content-range"] == f"bytes 100-199/{len(GOOD)}"
    assert headers["content-length"] == "100"


def test_ranges_of_a_hidden_picture_are_ranges_of_the_placeholder(site: Way) -> None:
    site.routes["/bad"] = Sent(BAD)
    parts = []
    for start in range(0, len(BAD), 400):
        status, _, body = site.get("/bad", {"Range": f"bytes={start}-{start + 399}"})
        parts.append(body if status == 206 else b"")
    assert b"".join(parts) == GREY


def test_a_part_that_a_server_sends_unasked_is_refused(site: Way) -> None:
    part = {"Content-Range": f"bytes 100-199/{len(GOOD)}", "Content-Type": "image/jpeg"}
    site.routes["/part"] = Sent(GOOD[100:200], part, status=206)
    status, headers, body = site.get("/part", {"Range": "bytes=100-199"})
    assert (status, body) == (502, b"")
    assert set(headers) == {"cache-control", "content-length"}


def test_a_copy_from_before_is_not_confirmed_but_asked_for_anew(site: Way) -> None:
    def route(handler: BaseHTTPRequestHandler) -> Sent:
        return Sent(status=304) if handler.headers["If-None-Match"] else Sent(BAD)

    site.routes["/cached"] = route
    assert site.get("/cached", {"If-None-Match": '"1"', "Sec-Fetch-Dest": "image"})[2] == GREY
    assert site.get("/cached", {"If-None-Match": '"1"', "Sec-Fetch-Dest": "script"})[0] == 304
    site.routes["/cached"] = Sent(status=304)
    assert site.get("/cached", {"If-None-Match": '"1"'})[0] == 502


def test_video_is_hidden_and_sound_passes(site: Way) -> None:
    before = len(hidden(site))
    site.routes["/video"] = Sent(MP4, {"Content-Type": "application/octet-stream"})
    assert site.get("/video")[::2] == (502, b"")
    sound = b"ID3\x04" + bytes(9000)
    site.routes["/sound"] = Sent(sound, {"Content-Type": "audio/mpeg"})
    assert site.get("/sound")[2] == sound
    assert hidden(site)[before:] == [Reason.UNSCANNABLE]


def test_a_person_who_opens_a_video_reads_why_it_is_not_shown(site: Way) -> None:
    site.routes["/video"] = Sent(MP4)
    _, headers, body = site.get("/video", {"Sec-Fetch-Dest": "document"})
    assert b"cannot be screened" in body
    assert headers["content-security-policy"].startswith("sandbox")


def test_an_endless_row_of_pictures_is_refused(site: Way) -> None:
    kind = {"Content-Type": "multipart/x-mixed-replace; boundary=x"}
    site.routes["/camera"] = Sent(b"--x\r\n\r\n" + BAD, kind)
    assert site.get("/camera")[0] == 502


def test_other_downloads_pass_unchanged(site: Way) -> None:
    archive = b"PK\x03\x04\x00\x01" + bytes(range(256)) * 4000
    site.routes["/zip"] = Sent(archive, {"Content-Type": "application/zip"})
    assert site.get("/zip")[2] == archive


def test_an_unknown_format_used_as_a_picture_is_judged_as_one(site: Way) -> None:
    strange = b"\x01\x02\x03\x00strange" * 50
    site.routes["/strange"] = Sent(strange, {"Content-Type": "image/x-strange"})
    assert site.get("/strange")[2] == strange
    assert site.proxy.judge.seen[-1] == (strange, Kind.IMAGE)


def test_an_error_page_in_place_of_a_picture_stays_what_it_is(site: Way) -> None:
    site.routes["/gone"] = Sent(b"<html>gone</html>", {"Content-Type": "text/html"}, status=404)
    assert site.get("/gone", {"Sec-Fetch-Dest": "image"})[::2] == (404, b"<html>gone</html>")


def test_the_way_to_quic_is_not_told(site: Way) -> None:
    site.routes["/good"] = Sent(GOOD, {"Alt-Svc": 'h3=":443"; ma=2592000'})
    assert "alt-svc" not in site.get("/good")[1]


def test_answers_without_a_body_pass(site: Way) -> None:
    site.routes["/good"] = Sent(GOOD, {"Content-Type": "image/jpeg"})
    status, headers, body = site.get("/good", method="HEAD")
    assert (status, body, headers["content-length"]) == (200, b"", str(len(GOOD)))
    site.routes["/none"] = Sent(status=204)
    assert site.get("/none")[0] == 204


def test_many_pictures_at_once_each_get_their_own_answer(site: Way) -> None:
    pictures = [picture(100 + i) for i in range(24)]
    for i, content in enumerate(pictures):
        site.routes[f"/{i}"] = Sent(content)
        if i % 3 == 0:
            site.proxy.judge.block(content)
    with ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(lambda i: site.get(f"/{i}")[2], range(24)))
    assert bodies == [GREY if i % 3 == 0 else content for i, content in enumerate(pictures)]


def test_uploads_reach_the_server(site: Way) -> None:
    def route(handler: BaseHTTPRequestHandler) -> Sent:
        return Sent(
            str(len(handler.rfile.read(int(handler.headers["Content-Length"])))).encode()
        )

    site.routes["/up"] = route
    for size in (10, 3_000_000):
        answer = site.proxy.get("https://photos.test/up", method="POST", body=bytes(size))
        assert answer[2] == str(size).encode()


@pytest.mark.parametrize("fault", ["down", "error", "late"])
def test_without_a_judgement_nothing_is_shown_and_nothing_is_kept(
    tmp_path: Path, fault: str
) -> None:
    judge = JudgeBySha(is_down=fault == "down", delay_s=5 if fault == "late" else 0)
    judge.error = RuntimeError("boom") if fault == "error" else None
    page = b"<img src=data:image/jpeg;base64," + base64.b64encode(GOOD) + b">"
    with way(tmp_path, judge=judge, deadline_s=0.2) as opened:
        opened.routes["/good"] = Sent(GOOD, {"Cache-Control": "max-age=99", "ETag": "x"})
        opened.routes["/page"] = Sent(page, {"Content-Type": "text/html"})
        status, headers, body = opened.get("/good")
        assert (status, body) in [(200, placeholder(None, None)), (502, b"")]
        assert headers["cache-control"] == "no-store"
        assert "etag" not in headers
        assert base64.b64encode(GOOD) not in opened.get("/page")[2]
        assert {reason for _, _, reason in opened.proxy.counts.rows} == {Reason.UNSCANNABLE}


def test_a_pause_passes_everything_as_it_is(tmp_path: Path) -> None:
    judge = JudgeBySha()
    judge.block(BAD)
    with way(tmp_path, judge=judge, paused=lambda: True) as opened:
        opened.routes["/bad"] = Sent(BAD)
        assert opened.get("/bad")[2] == BAD
        opened.get("/bad", {"Range": "bytes=0-9", "If-None-Match": "x"})
        assert opened.asked("/bad")["range"] == "bytes=0-9"
    assert judge.seen == []
    assert opened.proxy.counts.rows == []


def test_a_fault_in_any_hook_shows_nothing(tmp_path: Path) -> None:
    def broken() -> bool:
        raise RuntimeError("boom")

    with way(tmp_path, paused=broken) as opened:
        part = {"Content-Range": f"bytes 0-99/{len(GOOD)}"}
        opened.routes["/part"] = Sent(GOOD[:100], part, status=206)
        opened.routes["/same"] = Sent(status=304)
        opened.routes["/film"] = Sent(MP4)
        for path in ("/part", "/same", "/film"):
            headers = {"Range": "bytes=0-99", "If-None-Match": "x"}
            assert opened.get(path, headers)[::2] == (502, b"")
