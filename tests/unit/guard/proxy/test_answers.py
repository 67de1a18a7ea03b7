from typing import Any

import pytest
from mitmproxy import http

from protech.guard.proxy.answers import (
    cut_out,
    failed,
    is_opened_by_person,
    refused,
    replaced,
    unkept,
    worded,
)
from protech.guard.proxy.upstream import Trouble

BODY = bytes(range(100))


def answer(**headers: str) -> http.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return http.Response.make(200, BODY, names)


def request(**headers: str) -> http.Request:
    names: dict[str, Any] = dict(headers)
    return http.Request.make("GET", "http://site.test/", headers=http.Headers(**names))


def test_a_refusal_is_empty_and_says_nothing() -> None:
    made = refused()
    assert (made.status_code, made.content) == (502, b"")
    assert {name.lower() for name in made.headers} == {"cache-control", "content-length"}


def test_words_cannot_be_read_by_other_windows_of_the_site() -> None:
    made = worded(Trouble.EXPIRED, host="site.test")
    assert made.headers["content-security-policy"].startswith("sandbox")
    assert made.headers["cross-origin-opener-policy"] == "same-origin"
    assert b"<script" not in (made.content or b"")


@pytest.mark.parametrize(
    ("headers", "is_person"),
    [
        ({"sec_fetch_dest": "document"}, True),
        ({"sec_fetch_dest": "iframe"}, False),
        ({"sec_fetch_dest": "image", "accept": "text/html"}, False),
        ({"accept": "text/html,*/*", "upgrade_insecure_requests": "1"}, True),
        ({"accept": "text/html"}, False),
        ({}, False),
    ],
)
def test_only_a_person_gets_words(headers: dict[str, str], is_person: bool) -> None:
    asked = request(**headers)
    assert is_opened_by_person(asked) is is_person
    assert bool(failed(asked, Trouble.EXPIRED).content) is is_person


def test_what_is_replaced_keeps_its_headers_and_has_a_right_length() -> None:
    made = replaced(
        answer(content_type="image/jpeg", content_encoding="gzip", etag="x"), b"new"
    )
    assert made.raw_content == b"new"
    assert dict(made.headers) == {
        "content-type": "image/jpeg",
        "etag": "x",
        "content-length": "3",
    }


def test_what_is_replaced_in_chunks_stays_in_chunks() -> None:
    came = answer(transfer_encoding="chunked")
    assert "content-length" not in replaced(came, b"new").headers


def test_what_says_more_of_the_moment_is_not_kept() -> None:
    made = unkept(answer(etag="x", last_modified="y", expires="z", cache_control="max-age=9"))
    assert made.headers["cache-control"] == "no-store"
    assert not {"etag", "last-modified", "expires"} & set(made.headers)


@pytest.mark.parametrize(
    ("asked", "part", "content_range"),
    [
        ("bytes=0-9", BODY[:10], "bytes 0-9/100"),
        ("bytes=90-", BODY[90:], "bytes 90-99/100"),
        ("bytes=-5", BODY[-5:], "bytes 95-99/100"),
        ("bytes=-500", BODY, "bytes 0-99/100"),
        ("bytes=95-200", BODY[95:], "bytes 95-99/100"),
        ("bytes = 0 - 9", BODY[:10], "bytes 0-9/100"),
    ],
)
def test_a_range_is_cut_from_the_whole(asked: str, part: bytes, content_range: str) -> None:
    made = cut_out(answer(), asked, if_range=None)
    assert (made.status_code, made.raw_content) == (206, part)
    assert made.headers["content-range"] == content_range
    assert made.headers["content-length"] == str(len(part))


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=9-3"])
def test_a_range_beyond_the_end_is_said_to_be_so(asked: str) -> None:
    made = cut_out(answer(), asked, if_range=None)
    assert (made.status_code, made.raw_content) == (416, b"")
    assert made.headers["content-range"] == "bytes */100"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=-", "lines=1-2", ""])
def test_an_unusual_range_gives_the_whole(asked: str) -> None:
    assert cut_out(answer(), asked, if_range=None).raw_content == BODY


def test_a_range_of_another_version_gives_the_whole() -> None:
    assert cut_out(answer(etag="x"), "bytes=0-1", if_range="y").raw_content == BODY
    assert cut_out(answer(etag="x"), "bytes=0-1", if_range="x").raw_content == BODY[:2]


def test_a_range_of_a_coded_body_gives_the_whole() -> None:
    assert (
        cut_out(answer(content_encoding="gzip"), "bytes=0-1", if_range=None).status_code == 200
    )
