import base64
import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.guard.proxy.escapes import from_base64, plain, wide_encoding


@given(st.binary(max_size=300))
def test_base64_is_read_through_every_escape(content: bytes) -> None:
    text = base64.b64encode(content).decode()
    for written in (
        text,
        text.rstrip("="),
        quote(text, safe=""),
        json.dumps(text).strip('"').replace("/", "\\/"),
        text.replace("/", "\\u002F").replace("+", "\\u002b").replace("=", "\\u003D"),
        text.replace("/", "&#47;").replace("+", "&#x2B;").replace("=", "&equals;"),
        "\\n".join(text[i : i + 76] for i in range(0, len(text), 76)),
        "\r\n ".join(text[i : i + 76] for i in range(0, len(text), 76)),
    ):
        assert from_base64(written.encode()) == content


@pytest.mark.parametrize("text", [b"", b"A", b"=", b"%2"])
def test_what_is_no_base64_gives_nothing(text: bytes) -> None:
    assert from_base64(text) == b""


def test_names_and_numbers_of_html_are_undone() -> None:
    assert plain(b"a&sol;b&plus;c&equals;d&#x2F;e&#47;f&unheard;g&#8364;h") == b"a/b+c=d/e/fgh"
    assert plain(html.escape("x").encode()) == b"x"


def test_utf_16_is_told_by_its_mark() -> None:
    assert wide_encoding("\ufeffx".encode("utf-16-le")) == "utf-16-le"
    assert wide_encoding("\ufeffx".encode("utf-16-be")) == "utf-16-be"
    assert wide_encoding(b"x") is None
