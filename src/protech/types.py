"""The values that travel between the parts: Media, Findings, Verdict."""

from dataclasses import dataclass, field
from enum import StrEnum


class Decision(StrEnum):
    """What is done with an item, mildest first."""

    ALLOW = "allow"
    REVIEW = "review"
    BLOCK = "block"

    @property
    def severity(self) -> int:
        """Rank for comparing decisions: 0 allow, 1 review, 2 block."""
        return _SEVERITY[self]


_SEVERITY = {Decision.ALLOW: 0, Decision.REVIEW: 1, Decision.BLOCK: 2}


class Reason(StrEnum):
    """Why a decision was taken; the words are those of the policy table."""

    NONE = "none"
    KNOWN_GOOD = "known_good"
    KNOWN = "known"
    RESEMBLES = "resembles"
    CLASSIFIED = "classified"
    ADULT_FILTER = "adult_filter"
    UNSURE = "unsure"
    LISTED_ADDRESS = "listed_address"
    UNSCANNABLE = "unscannable"


class Kind(StrEnum):
    """The family of a media type."""

    IMAGE = "image"
    VIDEO = "video"
    ARCHIVE = "archive"
    DOCUMENT = "document"
    OTHER = "other"


class Unscannable(StrEnum):
    """Why an item could not be judged; always a result, never an error."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    UNKNOWN_TYPE = "unknown_type"
    CORRUPT = "corrupt"
    CRASHED = "crashed"
    TIMED_OUT = "timed_out"
    ENCRYPTED = "encrypted"
    UNREADABLE = "unreadable"
    CHANGED = "changed"


class MatchKind(StrEnum):
    """Which identifier of an entry was met."""

    SHA256 = "sha256"
    SHA1 = "sha1"
    MD5 = "md5"
    PDQ = "pdq"
    VPDQ = "vpdq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds that hostile media meets; one unit beyond any of them is ``Unscannable``."""

    size_bytes: int = 512 * 1024 * 1024
    pixels: int = 178_956_970
    """Width x height of one frame, as declared by the header; Pillow's own bomb bound."""
    frames: int = 10_000
    """Frames that an animation may declare."""
    sampled_frames: int = 128
    """Frames of an animation that are hashed, the first and the last among them."""
    scored_frames: int = 16
    """Frames of these that the models look at, the first and the last among them."""
    seconds: float = 10.0
    """Wall time that one item may take in a worker; a video has ``video_seconds``."""
    video_frames: int = 36_000
    """Frames of a video that are hashed; ten hours at one a second."""
    video_seconds: float = 1800.0
    """Wall time that one video may take in a worker: about four hours of 1080p."""
    video_bytes: int = 64 * 1024 * 1024 * 1024
    """A video is read piece by piece, so it may be larger than a picture."""
    memory_bytes: int = 3 * 1024 * 1024 * 1024
    """Address space that a worker may grow to beyond what it holds once it is warm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """One item to judge: its bytes, or a readable file descriptor that the caller keeps open.

    ``claims`` is what the item says or is used as (an ``<img>``, a name ending in .jpg); it
    never chooses the decoder, it only makes an unknown type ``Unscannable``, not ``other``.
    """

    content: bytes | memoryview | None = field(default=None, repr=False)
    descriptor: int | None = None
    size_bytes: int
    claims: Kind | None = None

    def __post_init__(self) -> None:
        """Refuse an item with no source or with two."""
        if (self.content is None) == (self.descriptor is None):
            raise ValueError("Media takes either content or a descriptor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """The three cryptographic digests of one item, raw bytes."""

    md5: bytes = field(repr=False)
    sha1: bytes = field(repr=False)
    sha256: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PdqHash:
    """A 256-bit PDQ hash: 32 bytes in the order of its printed hex, and quality in [0, 100]."""

    bits: bytes = field(repr=False)
    quality: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person seen in a frame.

    ``apparent_minor`` rises with youth, in [0, 1]; None where the age cannot be judged.
    """

    apparent_minor: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What the models said of one frame; ``explicit`` in [0, 1], None where no model ran."""

    explicit: float | None = None
    persons: tuple[Person, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One judged frame: every PDQ form of it (as stored, as displayed) and its scores.

    ``track`` counts the video streams of a file from 0; a picture has but the one.
    """

    track: int = 0
    hashes: tuple[PdqHash, ...] = ()
    scores: Scores | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a sandboxed worker answers: sizes, hashes and scores, never pixels.

    ``width_px`` and ``height_px`` are as displayed (after EXIF orientation), None if not known.
    ``is_scaled`` says that the hashes are of a picture decoded at a smaller scale, a few bits
    from those of all its pixels.
    """

    unscannable: Unscannable | None = None
    width_px: int | None = None
    height_px: int | None = None
    frames: tuple[Frame, ...] = ()
    is_scaled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRef:
    """A known list as verdicts name it; ``version`` counts up, ``stale`` once expired."""

    name: str
    version: int
    stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One entry of one list that the item met.

    ``entry`` is the entry's own label, printed only for own lists; ``is_known_good`` marks a
    list of harmless files. Distances are in bits of 256, percentages in [0, 100].
    """

    source: ListRef
    kind: MatchKind
    entry: str | None = field(default=None, repr=False)
    distance_bits: int | None = None
    quality: int | None = None
    query_percent: float | None = None
    known_percent: float | None = None
    is_known_good: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All that was measured of one item; enough to decide it again without the media.

    ``lists`` are those consulted, ``models`` pairs of task and model id that could have run.
    ``excepted`` are matches that a signed exception list took away before the decision.
    """

    kind: Kind
    size_bytes: int | None = None
    digests: Digests | None = None
    width_px: int | None = None
    height_px: int | None = None
    frames: tuple[Frame, ...] = ()
    matches: tuple[Match, ...] = ()
    excepted: tuple[Match, ...] = ()
    is_listed_address: bool = False
    unscannable: Unscannable | None = None
    lists: tuple[ListRef, ...] = ()
    models: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """Thresholds of a model card under one name; DESIGN section 4 calls them t1 and t2.

    A person is clearly adult when ``apparent_minor <= clearly_adult``.
    """

    name: str
    explicit: float
    apparent_minor: float
    clearly_adult: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was decided, by which rule of which policy, and the findings it rests on."""

    decision: Decision
    reason: Reason
    rule: int
    policy: str
    findings: Findings

    @property
    def is_stale(self) -> bool:
        """Whether a list that was consulted has expired."""
        return any(source.stale for source in self.findings.lists)
