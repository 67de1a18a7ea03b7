"""JSON of any length, read value by value through a window of bounded size.

What is wrong is named by where it stands and passed over; each character is looked at a few
times at most, whatever somebody wrote.
"""

import codecs
import re
from collections.abc import Iterator
from json.decoder import JSONDecodeError, JSONDecoder
from typing import Any, BinaryIO, NoReturn

from protech.errors import ListFormatError
from protech.lists.formats.lines import UTF8_MARK, UTF16_MARKS

WINDOW_BYTES = 1 << 20

VALUE_CHARACTERS = 1 << 20
"""The longest value that is surely parsed; one of a window more is not. An entry of a video
of two hours takes 600 KB."""

RESCUE_CHARACTERS = 1 << 16
"""How far behind the fault the end of a broken value is looked for."""

PATTERN_CHARACTERS = 1024

WORD_CHARACTERS = 12
"""``-Infinity`` and an escape may be cut within."""

OPENING = ("{", "[")

_NEXT = ",{"
_COMMA = re.compile(r"[ \t\n\r]*+,[ \t\n\r]*+")
_BLANK = re.compile(r"[ \t\n\r]*+")
_SCALAR = re.compile(r"[^\s,:\[\]{}\"]*+")
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_WORD = re.compile(rf'{_STRING}|[^\s,:\[\]{{}}"]++|[,:\]}}]', re.DOTALL)
_TOKEN = re.compile(rf'{_STRING}|[\[\]{{}}]|"', re.DOTALL)
_BEHIND = {"", " ", "\t", "\n", "\r", ",", ":", "]", "}"}
_DEPTH = {"{": 1, "[": 1, "}": -1, "]": -1}
_IN_STRING = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)


class Malformed(Exception):
    """What stood here was no JSON; the text stands after it now."""


class Lost(Exception):
    """What stands here is no JSON, and where it ends cannot be told; see ``find``."""


class TooLong(Exception):
    """The value is longer than ``VALUE_CHARACTERS``; see ``skip``."""


class Cut(Exception):
    """The text ends before the value does."""


class JsonText:
    """A JSON text that is gone through from front to end; ``text[at:]`` is what comes next.

    Bytes that are no UTF-8 become lone surrogates.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Begin with a file's first byte.

        Raises:
            ListFormatError: It is in UTF-16.
        """
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self.decode = JSONDecoder().raw_decode
        self.text = ""
        self.at = 0
        head = file.read(WINDOW_BYTES)
        if head.startswith(UTF16_MARKS):
            raise ListFormatError("The list is written in UTF-16; save it again as UTF-8.")
        self.has_ended = not head
        self.text = self._decoder.decode(head.removeprefix(UTF8_MARK), final=not head)

    def fill(self) -> bool:
        """Read on, letting go of what was passed; return whether anything came."""
        if self.has_ended:
            return False
        piece = self._file.read(WINDOW_BYTES)
        self.has_ended = not piece
        self.text = self.text[self.at :] + self._decoder.decode(piece, final=not piece)
        self.at = 0
        return True

    def peek(self) -> str:
        """Return the next character that is no blank, and stand before it; "" at the end."""
        while True:
            blank = _BLANK.match(self.text, self.at)
            self.at = blank.end() if blank else self.at
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.fill():
                return ""

    def took(self, character: str) -> bool:
        """Pass over the next character if it is this one."""
        if self.peek() != character:
            return False
        self.at += 1
        return True

    def run(self) -> Iterator[dict[str, Any]]:
        """Yield objects that stand in a row, each with a comma behind it, to the first doubt.

        The text stands before what was not yielded. It must not be read on meanwhile.
        """
        decode, comma, text, at = self.decode, _COMMA.match, self.text, self.at
        while text.startswith("{", at):
            try:
                value, end = decode(text, at)
            except (ValueError, RecursionError):
                return
            if text.startswith(_NEXT, end):
                end += 1
            elif behind := comma(text, end):
                end = behind.end()
            else:
                return
            self.at = at = end
            yield value

    def value(self) -> object:
        """Return the next value.

        Raises:
            Malformed: There is none.
            Lost: There is none, and its brackets or quotes do not close.
            TooLong: It does not fit into the window.
            Cut: The text ends in it.
        """
        self.peek()
        while True:
            try:
                value, end = self.decode(self.text, self.at)
            except (ValueError, RecursionError) as wrong:
                wrong_at, is_open = self._wrong(wrong)
            else:
                if isinstance(value, str | list | dict) or self._is_behind(end):
                    self.at = end
                    return value
                wrong_at, is_open = end, end == len(self.text)
            if len(self.text) - self.at > VALUE_CHARACTERS or not self.fill():
                self._give_up(wrong_at, is_open=is_open)

    def _is_behind(self, end: int) -> bool:
        """Return whether a word or number ends here; at the window's end it may go on."""
        return self.text[end : end + 1] in _BEHIND and (end < len(self.text) or self.has_ended)

    def _wrong(self, wrong: ValueError | RecursionError) -> tuple[int, bool]:
        """Return where a value went wrong, and whether only more text could tell."""
        if isinstance(wrong, JSONDecodeError):
            is_string = wrong.msg.startswith("Unterminated string")
            return wrong.pos, is_string or wrong.pos > len(self.text) - WORD_CHARACTERS
        return self.at, False  # a number of thousands of digits, or brackets in brackets

    def _give_up(self, wrong_at: int, *, is_open: bool) -> NoReturn:
        end = self._end(self.at, wrong_at + RESCUE_CHARACTERS)
        if end is not None:
            self.at = end
            raise Malformed
        if is_open:
            raise Cut if self.has_ended else TooLong
        self.at = max(wrong_at, self.at + 1)
        raise Lost

    def _end(self, start: int, stop: int) -> int | None:
        """Return where a value ends by its brackets; None where that is not before ``stop``."""
        stop = min(stop, len(self.text))
        if start == stop:
            return None
        if self.text[start] not in OPENING:
            found = _WORD.match(self.text, start, stop)
            return found.end() if found and found.end() < stop else None
        depth = 0
        for token in _TOKEN.finditer(self.text, start, stop):
            if token[0] == '"':
                return None  # a string that does not end
            depth += _DEPTH.get(token[0], 0)
            if not depth:
                return token.end()
        return None

    def skip(self) -> None:
        """Pass over a value of any length, as far as its brackets and quotes tell.

        Raises:
            Cut: The text ends in it.
        """
        if self.peek() not in {*OPENING, '"'}:
            self._skip_all(_SCALAR)
            return
        depth = 0
        while True:
            token = _TOKEN.search(self.text, self.at)
            if token is None:
                self.at = len(self.text)
                if not self.fill():
                    raise Cut
                continue
            self.at = token.end()
            if token[0] == '"':
                self._skip_all(_IN_STRING)
                self.at += 1
            depth += _DEPTH.get(token[0], 0)
            if depth <= 0:
                return

    def _skip_all(self, pattern: re.Pattern[str]) -> None:
        """Pass over all that is like ``pattern``, up to something else."""
        while True:
            found = pattern.match(self.text, self.at)
            self.at = found.end() if found else self.at
            # Half an escape may stand at the end; it is kept.
            if len(self.text) - self.at > 1 or (
                self.at < len(self.text) and self.text[self.at] != "\\"
            ):
                return
            if not self.fill():
                raise Cut

    def find(self, pattern: re.Pattern[str]) -> bool:
        """Stand before the next place that is like ``pattern``; return whether there is one.

        Args:
            pattern: What is at most ``PATTERN_CHARACTERS`` long.
        """
        while True:
            found = pattern.search(self.text, self.at)
            if found:
                self.at = found.start()
                return True
            self.at = max(self.at, len(self.text) - PATTERN_CHARACTERS)
            if not self.fill():
                self.at = len(self.text)
                return False
