"""What pictures look like where they stand in a text: the patterns of ``guard.proxy.inline``.

Base64 is met with every escape that JSON, HTML, JavaScript and URLs put into it, and in both of
its alphabets (RFC 4648, sections 4 and 5).
"""

import re

_SLASH = rb"(?:[/_]|\\/|%2[Ff]|\\u002[Ff]|&#(?:47|[xX]2[fF]);|&sol;)"
_ESCAPED = rb"\\/|%2[BbFf]|\\u002[BbFf]|&#(?:43|47|[xX]2[BbFf]);|&sol;|&plus;"
_BREAK = (
    rb"[\t\r\n][ \t\r\n]*+(?=[A-Za-z0-9+/=])"
    rb"|\\[nrt]|\\\r?\n|%0[aAdD]|%20|&#(?:10|13);| +(?=[\w+/]{8})"
)
_TAIL = rb"(?:=|%3[Dd]|\\u003[Dd]|&#(?:61|[xX]3[dD]);|&equals;){0,2}"
_PAYLOAD = rb"(?:[A-Za-z0-9+/_-]++|" + _ESCAPED + rb"|" + _BREAK + rb")*+" + _TAIL
_EDGE = (
    rb"(?:(?<![A-Za-z0-9+/])|(?<=%2[Cc])|(?<=%2[27])|(?<=%3[Dd])|(?<=%0[Aa])|(?<=\\[nrt])"
    rb"|(?<=\\u002[27Cc]))"
)
_SIGNATURE = (
    _SLASH
    + rb"9j"
    + _SLASH  # JPEG
    + rb"|iVBORw0KGg"  # PNG
    + rb"|R0lGODdh|R0lGODlh"  # GIF
    + rb"|UklGR"  # WebP, AVI
    + rb"|Qk[0-3][A-Za-z0-9+/]{5}AAAA"  # BMP
    + rb"|AAAA[A-Za-z0-9+/][GWm2]Z0eXB"  # AVIF, HEIC, MP4: "ftyp" at byte 4
    + rb"|SUkqA|TU0AK"  # TIFF
    + rb"|GkXfo"  # WebM
    + rb"|AAAADEpYTCA"  # JPEG XL
)
_DATA = rb"[dD][aA][tT][aA](?::|%3[aA]|\\u003[aA]|&#(?:58|[xX]3[aA]);|&colon;)"
_COMMA = rb"(?:,|%2[cC]|&#(?:44|[xX]2[cC]);|\\u002[cC]|&comma;)"
_SEMICOLON = rb"(?:;|%3[bB]|&#(?:59|[xX]3[bB]);|\\u003[bB]|&semi;)"

ANCHOR = re.compile(
    rb"9j|iVBORw0KGg|R0lGOD|UklGR|Qk[0-3]|Z0eXB|SUkqA|TU0AK|GkXfo|DEpYTCA|base64|BASE64"
    rb"|%89PNG|%[fF][fF]%[dD]8|,GIF8|,RIFF|,BM|,%00%00%0|\n\r?\n(?=[\xff\x89BGR\x00])"
)
"""What every find holds, without groups: 3 to 10 ms a megabyte, against 100 for the rest."""

LEAD_BYTES = {b"9j": (6, 5, 3, 2, 1), b"Z0eXB": (6,), b"DEpYTCA": (4,)}
"""How far before its anchor a signature may begin; an escaped one is taken with its escape."""

HEADER_BYTES = 260
BARE = re.compile(_EDGE + rb"(?:" + _SIGNATURE + rb")")
SCHEME = re.compile(_DATA)
HEADER = re.compile(
    _DATA + rb"(?P<type>[^,<>{}\r\n]{0,200}?)(?:"
    + _SEMICOLON + rb"\s*[bB][aA][sS][eE]64\s*" + _COMMA + rb"(?P<base64>)"
    + rb"|" + _COMMA + rb"(?=%89PNG|%[fF][fF]%[dD]8%[fF][fF]|GIF8[79]a|RIFF|%00%00%0[0-2]|BM)"
    + rb")"
)  # fmt: skip
RUN = re.compile(_PAYLOAD)
RAW_RUN = re.compile(rb"[^\"'`\s<>()\\]*+")
PART_HEAD = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF.{4}WEBP|\x00\x00..ftyp"
    rb"|\x00\x00[\x01\x02]\x00.\x00|BM.{12}[\x0c-\x7c]\x00\x00\x00",
    re.DOTALL,
)
PART_END = re.compile(rb"\r?\n--")
RAW_SIGNATURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF(?=.{4}WEBP)|ftyp|\x1a\x45\xdf\xa3",
    re.DOTALL,
)
