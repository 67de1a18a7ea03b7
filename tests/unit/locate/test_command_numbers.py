from argparse import ArgumentTypeError
from collections.abc import Callable

import pytest

from protech.locate.command_numbers import count, place, span


def test_numbers_are_read() -> None:
    assert (span("0.5"), span("1e3"), span("1000000")) == (0.5, 1000, 1e6)
    assert (count("1"), count("1000")) == (1, 1000)
    assert (place("0"), place("2147483647")) == (0, 2147483647)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        *((span, text) for text in ("0", "-1", "nan", "inf", "1000001", "soon", "")),
        *((count, text) for text in ("0", "-1", "1.5", "", "\u0663")),
        *((place, text) for text in ("-1", "1.5", "", "\u0663", "9" * 20)),
    ],
)
def test_what_is_no_such_number_is_refused(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"^give a"):
        read(text)
