"""Which letters a report may print: those that its fonts have, and that hide nothing; pure."""

import unicodedata

LONGEST_CHARACTERS = 4000
"""Of one text; a hostile name cannot fill a page."""

SHOWN = (
    (0x20, 0x7E),  # ASCII
    (0xA0, 0x17F),  # Latin with its accents
    (0x391, 0x3A1),  # Greek
    (0x3A3, 0x3C9),
    (0x410, 0x44F),  # Cyrillic
    (0x2013, 0x2014),  # dashes
    (0x2018, 0x201D),  # quotation marks
)
"""Ranges of characters that the built-in fonts have: PDF/A refuses what a font lacks."""
SHOWN_TOO = frozenset("\u202f\u2026\u2022\u2212\u2264\u2265\u00d7\u0153\u0152\u20ac\u2192")

SOFT_HYPHEN = "\u00ad"


def shown(text: str) -> str:
    """Return a text as it may be printed: what no font has, or what hides, as its number."""
    pieces = [one if _is_shown(one) else f"\\u{{{ord(one):x}}}" for one in text]
    whole = "".join(pieces)
    if len(whole) > LONGEST_CHARACTERS:
        return whole[: LONGEST_CHARACTERS - 1] + "\u2026"
    return whole


def _is_shown(one: str) -> bool:
    if one == SOFT_HYPHEN or unicodedata.combining(one):
        return False
    return one in SHOWN_TOO or any(low <= ord(one) <= high for low, high in SHOWN)
