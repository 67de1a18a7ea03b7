"""What a known list is made of, whatever file it came in: its header and its entries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

WIDTHS = {"md5": 16, "sha1": 20, "sha256": 32, "pdq": 32, "vpdq": 32, "photodna": 144}
"""Bytes of each identifier."""

DIGESTS = ("md5", "sha1", "sha256")

PDQ_PER_ENTRY = 256
VPDQ_PER_ENTRY = 8192
"""Frames of one video: two hours and a quarter at one a second."""

LABEL_CHARACTERS = 4096
"""The longest path of Linux, PATH_MAX."""


class Use(StrEnum):
    """What a list may be used for; any other use of it is refused."""

    GUARD = "guard"
    TRIAGE = "triage"
    MESSAGING = "messaging"
    LOCATE = "locate"


OWN_USES = frozenset({Use.GUARD, Use.TRIAGE, Use.MESSAGING})
"""An unsigned list is never used to look at other people's traffic."""


class Category(StrEnum):
    """What a list is a list of; there is no other, so that no list can be of anything else."""

    OWN = "own"
    """Made of one's own pictures by ``lists make``; only its labels are ever printed."""
    CSAM = "csam"
    """Files that an authority has judged to be child sexual abuse material."""
    KNOWN_GOOD = "known_good"
    """Files of operating systems and programs, harmless; the only list that never blocks."""


class LegalClass(StrEnum):
    """Under which law the entries of an authority's list are illegal."""

    BASELINE = "baseline"
    """Illegal wherever there is a law: INTERPOL's baseline."""
    NATIONAL = "national"
    """Illegal under the law of the issuer's country."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListHeader:
    """What a list says of itself; ``count`` is of its entries, ``others`` keys unknown here.

    ``quality_floor`` is the least PDQ quality of its perceptual hashes, where the issuer says
    so. ``is_sealed`` asks devices to keep the list encrypted on disk.
    """

    name: str
    version: int
    category: Category
    uses: frozenset[Use]
    created_at: datetime
    expires_at: datetime | None = None
    count: int = 0
    issuer: str | None = None
    legal_basis: str | None = None
    legal_class: LegalClass | None = None
    quality_floor: int | None = None
    is_sealed: bool = False
    others: Mapping[str, object] = field(default_factory=dict, repr=False)

    @property
    def is_known_good(self) -> bool:
        """Whether what it lists is harmless."""
        return self.category is Category.KNOWN_GOOD


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One item of a list: raw digests, and the perceptual hashes of it in all its forms.

    ``pdq`` are of a picture's forms, ``vpdq`` of a video's frames in their order, only those of
    quality 50 and more. ``photodna`` is carried as data; nothing here computes or matches it.
    """

    label: str | None = field(default=None, repr=False)
    md5: bytes | None = field(default=None, repr=False)
    sha1: bytes | None = field(default=None, repr=False)
    sha256: bytes | None = field(default=None, repr=False)
    pdq: tuple[bytes, ...] = field(default=(), repr=False)
    vpdq: tuple[bytes, ...] = field(default=(), repr=False)
    photodna: bytes | None = field(default=None, repr=False)
    others: Mapping[str, object] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BadEntry:
    """A line, counted from 1, that is no entry, and why; it quotes nothing of the line.

    Where the file has no lines, ``line`` is the entry's place in it, counted from 1.
    """

    line: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What came of reading a list: entries kept, lines that are none, the first of them."""

    entries: int
    bad: int
    first_bad: tuple[BadEntry, ...] = ()
