"""The numbers on the command line of ``protech locate``, and what they may be."""

import math
from argparse import ArgumentTypeError

MOST_SPAN = 1e6
"""Hours or minutes: more is no term that anybody signs."""


def span(text: str) -> float:
    """Read how many hours or minutes.

    Raises:
        ArgumentTypeError: It is no such number.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number <= MOST_SPAN:
        raise ArgumentTypeError(f"give a number above 0, up to {MOST_SPAN:,.0f}")
    return number


def count(text: str) -> int:
    """Read how many, one at least.

    Raises:
        ArgumentTypeError: It is no such number.
    """
    if not (text.isascii() and text.isdecimal() and int(text[:20])):
        raise ArgumentTypeError("give a whole number, 1 or more")
    return int(text[:20])


def place(text: str) -> int:
    """Read a number that counts from 0: a record's, a seed, a descriptor.

    Raises:
        ArgumentTypeError: It is no such number.
    """
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(1 << 62)):
        raise ArgumentTypeError("give a whole number, 0 or more")
    return int(text)
