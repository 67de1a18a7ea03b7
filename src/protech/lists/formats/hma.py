"""Files of ThreatExchange, its command line and HMA: a hash a line, and vPDQ of whole videos.

Source: the package threatexchange: exchanges/impl/file_api.py (``TYPE HASH``),
cli/dataset_cmd.py (``--csv``), cli/dataset/simple_serialization.py (``.te``),
extensions/vpdq/vpdq_util.py (JSON), and vpdq's own ``frame,quality,hash,timestamp`` lines.
"""

import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from protech.errors import ListFormatError
from protech.lists.entries import VPDQ_PER_ENTRY, BadEntry, Entry
from protech.lists.formats.lines import first_line, lines
from protech.lists.formats.tables import Wide, cells
from protech.lists.formats.values import BadValue, entry_of, from_hex

QUALITY = 50
"""vPDQ and PDQ compare no hash below it. Source: vpdq_util.VPDQ_QUALITY_THRESHOLD."""

KINDS = {
    **dict.fromkeys(("pdq", "hash_pdq"), "pdq"),
    **dict.fromkeys(("md5", "video_md5", "hash_md5", "hash_video_md5"), "md5"),
    **dict.fromkeys(("sha1", "hash_sha1"), "sha1"),
    **dict.fromkeys(("sha256", "video_sha256", "hash_sha256"), "sha256"),
    **dict.fromkeys(("photodna", "hash_photodna"), "photodna"),
    "vpdq": "vpdq",
}
"""Names of signal and indicator types."""

TABLE = ["signal_type", "signal_str"]
"""How the head of ``threatexchange dataset -P --csv`` begins."""
NEGATIVE = "NEGATIVE_CLASS"

FRAME = re.compile(r"(\d{1,9}),(\d{1,3}),([0-9a-fA-F]+),\d{1,9}(\.\d{1,9})?")
TYPED = re.compile(r"([A-Za-z][A-Za-z0-9_]*) (.*)")
DIGITS = re.compile(r"[0-9a-fA-F]{32,64}(?=,|\s|$)")


def matches(head: bytes) -> bool:
    """Return whether the first line is one that only these tools write."""
    line = first_line(head)
    typed = TYPED.fullmatch(line)
    return (
        (typed is not None and typed[1].lower() in KINDS)
        or FRAME.fullmatch(line) is not None
        or line.startswith(",".join(TABLE))
        or re.match(r'\["[0-9a-fA-F]{64},|\{"\d+": ?\{"(quality|hash|timestamp)"', line)
        is not None
    )


def read(file: BinaryIO, *, wide: Wide = Wide.PDQ) -> Iterator[Entry | BadEntry]:
    """Yield an entry for each line, and one for each run of vPDQ frames.

    A frame whose number is not above the one before begins another video. Frames below quality
    50 are left out.

    Args:
        file: From its first byte.
        wide: What 64 hex digits without a type are.

    Raises:
        ListFormatError: It is in UTF-16 or binary, or holds fetch keys.
    """
    reader = _Reader(wide)
    for number, line in lines(file):
        if number == 1 and line is not None and "\0" in line:
            raise ListFormatError("The list is no text; see --format for what can be read.")
        yield from reader.line(number, line)
    yield from reader.end()


class _Reader:
    """Lines on their way, the frames of one video gathered."""

    def __init__(self, wide: Wide) -> None:
        self._wide = wide
        self._table: dict[str, int] | None = None
        self._frames: list[str] = []
        self._first = 0
        self._last = -1

    def line(self, number: int, line: str | None) -> Iterator[Entry | BadEntry]:
        frame = FRAME.fullmatch(line.strip()) if line is not None else None
        if frame is None or int(frame[1]) <= self._last:
            yield from self.end()
        try:
            if line is None:
                raise BadValue("the line is too long")
            if frame is not None:
                self._frame(number, frame)
            else:
                entry = self._entry(line.strip())
                if entry is not None:
                    yield entry
        except BadValue as bad:
            yield BadEntry(line=number, reason=str(bad))

    def end(self) -> Iterator[Entry | BadEntry]:
        """Yield the video that its last line ended."""
        if self._last >= 0:
            if self._frames:
                yield entry_of({"vpdq": " ".join(self._frames)})
            else:
                yield BadEntry(line=self._first, reason=_NO_FRAME)
        self._frames, self._last = [], -1

    def _frame(self, number: int, frame: re.Match[str]) -> None:
        if self._last < 0:
            self._first = number
        self._last = int(frame[1])
        kept = _frame(frame[3], int(frame[2]))
        if kept is not None and len(self._frames) >= VPDQ_PER_ENTRY:
            raise BadValue(f"the video has more than {VPDQ_PER_ENTRY} frames")
        self._frames.extend(kept or ())

    def _entry(self, line: str) -> Entry | None:
        if not line or line.startswith("#"):
            return None
        if line.startswith(",".join(TABLE)):
            self._table = {name: at for at, name in enumerate(cells(line, ","))}
            return None
        if self._table is not None:
            return _row(cells(line, ","), self._table)
        if line.startswith(("[", "{")):
            return _video(line)
        typed = TYPED.fullmatch(line)
        if typed is not None and not DIGITS.match(line):
            return _typed(typed[1], typed[2])
        return _bare(line, self._wide)


_NO_FRAME = f"the video has no frame of quality {QUALITY} or more"


def _row(row: list[str], table: dict[str, int]) -> Entry:
    held = {name: row[at] for name, at in table.items() if at < len(row)}
    if held.get("category") == NEGATIVE:
        raise BadValue("its members say that it does not belong here")
    return _typed(held.get(TABLE[0], ""), held.get(TABLE[1], ""))


def _typed(word: str, value: str) -> Entry:
    kind = KINDS.get(word.lower())
    if kind is None:
        raise BadValue("its type is none of pdq, vpdq, md5, sha1, sha256, photodna")
    if kind == "vpdq":
        return _video(value)
    return entry_of({kind: value.split(maxsplit=1)[0] if value.strip() else ""})


def _bare(line: str, wide: Wide) -> Entry:
    digits = DIGITS.match(line)
    kind = {32: "md5", 40: "sha1", 64: wide.value}.get(len(digits[0])) if digits else None
    if digits is None or kind is None:
        raise BadValue("the line has no hash of 32, 40 or 64 hex digits, alone or after a type")
    return entry_of({kind: digits[0]})


def _video(text: str) -> Entry:
    """Return the entry of one video in JSON: a list of texts, or an object by frame number."""
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
        frames = list(_compact(value) if isinstance(value, list) else _by_number(value))
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        raise BadValue("the frames of a video are not as vPDQ writes them") from None
    kept = [one for hash_, quality in frames for one in _frame(hash_, quality) or ()]
    if not kept:
        raise BadValue(_NO_FRAME)
    return entry_of({"vpdq": " ".join(kept)})


def _compact(frames: list[str]) -> Iterator[tuple[str, int]]:
    for frame in frames:
        hash_, quality, _ = frame.split(",")
        yield hash_, int(quality)


def _by_number(frames: dict[str, dict[str, object]]) -> Iterator[tuple[str, int]]:
    for _, frame in sorted(frames.items(), key=lambda one: int(one[0])):
        hash_, quality = frame["hash"], frame["quality"]
        if not isinstance(hash_, str) or not isinstance(quality, int):
            raise TypeError
        yield hash_, quality


def _frame(hash_: str, quality: int) -> tuple[str] | None:
    """Return the hash of a frame; None where it is of too little quality to compare."""
    from_hex("vpdq", hash_)
    if not 0 <= quality <= 100:
        raise BadValue("the quality of a frame is not from 0 to 100")
    return (hash_,) if quality >= QUALITY else None
