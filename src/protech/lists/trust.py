"""What a target of a list must say before it counts; no disk, clock, process or network.

TUF (python-tuf) checks signatures, versions, expiry and hashes. This is what is ours on top:
what a target may be, what it may be used for, and which of the targets on offer bring a device
to the newest version. Who must sign stands in ``lists.root``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from protech.errors import TrustError
from protech.lists.entries import Category, LegalClass, Use
from protech.lists.fields import Fields

FORMAT_VERSION = 1

CUSTOM = "protech"
"""The key of a target's ``custom`` that holds what is ours."""

CATEGORIES = frozenset({Category.CSAM, Category.KNOWN_GOOD})
"""Nothing else is ever published: own lists stay where they were made."""

LARGEST_LIST_BYTES = 1 << 40

NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
"""A list or an authority. Without a dot, so that no delegation reaches into another's names."""


class TargetKind(StrEnum):
    """What a target holds once it is decrypted."""

    FULL = "full"
    DELTA = "delta"
    EXCEPTIONS = "exceptions"
    """Entries that named lists silence, each with its reason and author."""
    FETCH_KEYS = "fetch_keys"
    """Network identifiers for ``locate``; nothing else loads them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTarget:
    """One target of a list: a whole version, or the step to it from version ``base``.

    ``sha256``, ``size_bytes`` and ``entries`` are of the plain list that results.
    """

    name: str
    version: int
    kind: TargetKind
    base: int | None = None
    sha256: bytes = field(repr=False)
    size_bytes: int
    entries: int
    category: Category
    uses: frozenset[Use]
    issuer: str
    legal_basis: str
    legal_class: LegalClass | None = None
    quality_floor: int | None = None
    is_sealed: bool = False
    expires_at: datetime | None = None
    others: Mapping[str, object] = field(default_factory=dict, repr=False)

    @property
    def path(self) -> str:
        """The name that TUF knows it by."""
        if self.kind is TargetKind.DELTA:
            return f"{self.name}.{self.base}-{self.version}.delta.age"
        kind = "list" if self.kind is TargetKind.FULL else self.kind.value
        return f"{self.name}.{self.version}.{kind}.age"


def custom_of(target: ListTarget) -> dict[str, object]:
    """Return the ``custom`` of a target as it is signed."""
    expires_at = target.expires_at
    return {
        CUSTOM: {
            **target.others,
            "v": FORMAT_VERSION,
            "list": target.name,
            "version": target.version,
            "kind": target.kind.value,
            "base": target.base,
            "sha256": target.sha256.hex(),
            "size_bytes": target.size_bytes,
            "entries": target.entries,
            "category": target.category.value,
            "legal_class": target.legal_class and target.legal_class.value,
            "uses": sorted(target.uses),
            "issuer": target.issuer,
            "legal_basis": target.legal_basis,
            "quality_floor": target.quality_floor,
            "sealed": target.is_sealed,
            "expires_at": expires_at and expires_at.astimezone(UTC).isoformat(),
        }
    }


def parse_target(custom: object, *, path: str | None = None) -> ListTarget:
    """Return what a target's ``custom`` says, which must agree with its ``path`` when given.

    Raises:
        TrustError: It says too little, or what no list of an authority may say.
    """
    fields = Fields(custom.get(CUSTOM) if isinstance(custom, Mapping) else None, "A target")
    fields.version(FORMAT_VERSION)
    has = fields.has
    target = ListTarget(
        name=fields.text("list", longest=200),
        version=fields.number("version", least=1),
        kind=fields.choice("kind", TargetKind),
        base=fields.number("base", least=1) if has("base") else None,
        sha256=fields.digest("sha256"),
        size_bytes=fields.number("size_bytes", most=LARGEST_LIST_BYTES),
        entries=fields.number("entries"),
        category=fields.choice("category", Category),
        uses=fields.choices("uses", Use),
        issuer=fields.text("issuer", longest=200),
        legal_basis=fields.text("legal_basis", longest=500),
        legal_class=fields.choice("legal_class", LegalClass) if has("legal_class") else None,
        quality_floor=fields.number("quality_floor", most=100)
        if has("quality_floor")
        else None,
        is_sealed=fields.flag("sealed"),
        expires_at=fields.moment("expires_at") if has("expires_at") else None,
        others=fields.left(),
    )
    check_target(target)
    if path is not None and path != target.path:
        raise TrustError(
            f"A target of the list {target.name} stands under another name than its own: the"
            " repository was mixed up. Tell its operator."
        )
    return target


def check_target(target: ListTarget) -> None:
    """Check that a target is one that an authority may publish.

    Raises:
        TrustError: Its name, category, uses or base are not what its kind allows.
    """
    if wrong := _fault(target):
        raise TrustError(f"The list {target.name!r} cannot be used: {wrong}. Tell its issuer.")


def _fault(target: ListTarget) -> str | None:
    if NAME.fullmatch(target.name) is None:
        return "its name is not made of a to z, 0 to 9 and inner hyphens, 64 at most"
    if target.category not in CATEGORIES:
        return f"its category is none of {', '.join(sorted(CATEGORIES))}"
    if not target.uses:
        return "it allows no use"
    if (target.kind is TargetKind.DELTA) != (target.base is not None):
        return "a delta names the version that it starts from, and nothing else does"
    if target.base is not None and target.base >= target.version:
        return "a delta leads to a later version than it starts from"
    return _use_fault(target)


def _use_fault(target: ListTarget) -> str | None:
    is_located = Use.LOCATE in target.uses
    if target.kind is TargetKind.FETCH_KEYS and target.uses != {Use.LOCATE}:
        return "fetch keys are for locate, and for nothing else"
    if target.kind is not TargetKind.FETCH_KEYS and is_located:
        return "only fetch keys are for locate"
    if target.kind is TargetKind.EXCEPTIONS and Use.GUARD in target.uses:
        return "exceptions are for operators and examiners, never for a guarded person"
    return None


def check_use(target: ListTarget, use: Use) -> None:
    """Check that a list may be used so.

    Raises:
        TrustError: Its authority does not allow this use.
    """
    if use not in target.uses:
        raise TrustError(
            f"The list {target.name} is for {', '.join(sorted(target.uses))}, not for {use};"
            " leave it out, or ask its authority for one that allows this use."
        )


def newest(targets: Iterable[ListTarget]) -> ListTarget | None:
    """Return the newest whole version of one list on offer; None where there is none.

    Raises:
        TrustError: They are of different lists, or two that say they are one version differ.
    """
    offered = list(targets)
    if len({target.name for target in offered}) > 1:
        raise ValueError("targets of different lists")
    whole = [target for target in offered if target.kind is not TargetKind.DELTA]
    best = max(whole, key=lambda target: target.version, default=None)
    if best is None:
        return None
    for target in offered:
        if target.version > best.version:
            raise TrustError(
                f"The list {best.name} has a delta to a version that is not there whole; its"
                " authority must publish it again."
            )
        if target.version == best.version and _result(target) != _result(best):
            raise TrustError(
                f"Two targets of the list {best.name} differ in what version {best.version} is;"
                " its authority must publish it again."
            )
    return best


def _result(target: ListTarget) -> tuple[object, ...]:
    return (
        target.sha256,
        target.size_bytes,
        target.entries,
        target.category,
        target.uses,
        target.issuer,
        target.legal_basis,
        target.legal_class,
        target.quality_floor,
        target.is_sealed,
        target.expires_at,
    )


def plan(have: int | None, targets: Sequence[ListTarget]) -> ListTarget | list[ListTarget]:
    """Return what to take for the newest version: the fewest deltas in order, or all of it.

    Nothing, where ``have`` is the newest version already.

    Args:
        have: The version at hand; None where there is none.
        targets: All that are on offer of one list.

    Raises:
        TrustError: No whole version is on offer, only older ones, or ones that contradict.
    """
    goal = newest(targets)
    if goal is None:
        raise TrustError("The list is not on offer any more; keep what there is, and ask why.")
    if have is None:
        return goal
    if have > goal.version:
        raise TrustError(
            f"The list {goal.name} is on offer in version {goal.version} only, and version"
            f" {have} is here: someone serves an old state. Tell its authority."
        )
    chain = _chain(have, goal.version, targets)
    return goal if chain is None else chain


def _chain(have: int, goal: int, targets: Sequence[ListTarget]) -> list[ListTarget] | None:
    """Return the fewest deltas from one version to another; None where they do not meet."""
    reached: dict[int, list[ListTarget]] = {have: []}
    deltas = [target for target in targets if target.kind is TargetKind.DELTA]
    for delta in sorted(deltas, key=lambda target: (target.version, target.base or 0)):
        before = reached.get(delta.base or 0)
        known = reached.get(delta.version)
        if before is not None and (known is None or len(before) + 1 < len(known)):
            reached[delta.version] = [*before, delta]
    return reached.get(goal)
