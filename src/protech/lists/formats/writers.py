"""Lists in the formats of others: VICS 2.0, CSV, and the lines of ThreatExchange and HMA.

Only one's own lists are exported, and lists of an authority that say ``"export": true`` in
their header. There is no writer of fetch keys here (``lists.fetch_keys``).
"""

import base64
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

from protech.errors import TrustError
from protech.lists.entries import DIGESTS, Category, Entry, ListHeader, Use
from protech.lists.formats.hma import QUALITY
from protech.lists.formats.tables import quoted

EXPORT = "export"
"""The key of a header that lets its list leave in other formats; only ``true`` does."""

VICS_CONTEXT = (
    "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/Default/$metadata#Media"
)

COLUMNS = ("label", *DIGESTS, "pdq", "vpdq", "photodna")


class Export(StrEnum):
    """The formats that a list is written in."""

    VICS = "vics"
    CSV = "csv"
    HMA = "hma"


def check_exportable(header: ListHeader) -> None:
    """See to it that a list may leave in another format.

    Raises:
        TrustError: It is an authority's, and does not say so; or it is for locate alone.
    """
    is_allowed = header.category is Category.OWN or header.others.get(EXPORT) is True
    if header.uses == {Use.LOCATE} or not is_allowed:
        raise TrustError(
            f"The known list '{header.name}' is not exported: only your own lists are, and"
            f" those whose authority wrote '\"{EXPORT}\": true' into the header."
        )


def write(format_: Export, header: ListHeader, entries: Iterable[Entry], out: BinaryIO) -> int:
    """Write a list and return how many entries it has; memory does not grow with them.

    Args:
        format_: VICS keeps all but the frames of videos, CSV keeps all, HMA all but labels and
            which identifiers belong together.
        header: Of the list; says whether it may be written at all.
        entries: What it holds; their ``others`` are left out.
        out: Written from where it stands.

    Raises:
        TrustError: The list may not leave; nothing was written.
        TypeError: Something else than an entry stands among them.
    """
    check_exportable(header)
    form = _FORMS[format_]
    out.write(form.head.encode())
    number = 0
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, Entry):
            raise TypeError("only entries of a list of digests are exported")
        text = (form.between if number > 1 else "") + form.text_of(number, entry)
        # A lone surrogate stands for a byte of a name that was not UTF-8.
        out.write(text.encode(errors="replace"))
    out.write(form.tail.encode())
    return number


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """A format: what stands before, between and after the texts of entries."""

    text_of: Callable[[int, Entry], str]
    head: str = ""
    between: str = ""
    tail: str = ""


def _vics(number: int, entry: Entry) -> str:
    """Return an entry as VICS has it; Category 0 is "uncategorized"."""
    media: dict[str, object] = {"MediaID": number, "Category": 0}
    if entry.md5 is not None:
        media["MD5"] = entry.md5.hex().upper()
    if entry.sha1 is not None:
        media["SHA1"] = entry.sha1.hex().upper()
    if entry.photodna is not None:
        media["PhotoDNA"] = base64.b64encode(entry.photodna).decode()
    others = [("SHA256", entry.sha256)] if entry.sha256 is not None else []
    others += [("PDQ", hash_) for hash_ in entry.pdq]
    if others:
        media["AlternativeHashes"] = [
            {"HashName": name, "HashValue": raw.hex()} for name, raw in others
        ]
    if entry.label is not None:
        media["MediaFiles"] = [{"FileName": entry.label}]
    return json.dumps(media, ensure_ascii=False, separators=(",", ":"))


def _csv(_: int, entry: Entry) -> str:
    raw = (entry.md5, entry.sha1, entry.sha256)
    hashes = (" ".join(one.hex() for one in several) for several in (entry.pdq, entry.vpdq))
    cells = [
        quoted(entry.label or ""),
        *(one.hex() if one is not None else "" for one in raw),
        *hashes,
        entry.photodna.hex() if entry.photodna is not None else "",
    ]
    return ",".join(cells) + "\r\n"


def _hma(_: int, entry: Entry) -> str:
    """Return a line for each identifier, its type before it as ``threatexchange`` names it."""
    video = "video_" if entry.vpdq else ""
    lines = [f"pdq {hash_.hex()}" for hash_ in entry.pdq]
    if entry.vpdq:
        # Quality and time were not kept: the least that is compared, and the frame's place.
        frames = [f"{hash_.hex()},{QUALITY},{at}.0" for at, hash_ in enumerate(entry.vpdq)]
        lines.append(f"vpdq {json.dumps(frames, separators=(',', ':'))}")
    single = {
        f"{video}md5": entry.md5,
        "sha1": entry.sha1,
        f"{video}sha256": entry.sha256,
        "photodna": entry.photodna,
    }
    lines += [f"{name} {raw.hex()}" for name, raw in single.items() if raw is not None]
    return "".join(f"{line}\n" for line in lines)


_FORMS = {
    Export.VICS: _Form(
        text_of=_vics,
        head=f'{{"@odata.context":"{VICS_CONTEXT}","value":[\n',
        between=",\n",
        tail="\n]}\n",
    ),
    Export.CSV: _Form(text_of=_csv, head=",".join(COLUMNS) + "\r\n"),
    Export.HMA: _Form(text_of=_hma),
}
