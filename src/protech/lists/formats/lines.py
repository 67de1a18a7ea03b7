"""Lines of a foreign list, one at a time however long somebody made them."""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from protech.errors import ListFormatError
from protech.lists.entries import BadEntry, Entry
from protech.lists.formats.values import BadValue

LINE_BYTES = 1024 * 1024
"""The frames of a video of two hours take 680 KB as vPDQ writes them."""

UTF8_MARK = b"\xef\xbb\xbf"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

FETCH_KEYS = b'"protech_fetch_keys"'
"""How the header of a list for locate begins, after its brace (``lists.fetch_keys``)."""

HEAD_BYTES = 4096
"""What is enough of a file to tell its format."""


def refuse_fetch_keys(head: bytes) -> None:
    """See to it that nothing but locate reads a list of what to fetch.

    Args:
        head: The first bytes of a file.

    Raises:
        ListFormatError: It is such a list.
    """
    if head.lstrip(UTF8_MARK + b" \t\r\n").startswith(b"{") and FETCH_KEYS in head[:HEAD_BYTES]:
        raise ListFormatError(
            "The file holds fetch keys: it is a list for locate, which nothing else reads or"
            " exports. Ask its maker for the list of digests that goes with it."
        )


def lines(file: BinaryIO) -> Iterator[tuple[int, str | None]]:
    """Yield each line, counted from 1, without its end; None for one longer than a mebibyte.

    Bytes that are no UTF-8 become the replacement character.

    Raises:
        ListFormatError: The file is in UTF-16, or holds fetch keys.
    """
    number = 0
    while line := file.readline(LINE_BYTES + 1):
        number += 1
        if number == 1:
            line = _without_mark(line)
            refuse_fetch_keys(line)
        if len(line) > LINE_BYTES and not line.endswith(b"\n"):
            _skip(file)
            yield number, None
        else:
            yield number, line.decode(errors="replace").rstrip("\r\n")


def entries(
    numbered: Iterator[tuple[int, str | None]], parse: Callable[[str], Entry | None]
) -> Iterator[Entry | BadEntry]:
    """Yield what ``parse`` makes of each line; None is a line that says nothing.

    An entry of which one identifier is wrong is yielded with the others, and the line named.
    """
    for number, line in numbered:
        try:
            if line is None:
                raise BadValue(f"the line is longer than {LINE_BYTES} bytes")
            entry = parse(line)
        except BadValue as bad:
            if bad.kept is not None:
                yield bad.kept
            yield BadEntry(line=number, reason=str(bad))
        else:
            if entry is not None:
                yield entry


def first_line(head: bytes) -> str:
    """Return the first line of a file's first bytes that is not blank."""
    text = head[:HEAD_BYTES].removeprefix(UTF8_MARK).decode(errors="replace")
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _without_mark(line: bytes) -> bytes:
    if line.startswith(UTF16_MARKS):
        raise ListFormatError("The list is written in UTF-16; save it again as UTF-8.")
    return line.removeprefix(UTF8_MARK)


def _skip(file: BinaryIO) -> None:
    while piece := file.readline(LINE_BYTES):
        if piece.endswith(b"\n"):
            return
