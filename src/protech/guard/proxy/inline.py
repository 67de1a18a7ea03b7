"""Pictures written as text: found in a body by one byte pattern, replaced only where blocked.

A run of base64 is taken for a picture when it follows ``data:...;base64,`` or when it begins
with the signature of a picture, for pages also decode bare base64 (``atob``), in either of its
two alphabets. The slash, plus and equals sign may be escaped as JSON, HTML or a URL escapes
them. Text inside a data: URL (SVG, HTML, CSS) is read in the same way, some levels deep, and so
is a part of a multipart body that is a picture as it is. What is innocent keeps every byte.

Other escapes are undone first (``guard.proxy.undone``). Not found: what a program computes.
``cuts`` is the same pattern for streams, where nothing can be held back.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from dataclasses import replace as replace_fields
from urllib.parse import unquote_to_bytes

from protech.guard.gate import looks_like_text, media_type_of
from protech.guard.proxy.escapes import (
    Written,
    from_base64,
    plain,
    unmarked_wide_encoding,
    wide_encoding,
    written,
)
from protech.guard.proxy.signatures import (
    ANCHOR,
    BARE,
    HEADER,
    HEADER_BYTES,
    LEAD_BYTES,
    PART_END,
    PART_HEAD,
    RAW_RUN,
    RAW_SIGNATURE,
    RUN,
    SCHEME,
)
from protech.guard.proxy.undone import TooManyEscapes, copies, without_escapes
from protech.salus.sniff import SNIFF_BYTES
from protech.types import Kind

Replace = Callable[[bytes, Kind | None], Awaitable[bytes | None]]
"""Judges a picture: what stands in its place, or None where it may be shown."""

DEPTH = 3
"""A data: URL in an SVG in a data: URL in a page; text with a deeper one is blanked."""

PICTURES = 2048
"""Distinct pictures of one body; a page with more is refused by whoever asks."""

AT_ONCE = 8

LONG_BYTES = 512 * 1024
"""A longer body is searched beside the event loop, so that others are served meanwhile."""

FRAMING_BYTES = 512
"""How far into a binary message a picture may begin."""

SMALLEST_BYTES = 100
"""A shorter run without ``data:`` is a word or a signature that a text explains."""

CARRY_BYTES = 512
"""What a stream keeps of its last piece, so that a signature across two pieces is met."""


class TooManyPictures(Exception):
    """A body holds more pictures than are judged for one body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inline:
    """One picture or text found: where its payload lies, how it was written, and what it is."""

    start: int
    end: int
    content: bytes = field(repr=False)
    claims: Kind | None
    written: Written
    is_escaped: bool = False


async def rewrite(body: bytes, replace: Replace, *, depth: int = DEPTH) -> bytes | None:
    """Return ``body`` with every blocked picture replaced, or None where it may stay as it is.

    Raises:
        TooManyPictures: There are more than ``PICTURES`` distinct ones.
    """
    wide = wide_encoding(body)
    if wide is not None:
        return await _rewrite_wide(body, wide, replace, depth)
    wide = unmarked_wide_encoding(body) if depth else None
    if wide is not None:
        # It may be as little UTF-16 as any other body; so both readings count.
        changed = await _rewrite_wide(body, wide, replace, depth - 1)
        if changed is not None:
            return await _rewrite_narrow(changed, replace, depth) or changed
    return await _rewrite_narrow(body, replace, depth)


async def _rewrite_wide(body: bytes, wide: str, replace: Replace, depth: int) -> bytes | None:
    text = body[: len(body) & ~1].decode(wide, "surrogatepass")
    narrow = text.encode("utf-8", "surrogatepass")
    changed = await rewrite(narrow, replace, depth=depth)
    return changed and changed.decode("utf-8", "surrogatepass").encode(wide, "surrogatepass")


async def _rewrite_narrow(body: bytes, replace: Replace, depth: int) -> bytes | None:
    found = await asyncio.to_thread(find, body) if len(body) > LONG_BYTES else find(body)
    if not found:
        return None
    contents = {inline.content: inline.claims for inline in found}
    if len(contents) > PICTURES:
        raise TooManyPictures
    slots = asyncio.Semaphore(AT_ONCE)

    async def stand_in(content: bytes, claims: Kind | None) -> tuple[bytes, bytes | None]:
        async with slots:
            return content, await _stand_in(content, claims, replace, depth)

    judged = await asyncio.gather(*(stand_in(*item) for item in contents.items()))
    return _spliced(body, found, dict(judged))


def find(body: bytes) -> list[Inline]:
    """Return what is written inline in ``body``, in order, never overlapping.

    Raises:
        TooManyPictures: There are more escapes than can be undone in time.
    """
    found = _find(body)
    try:
        for copy in copies(body):
            for inline in _find(copy.text):
                start, end = copy.span(inline.start, inline.end)
                found.append(replace_fields(inline, start=start, end=end))
    except TooManyEscapes as many:
        raise TooManyPictures from many
    return _disjoint(found)


def _disjoint(found: list[Inline]) -> list[Inline]:
    """Return the longest of those that overlap: an escape may have cut one short."""
    kept = found[:0]
    for inline in sorted(found, key=lambda each: (each.start, -each.end)):
        if not kept or inline.start >= kept[-1].end:
            kept.append(inline)
        elif inline.end - inline.start > kept[-1].end - kept[-1].start:
            kept[-1] = inline
    return kept


def _find(body: bytes) -> list[Inline]:
    found = []
    position = 0
    while anchor := ANCHOR.search(body, position):
        inline = _inline_at(body, anchor, position)
        if inline is not None:
            found.append(inline)
        position = max(inline.end if inline else 0, anchor.end())
    return found


def cuts(piece: bytes) -> bool:
    """Return whether a piece of a stream shows the sign of a picture."""
    try:
        return any(
            _bare_at(text, anchor, 0) or _url_header(text, anchor, 0) or _part_at(text, anchor)
            for text in without_escapes(piece)
            for anchor in ANCHOR.finditer(text)
        )
    except TooManyEscapes:
        return True


def picture_start(message: bytes) -> int:
    """Return where a picture begins in a binary message, at most some bytes from its start.

    Frameworks put a byte or a short header of their own before it; 0 where none is found.
    """
    if media_type_of(message[:SNIFF_BYTES]).kind in (Kind.IMAGE, Kind.VIDEO):
        return 0
    match = RAW_SIGNATURE.search(message, 0, FRAMING_BYTES)
    if match is None:
        return 0
    return match.start() - (4 if match[0] == b"ftyp" and match.start() >= 4 else 0)


async def _stand_in(
    content: bytes, claims: Kind | None, replace: Replace, depth: int
) -> bytes | None:
    head = content[:SNIFF_BYTES]
    kind = media_type_of(head).kind
    if kind is Kind.VIDEO:
        return b""
    if kind is not Kind.IMAGE and looks_like_text(head):
        if depth == 0:
            return b"" if find(content) else None
        return await rewrite(content, replace, depth=depth - 1)
    return await replace(content, claims) if kind is Kind.IMAGE or claims else None


def _inline_at(body: bytes, anchor: re.Match[bytes], position: int) -> Inline | None:
    return (
        _part_at(body, anchor)
        or _bare_at(body, anchor, position)
        or _url_at(body, anchor, position)
    )


def _part_at(body: bytes, anchor: re.Match[bytes]) -> Inline | None:
    """Return the picture that is the body of a part, after the empty line ``anchor``."""
    start = anchor.end()
    if anchor[0][:1] != b"\n" or not PART_HEAD.match(body, start):
        return None
    end = PART_END.search(body, start)
    content = body[start : end.start() if end else len(body)]
    if looks_like_text(content[:SNIFF_BYTES]):
        return None
    return Inline(
        start=start, end=start + len(content), content=content, claims=None, written=Written.RAW
    )


def _bare_at(body: bytes, anchor: re.Match[bytes], position: int) -> Inline | None:
    """Return the run of base64 around ``anchor`` that begins with a picture's signature."""
    for lead in LEAD_BYTES.get(anchor[0], (0,)):
        start = anchor.start() - lead
        if start >= position and BARE.match(body, start):
            run = _read(body, start, header=b"", is_base64=True)
            return run if run and len(run.content) >= SMALLEST_BYTES else None
    return None


def _url_at(body: bytes, anchor: re.Match[bytes], position: int) -> Inline | None:
    """Return the payload of the data: URL whose header ends at ``anchor``."""
    header = _url_header(body, anchor, position)
    if header is None:
        return None
    return _read(
        body,
        header.end(),
        header=header[0],
        is_base64=header["base64"] is not None,
        claims=_claims(header["type"]),
    )


def _url_header(body: bytes, anchor: re.Match[bytes], position: int) -> re.Match[bytes] | None:
    floor = max(position, anchor.start() - HEADER_BYTES)
    for scheme in reversed(list(SCHEME.finditer(body, floor, anchor.start()))):
        header = HEADER.match(body, scheme.start())
        if header is not None and header.end() >= anchor.start():
            return header
    return None


def _read(
    body: bytes, start: int, *, header: bytes, is_base64: bool, claims: Kind | None = None
) -> Inline | None:
    run = (RUN if is_base64 else RAW_RUN).match(body, start)
    text = run[0] if run else b""
    content = from_base64(text) if is_base64 else unquote_to_bytes(text)
    if not content:
        return None
    alphabet = Written.URLSAFE if b"_" in text or b"-" in text else Written.BASE64
    return Inline(
        start=start,
        end=start + len(text),
        content=content,
        claims=claims,
        written=alphabet if is_base64 else Written.PERCENT,
        is_escaped=b"%" in text or b"%" in header,
    )


def _claims(media_type: bytes) -> Kind | None:
    declared = plain(media_type).strip().lower()
    return Kind.IMAGE if declared.startswith(b"image/") else None


def _spliced(
    body: bytes, found: list[Inline], stand_ins: dict[bytes, bytes | None]
) -> bytes | None:
    pieces = []
    position = 0
    for inline in found:
        stand_in = stand_ins[inline.content]
        if stand_in is None:
            continue
        pieces += [
            body[position : inline.start],
            written(stand_in, as_=inline.written, is_escaped=inline.is_escaped),
        ]
        position = inline.end
    return b"".join((*pieces, body[position:])) if pieces else None
