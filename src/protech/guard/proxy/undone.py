"""Copies of a text with its escapes undone, for what a browser reads and a pattern does not.

A page can write any character of a ``data:`` URL as HTML, XML, CSS, JavaScript or a URL escape
it, put tabs and line ends into it, and put it together from entities of its own. The patterns
of ``guard.proxy.signatures`` know the escapes that programs write by themselves; here are the
others. Each copy remembers where its bytes stood, so that what is found in it is replaced in
the text.
"""

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

ESCAPES = 1_000_000
"""Of one body; a text with more is refused by whoever asks."""

EXPANDED_BYTES = 8 * 1024 * 1024
ENTITY_DEPTH = 8
"""How far entities of a document's own are put together."""


class TooManyEscapes(Exception):
    """A body writes so much in escapes that it cannot be read in time."""


# ASCII letters, digits and % + , / : ; = _ as two hexadecimal digits, or as a decimal number
_HEX = rb"0*(?:2[5bBcCfF]|3[0-9aAbBdD]|[46][1-9a-fA-F]|5[0-9aAfF]|7[0-9aA]|6[0-9])"
_NUMBER = rb"0*(?:37|4[34789]|5[0-9]|61|6[5-9]|[78][0-9]|90|95|9[7-9]|1[01][0-9]|12[0-2])"
_NAMES = {
    b"sol": b"/", b"plus": b"+", b"equals": b"=", b"comma": b",", b"colon": b":",
    b"semi": b";", b"percnt": b"%", b"lowbar": b"_", b"Tab": b"", b"NewLine": b"",
}  # fmt: skip

_ENTITY = re.compile(
    rb"&#(?P<dec>" + _NUMBER + rb")(?:;|(?![0-9]))"
    rb"|&#[xX](?P<hex>" + _HEX + rb")(?:;|(?![0-9a-fA-F]))"
    rb"|&#(?:0*(?:9|10|13)|[xX]0*[9aAdD])(?P<void>;|(?![0-9a-fA-F]))"
    rb"|&(?P<name>" + b"|".join(_NAMES) + rb");"
)
_SCRIPT = re.compile(rb"\\(?:x|u00|u\{)(?P<hex>" + _HEX + rb")\}?")
_STYLE = re.compile(
    rb"\\(?:(?P<hex>" + _HEX + rb")(?:(?![0-9a-fA-F])(?:\r\n|[ \t\r\n\f])?)"
    rb"|(?P<char>[g-zG-Z+/=:;,_]))"
)
_STYLED = re.compile(
    rb"u\\?r\\?l\\?\(|i\\?mage-\\?set|\\0*(?:[46][1-9a-f]|[57][0-9a])[ \t\r\n\f0-9a-z(-]",
    re.IGNORECASE,
)
"""What a style needs to name a picture; scripts are full of what would be escapes in one."""

_PERCENT = re.compile(rb"%(?P<hex>3[0-9]|[46][1-9a-fA-F]|5[0-9aA]|7[0-9aA])")
_SHIFT = re.compile(rb"(?P<void>\x1b(?:\([BJI]|\$[@B]))")
"""Shifts of ISO-2022-JP, which a decoder takes out."""

_BREAKS = re.compile(rb"(?P<void>[\t\r\n]+)")
"""A URL is read without them. Source: WHATWG URL 4.4."""

_GAP = rb"[\t\r\n]*"
_BROKEN = re.compile(
    _GAP.join((rb"[dD]", rb"[aA]", rb"[tT]", rb"[aA]", rb":"))
    + rb"|"
    + _GAP.join((rb"[bB]", rb"[aA]", rb"[sS]", rb"[eE]", rb"6", rb"4", rb","))
)
_DOCUMENT_TYPE = re.compile(rb"<!DOCTYPE[^>\[]{0,4096}\[")
_DECLARED = re.compile(rb"<!ENTITY\s+([^\s%\"'>]+)\s+(?:\"([^\"]*)\"|'([^']*)')")
_PARAMETER = re.compile(rb"<!ENTITY\s+%")
_REFERENCE = re.compile(rb"&([^\s;&#<>\"']{1,200});")


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A text with escapes undone; ``span`` tells where a part of it stood in the body."""

    text: bytes = field(repr=False)
    starts: array[int]
    """Where each undone escape lies in ``text``, its length there in ``lengths``."""
    lengths: array[int]
    begins: array[int]
    """Where the same escape began and ended in the text before."""
    ends: array[int]
    before: "Copy | None" = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where ``text[start:end]``, at least a byte, stood in the body."""
        first, last = self._place(start)[0], self._place(end - 1)[1]
        return self.before.span(first, last) if self.before else (first, last)

    def _place(self, position: int) -> tuple[int, int]:
        i = bisect_right(self.starts, position) - 1
        if i < 0:
            return position, position + 1
        if position < self.starts[i] + self.lengths[i]:
            return self.begins[i], self.ends[i]
        there = self.ends[i] + position - self.starts[i] - self.lengths[i]
        return there, there + 1


def copies(body: bytes) -> Iterator[Copy]:
    """Yield ``body`` as a browser may read it, where that differs.

    Raises:
        TooManyEscapes: There are more than can be undone in time.
    """
    entities = _undone(body, _own_entities(body), None)
    entities = _undone_of(entities, body, _ENTITY)
    entities = _undone_of(entities, body, _SHIFT) if b"\x1b" in body else entities
    for escapes in (_SCRIPT, _STYLE):
        text = entities.text if entities else body
        if escapes is _STYLE and not _STYLED.search(text):
            return
        copy = _undone_of(entities, body, escapes)
        if escapes is _STYLE and copy is entities:
            return
        copy = _undone_of(copy, body, _PERCENT)
        text = copy.text if copy else body
        if any(len(found[0].strip(b":,")) not in (4, 6) for found in _BROKEN.finditer(text)):
            copy = _undone_of(copy, body, _BREAKS)
        if copy is not None:
            yield copy


def without_escapes(piece: bytes) -> Iterator[bytes]:
    """Yield a piece of a stream as it came and as a browser may read it."""
    narrow = piece.replace(b"\0", b"")  # UTF-16, whichever half of it carries the letter
    yield narrow
    for copy in copies(narrow):
        yield copy.text


def _undone_of(copy: Copy | None, body: bytes, escapes: re.Pattern[bytes]) -> Copy | None:
    text = copy.text if copy else body
    return _undone(text, ((found, _char(found)) for found in escapes.finditer(text)), copy)


def _char(found: re.Match[bytes]) -> bytes:
    groups = found.groupdict()
    if groups.get("hex"):
        return bytes((int(groups["hex"], 16),))
    if groups.get("dec"):
        return bytes((int(groups["dec"]),))
    if groups.get("name"):
        return _NAMES[groups["name"]]
    return groups.get("char") or b""


def _undone(
    text: bytes, found: Iterator[tuple[re.Match[bytes], bytes]], before: Copy | None
) -> Copy | None:
    """Return ``text`` with each match replaced, ``before`` itself where there is none."""
    starts, lengths, begins, ends = (array("q") for _ in range(4))
    pieces, position, size = [], 0, 0
    for match, clear in found:
        pieces += [text[position : match.start()], clear]
        size += match.start() - position
        starts.append(size)
        lengths.append(len(clear))
        begins.append(match.start())
        ends.append(match.end())
        size += len(clear)
        position = match.end()
        if len(starts) > ESCAPES:
            raise TooManyEscapes
    if not starts:
        return before
    pieces.append(text[position:])
    return Copy(
        text=b"".join(pieces),
        starts=starts,
        lengths=lengths,
        begins=begins,
        ends=ends,
        before=before,
    )


def _own_entities(text: bytes) -> Iterator[tuple[re.Match[bytes], bytes]]:
    """Yield the references to entities that a document declares, and what they stand for."""
    if b"<!ENTITY" not in text or not _DOCUMENT_TYPE.search(text):
        return
    if _PARAMETER.search(text):
        raise TooManyEscapes
    entities = _Entities(text)
    left = EXPANDED_BYTES
    for found in _REFERENCE.finditer(text):
        if found[1] in entities.declared:
            value = entities.whole(found[1])
            left -= len(value)
            if left < 0:
                raise TooManyEscapes
            yield found, value


class _Entities:
    """What the entities of one document stand for, each put together once."""

    def __init__(self, text: bytes) -> None:
        found = _DECLARED.findall(text)
        self.declared = {name: double or single for name, double, single in reversed(found)}
        self._known: dict[bytes, bytes] = {}

    def whole(self, name: bytes, depth: int = 0) -> bytes:
        if name not in self._known:
            if depth > ENTITY_DEPTH:
                raise TooManyEscapes
            value = b"".join(self._parts(self.declared[name], depth))
            if len(value) > EXPANDED_BYTES:
                raise TooManyEscapes
            self._known[name] = value
        return self._known[name]

    def _parts(self, value: bytes, depth: int) -> Iterator[bytes]:
        size, position = 0, 0
        for found in _REFERENCE.finditer(value):
            if found[1] not in self.declared:
                continue
            inner = self.whole(found[1], depth + 1)
            size += len(inner)
            if size > EXPANDED_BYTES:
                raise TooManyEscapes
            yield value[position : found.start()]
            yield inner
            position = found.end()
        yield value[position:]
