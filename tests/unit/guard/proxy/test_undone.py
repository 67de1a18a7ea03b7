"""What escapes hide from a pattern is read as a browser reads it, and found where it stood."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.guard.proxy import undone
from protech.guard.proxy.undone import TooManyEscapes, copies, without_escapes

TEXT = b"data:image/png;base64,iVBORw0KGgo"


def entities(text: bytes) -> bytes:
    return b"".join(b"&#%d;" % byte for byte in text)


def percent(text: bytes) -> bytes:
    return b"".join(
        b"%%%02x" % byte if bytes((byte,)).isalnum() else b"%c" % byte for byte in text
    )


WAYS = {
    "entities": entities(TEXT),
    "zeros": b"&#x0064;ata:" + TEXT[5:].replace(b"g", b"&#0103;"),
    "percent": percent(TEXT),
    "entity of a percent sign": TEXT.replace(b"i", b"&percnt;69"),
    "script": b"".join(b"\\x%02x" % byte for byte in TEXT),
    "script, wide": b"".join(b"\\u%04x" % byte for byte in TEXT),
    "script, braces": b"".join(b"\\u{%x}" % byte for byte in TEXT),
    "style": b"".join(b"\\%x " % byte for byte in TEXT),
    "style, letters": b"url(" + TEXT.replace(b"t", b"\\t").replace(b"s", b"\\s"),
    "line ends": TEXT.replace(b"se", b"s\r\n\te"),
    "tab entities": TEXT.replace(b"se", b"s&Tab;&#10;e"),
    "shifts": TEXT.replace(b"se", b"s\x1b(Be"),
    "own entities": b"<!DOCTYPE svg [<!ENTITY a \"data:image/\"><!ENTITY b '&c;4,iVB'>"
    b'<!ENTITY c "png;base6">]><image href="&a;&b;ORw0KGgo"/>',
}


@pytest.mark.parametrize("way", WAYS)
def test_an_escaped_url_is_read_and_found_where_it_stood(way: str) -> None:
    body = b"<p>before</p> " + WAYS[way] + b" <p>after</p>"
    found = [copy for copy in copies(body) if TEXT in copy.text]
    assert found
    start = found[0].text.index(TEXT)
    first, last = found[0].span(start, start + len(TEXT))
    assert body[:first].endswith((b"before</p> ", b'href="', b"url("))
    assert body[last:].startswith((b" <p>after", b'"/> <p>after'))


@pytest.mark.parametrize(
    "body", [b"", b"plain text", b"a &amp; b &#39;c&#39; %20 \\n \\d \\\\"]
)
def test_what_hides_nothing_has_no_copy(body: bytes) -> None:
    assert list(copies(body)) == []


@given(st.binary(max_size=300), st.integers(0, 3))
def test_every_part_of_a_copy_lies_inside_the_body(noise: bytes, at: int) -> None:
    body = noise[: len(noise) // 4 * at] + b"&#97;%41\\62 \x1b(B\\x63" + noise
    for copy in copies(body):
        place = 0
        for i in range(len(copy.text)):
            first, last = copy.span(i, i + 1)
            assert place <= first < last <= len(body)
            place = first


def test_more_escapes_than_can_be_undone_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undone, "ESCAPES", 100)
    assert list(copies(b"&#97;" * 100))
    with pytest.raises(TooManyEscapes):
        list(copies(b"&#97;" * 101))


def test_entities_that_grow_without_end_are_refused_at_once() -> None:
    laughs = b"".join(b'<!ENTITY l%d "%s">' % (i, b"&l%d;" % (i - 1) * 10) for i in range(1, 9))
    document = b'<!DOCTYPE s [<!ENTITY l0 "lollollol">' + laughs + b"]><s>&l8;</s>"
    began = time.monotonic()
    with pytest.raises(TooManyEscapes):
        list(copies(document))
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "declared", [b'<!ENTITY a "&b;"><!ENTITY b "&a;">', b'<!ENTITY % p "x"> %p;']
)
def test_entities_that_cannot_be_put_together_are_refused(declared: bytes) -> None:
    with pytest.raises(TooManyEscapes):
        list(copies(b"<!DOCTYPE s [" + declared + b"]><s>&a;</s>"))


def test_a_piece_of_a_stream_is_read_narrow_and_without_escapes() -> None:
    wide = TEXT.decode().encode("utf-16-le")
    assert TEXT in next(without_escapes(wide))
    assert any(TEXT in text for text in without_escapes(WAYS["entities"]))
