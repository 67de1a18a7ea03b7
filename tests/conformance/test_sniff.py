"""Sniffing and decoding against Debian's Chromium, the browser that the guard protects.

Whatever it paints from bytes must be an image here, and what we judge must be what it shows:
mean difference under 4 levels of 255 (colour conversion and chroma upsampling differ a bit).
"""

import base64
import io
from collections.abc import Iterator
from typing import TypedDict, cast

import numpy as np
import pytest
from PIL import Image, ImageCms
from playwright.sync_api import Page, sync_playwright

from protech.salus.decode import decode, preload
from protech.salus.sniff import SNIFF_BYTES, sniff
from protech.types import Kind, Limits
from tests.make_data import make_photo

pytestmark = pytest.mark.needs("chromium")

CHROMIUM = "/usr/bin/chromium"
PHOTO = make_photo(3, 96, 72)
IMAGE = Image.fromarray(PHOTO)
TOLERANCE_LEVELS = 4

SHOW = """async (encoded) => {
    const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
    const image = new Image();
    image.src = URL.createObjectURL(new Blob([bytes], {type: "image/png"}));
    await new Promise((done) => {
        image.onload = image.onerror = done;
        setTimeout(done, 3000);
    });
    const [width, height] = [image.naturalWidth, image.naturalHeight];
    if (!width || width * height > 1e6) return {width, height, pixels: ""};
    const canvas = Object.assign(document.createElement("canvas"), {width, height});
    const page = canvas.getContext("2d");
    page.fillStyle = "white";
    page.fillRect(0, 0, width, height);
    page.drawImage(image, 0, 0);
    const shown = page.getImageData(0, 0, width, height).data;
    let letters = "";
    for (const level of shown) letters += String.fromCharCode(level);
    return {width, height, pixels: btoa(letters)};
}"""


class Shown(TypedDict):
    """What the page saw of one file; no width where the browser paints nothing."""

    width: int
    height: int
    pixels: str


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    preload()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


def _show(page: Page, data: bytes) -> Shown:
    return cast(Shown, page.evaluate(SHOW, base64.b64encode(data).decode()))


def _file(image: Image.Image, name: str, **options: object) -> bytes:
    packed = io.BytesIO()
    image.save(packed, name, **options)
    return packed.getvalue()


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def _see_through() -> Image.Image:
    image = IMAGE.convert("RGBA")
    image.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, 96).astype(np.uint8), (72, 1))))
    return image


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SWAPPED = SRGB.replace(b"rXYZ", b"bxyz").replace(b"bXYZ", b"rXYZ").replace(b"bxyz", b"bXYZ")
"""A colour profile that shows red as blue and blue as red."""

WHOLE = {
    "jpeg": _file(IMAGE, "JPEG"),
    "jpeg progressive": _file(IMAGE, "JPEG", progressive=True),
    "jpeg gray": _file(IMAGE.convert("L"), "JPEG"),
    "jpeg four inks": _file(IMAGE.convert("CMYK"), "JPEG", quality=95),
    "jpeg turned": _file(IMAGE, "JPEG", exif=_turned()),
    "jpeg and archive": _file(IMAGE, "JPEG") + b"PK\x03\x04" + bytes(40),
    "jpeg, red and blue swapped": _file(IMAGE, "JPEG", icc_profile=SWAPPED),
    "png, red and blue swapped": _file(IMAGE, "PNG", icc_profile=SWAPPED),
    "png": _file(IMAGE, "PNG"),
    "png 1 bit": _file(IMAGE.convert("1"), "PNG"),
    "png palette": _file(IMAGE.quantize(64), "PNG"),
    "png 16 bits": _file(
        Image.fromarray(np.asarray(IMAGE.convert("L")).astype(np.uint16) * 257), "PNG"
    ),
    "png see-through": _file(_see_through(), "PNG"),
    "png turned": _file(IMAGE, "PNG", exif=_turned()),
    "gif": _file(IMAGE, "GIF"),
    "webp": _file(IMAGE, "WEBP"),
    "webp see-through": _file(_see_through(), "WEBP"),
    "webp turned": _file(IMAGE, "WEBP", exif=_turned()),
    "avif": _file(IMAGE, "AVIF"),
    "avif turned": _file(IMAGE, "AVIF", exif=_turned()),
    "bmp": _file(IMAGE, "BMP"),
    "bmp palette": _file(IMAGE.convert("P"), "BMP"),
    "ico": _file(IMAGE, "ICO", sizes=[(96, 72)]),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_judged_is_what_the_browser_shows(page: Page, name: str) -> None:
    data = WHOLE[name]
    shown = _show(page, data)
    frame = next(decode(data, media_type=sniff(data[:SNIFF_BYTES]), limits=Limits()).forms)
    levels = np.frombuffer(base64.b64decode(shown["pixels"]), dtype=np.uint8)
    picture = levels.reshape(shown["height"], shown["width"], 4)[..., :3]
    assert frame.displayed.shape == picture.shape
    difference = np.abs(frame.displayed.astype(int) - picture)
    assert difference.mean() < TOLERANCE_LEVELS


def _odd() -> Iterator[bytes]:
    """Files whose beginning is almost that of an image: some are painted, most are not."""
    plain = [WHOLE[name] for name in ("jpeg", "png", "gif", "webp", "avif", "bmp", "ico")]
    for data in plain:
        for lead in (b" ", b"\n", b"\x00", b"\xef\xbb\xbf", b"\xff"):
            yield lead + data
        for at in (0, 1, 2, 3, 4, 5, 8, 9, 11, 14, 15):
            for level in (0, 1, 2, 255, data[at] ^ 0x20):
                yield data[:at] + bytes([level]) + data[at + 1 :]
    for size in range(130):
        yield WHOLE["bmp"][:14] + size.to_bytes(4, "little") + WHOLE["bmp"][18:]
    avif = WHOLE["avif"]
    end = int.from_bytes(avif[:4])
    for major in (b"avif", b"avis", b"mif1", b"isom", b"heic", b"jxl ", b"qt  ", b"avio"):
        for other in (b"avif", b"avis", b"miaf", b"mp42", b"heic"):
            brands = (major + bytes(4) + other * 20)[: end - 8]
            yield avif[:8] + brands + avif[end:]
    yield (1).to_bytes(4) + b"ftyp" + (end + 8).to_bytes(8) + avif[8:]


def test_whatever_the_browser_paints_is_an_image(page: Page) -> None:
    painted = [data for data in _odd() if _show(page, data)["width"]]
    missed = [data[:24] for data in painted if sniff(data[:SNIFF_BYTES]).kind is not Kind.IMAGE]
    assert len(painted) > 50
    assert missed == []
