import base64

import pytest

from protech.guard.proxy.signatures import ANCHOR, BARE, LEAD_BYTES, PART_HEAD, RUN
from tests.proxied import picture

KINDS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "AVIF", "TIFF")


@pytest.mark.parametrize("kind", KINDS)
def test_every_signature_holds_an_anchor(kind: str) -> None:
    text = base64.b64encode(picture(1, kind))
    assert BARE.match(text)
    anchor = ANCHOR.search(text)
    assert anchor is not None
    assert anchor.start() in LEAD_BYTES.get(anchor[0], (0,))


@pytest.mark.parametrize("text", [b"AB/+", b"AB_-", b"AB\\/%2B", b"AB\\u002f&#43;", b"A\r\nB/"])
def test_a_run_takes_both_alphabets_and_every_escape(text: bytes) -> None:
    run = RUN.match(text + b"==' tail")
    assert run is not None
    assert run[0] == text + b"=="


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF"])
def test_a_part_is_known_by_its_head(kind: str) -> None:
    assert PART_HEAD.match(picture(1, kind))
    assert not PART_HEAD.match(b"words of a part")
