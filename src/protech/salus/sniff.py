"""What an item is, by its first bytes; never by its name or what a server says of it.

Whatever a browser would paint as an image from its bytes is an image here. Sources: WHATWG MIME
Sniffing, section 6; Chromium's ImageDecoder, which looks for the same signatures and for an
``avif`` or ``avis`` brand anywhere in the ``ftyp`` box.
"""

import re
from enum import StrEnum

from protech.types import Kind

SNIFF_BYTES = 4096
"""How much of an item's beginning ``sniff`` wants; fewer only where the item has fewer."""


class MediaType(StrEnum):
    """A format as its first bytes tell it; the value is the name that rows and requests use."""

    JPEG = "jpeg"
    PNG = "png"
    GIF = "gif"
    WEBP = "webp"
    AVIF = "avif"
    HEIC = "heic"
    TIFF = "tiff"
    BMP = "bmp"
    ICO = "ico"
    JPEG_2000 = "jpeg_2000"
    JXL = "jxl"
    PSD = "psd"
    MP4 = "mp4"
    MOV = "mov"
    WEBM = "webm"
    MKV = "mkv"
    AVI = "avi"
    MPEG = "mpeg"
    MPEG_TS = "mpeg_ts"
    FLV = "flv"
    ASF = "asf"
    OGG_VIDEO = "ogg_video"
    ZIP = "zip"
    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZSTD = "zstd"
    SEVEN_ZIP = "7z"
    RAR = "rar"
    TAR = "tar"
    PDF = "pdf"
    SVG = "svg"
    HTML = "html"
    OTHER = "other"

    @property
    def kind(self) -> Kind:
        """The family: what the engine does with the item."""
        return _KINDS.get(self, Kind.OTHER)


_KINDS = {
    **dict.fromkeys(
        (
            MediaType.JPEG,
            MediaType.PNG,
            MediaType.GIF,
            MediaType.WEBP,
            MediaType.AVIF,
            MediaType.HEIC,
            MediaType.TIFF,
            MediaType.BMP,
            MediaType.ICO,
            MediaType.JPEG_2000,
            MediaType.JXL,
            MediaType.PSD,
        ),
        Kind.IMAGE,
    ),
    **dict.fromkeys(
        (
            MediaType.MP4,
            MediaType.MOV,
            MediaType.WEBM,
            MediaType.MKV,
            MediaType.AVI,
            MediaType.MPEG,
            MediaType.MPEG_TS,
            MediaType.FLV,
            MediaType.ASF,
            MediaType.OGG_VIDEO,
        ),
        Kind.VIDEO,
    ),
    **dict.fromkeys(
        (
            MediaType.ZIP,
            MediaType.GZIP,
            MediaType.BZIP2,
            MediaType.XZ,
            MediaType.ZSTD,
            MediaType.SEVEN_ZIP,
            MediaType.RAR,
            MediaType.TAR,
        ),
        Kind.ARCHIVE,
    ),
    **dict.fromkeys((MediaType.PDF, MediaType.SVG, MediaType.HTML), Kind.DOCUMENT),
}

_MAGIC = (
    (b"\xff\xd8\xff", MediaType.JPEG),
    (b"\x89PNG\r\n\x1a\n", MediaType.PNG),
    (b"GIF87a", MediaType.GIF),
    (b"GIF89a", MediaType.GIF),
    (b"II*\x00", MediaType.TIFF),
    (b"MM\x00*", MediaType.TIFF),
    (b"II+\x00", MediaType.TIFF),
    (b"MM\x00+", MediaType.TIFF),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", MediaType.JPEG_2000),
    (b"\xff\x4f\xff\x51", MediaType.JPEG_2000),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", MediaType.JXL),
    (b"\xff\x0a", MediaType.JXL),
    (b"8BPS", MediaType.PSD),
    (b"FLV\x01", MediaType.FLV),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", MediaType.ASF),
    (b"\x00\x00\x01\xba", MediaType.MPEG),
    (b"\x00\x00\x01\xb3", MediaType.MPEG),
    (b"PK\x03\x04", MediaType.ZIP),
    (b"PK\x05\x06", MediaType.ZIP),
    (b"PK\x07\x08", MediaType.ZIP),
    (b"\x1f\x8b", MediaType.GZIP),
    (b"BZh", MediaType.BZIP2),
    (b"\xfd7zXZ\x00", MediaType.XZ),
    (b"\x28\xb5\x2f\xfd", MediaType.ZSTD),
    (b"7z\xbc\xaf\x27\x1c", MediaType.SEVEN_ZIP),
    (b"Rar!\x1a\x07", MediaType.RAR),
    (b"%PDF-", MediaType.PDF),
)

_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset(
    {
        b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs",
        b"mif1", b"mif2", b"msf1", b"miaf",
    }
)  # fmt: skip
_JXL_BRAND = b"jxl "
_MOV_BRAND = b"qt  "

_BMP_HEADER_BYTES = (12, 42, 46, 108, 124, *range(16, 65, 4))
"""Sizes of the second header that decoders take; a text that begins "BM" has none of them."""

_TS_PACKETS = ((0, 188), (4, 192))
"""Where the first sync byte of a transport stream is, and how long its packets are; the second
is what camcorders write."""

_SVG_ROOT = re.compile(rb"<(?:[a-z_][\w.-]*:)?svg[\s>/]", re.IGNORECASE)
_SVG_LEAD = re.compile(rb"<(?:\?xml|!--|!doctype\s+(?:\w+:)?svg)", re.IGNORECASE)
_HTML_LEAD = re.compile(
    rb"<(?:!doctype html|html|head|body|script|iframe|h1|div|font|table|a|style|title|b|br|p"
    rb"|!--)(?=[\s>])",
    re.IGNORECASE,
)  # WHATWG MIME Sniffing 7.1
_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)


def sniff(head: bytes) -> MediaType:
    """Return the format that ``head``, the first ``SNIFF_BYTES`` of an item, belongs to."""
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    return _riff(head) or _box_file(head) or _weak_magic(head) or _matroska(head) or _text(head)


def _riff(head: bytes) -> MediaType | None:
    if head[:4] != b"RIFF":
        return None
    return {b"WEBP": MediaType.WEBP, b"AVI ": MediaType.AVI}.get(head[8:12])


def _box_file(head: bytes) -> MediaType | None:
    """Tell ISO base media files apart by every brand of their ``ftyp`` box."""
    if head[4:8] != b"ftyp":
        old_movie = head[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
        return MediaType.MOV if old_movie and head[:2] == b"\x00\x00" else None
    length = int.from_bytes(head[:4])
    start = 8
    if length == 1:  # a 64-bit length follows the type (ISO 14496-12 4.2)
        length, start = int.from_bytes(head[8:16]), 16
    body = head[start : length or None]
    major, compatible = body[:4], body[8:]
    brands = {major, *(compatible[i : i + 4] for i in range(0, len(compatible), 4))}
    if brands & _AVIF_BRANDS:
        return MediaType.AVIF
    if brands & _HEIC_BRANDS:
        return MediaType.HEIC
    if _JXL_BRAND in brands:
        return MediaType.JXL
    return MediaType.MOV if major == _MOV_BRAND else MediaType.MP4


def _weak_magic(head: bytes) -> MediaType | None:
    """Formats whose signature is short: a second field must make sense, too."""
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_BYTES:
        return MediaType.BMP
    is_icon = head[:4] in (b"\x00\x00\x01\x00", b"\x00\x00\x02\x00")
    if is_icon and int.from_bytes(head[4:6], "little") > 0:
        return MediaType.ICO
    if any(_has_sync(head, first, length) for first, length in _TS_PACKETS):
        return MediaType.MPEG_TS
    if head[:4] == b"OggS":
        is_video = b"theora" in head or b"OVP80" in head or b"BBCD" in head
        return MediaType.OGG_VIDEO if is_video else MediaType.OTHER
    if head[257:262] == b"ustar":
        return MediaType.TAR
    return None


def _has_sync(head: bytes, first: int, length: int) -> bool:
    """Return whether two packets begin with the sync byte; three where others stand before."""
    marks = b"GGG" if first else b"GG"
    return head[first::length].startswith(marks)


def _matroska(head: bytes) -> MediaType | None:
    if head[:4] != b"\x1a\x45\xdf\xa3":
        return None
    return MediaType.WEBM if b"webm" in head[:64] else MediaType.MKV


def _text(head: bytes) -> MediaType:
    """Tell SVG and HTML, which may begin with a byte order mark, blanks and comments."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            head = head[len(mark) :].decode(encoding, "ignore").encode()
            break
    text = head.lstrip(b"\t\n\x0c\r ")
    if _SVG_ROOT.match(text) or (_SVG_LEAD.match(text) and _SVG_ROOT.search(text)):
        return MediaType.SVG
    return MediaType.HTML if _HTML_LEAD.match(text) else MediaType.OTHER
