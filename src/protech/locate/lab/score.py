"""How often sightings are right, and how many holders are found: by level and by transport.

What is counted is a peer and a key of the list, at the highest level that it reached.

Up to level 3 a sighting is right where the peer then held a piece that lies wholly in the
listed file and proves something. At level 4 it is right where a true piece was delivered from
that address and port, which is all that level 4 says: a relay that holds nothing delivers, too.
How many of the proofs came from relays is counted by itself.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from protech.locate.adapter import Level, Sighting, Target
from protech.locate.lab.intervals import clopper_pearson, upper_bound, wilson
from protech.locate.lab.truth import Fact, Truth

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one sighting says. ``piece`` is that of its proof."""

    address: str = field(repr=False)
    port: int = field(repr=False)
    number: int
    level: Level
    transport: str | None = None
    piece: int | None = None

    @property
    def place(self) -> tuple[str, int, int]:
        """Address, port and number of the key."""
        return self.address, self.port, self.number


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So many of so many."""

    hits: int = 0
    of: int = 0

    def __add__(self, other: "Share") -> "Share":
        """Return both together."""
        return Share(hits=self.hits + other.hits, of=self.of + other.of)

    @property
    def value(self) -> float | None:
        """The share; None of nothing."""
        return self.hits / self.of if self.of else None

    @property
    def fields(self) -> dict[str, object]:
        """With its intervals, as JSON: Wilson's, the exact one, and the bound of the error."""
        if not self.of:
            return {"hits": 0, "of": 0}
        return {
            "hits": self.hits,
            "of": self.of,
            "share": self.value,
            "wilson_95": list(wilson(self.hits, self.of)),
            "exact_95": list(clopper_pearson(self.hits, self.of)),
            "error_at_most_95": upper_bound(self.of - self.hits, self.of),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Counts of one run or of several: they add up.

    Keys are ``"4"`` for a level, and ``"4/utp"`` for a level and transport. Recall is grouped
    by what the holder is, for which see ``plan.Kind``.
    """

    precision: Mapping[str, Share]
    recall: Mapping[str, Share]
    proofs: Share
    relayed: int
    mistakes: Mapping[str, int]
    """By level and kind of peer: how often a sighting at least that high was wrong."""

    def __add__(self, other: "Score") -> "Score":
        """Return both runs together."""
        return Score(
            precision=_together(self.precision, other.precision),
            recall=_together(self.recall, other.recall),
            proofs=self.proofs + other.proofs,
            relayed=self.relayed + other.relayed,
            mistakes=dict(Counter(self.mistakes) + Counter(other.mistakes)),
        )

    @property
    def fields(self) -> dict[str, object]:
        """The score as JSON."""
        return {
            "v": FORMAT_VERSION,
            "precision": {key: one.fields for key, one in sorted(self.precision.items())},
            "recall": {key: one.fields for key, one in sorted(self.recall.items())},
            "proofs": self.proofs.fields,
            "relayed": self.relayed,
            "mistakes": dict(sorted(self.mistakes.items())),
        }


def read_score(fields: Mapping[str, Any]) -> Score:
    """Return the score in what ``Score.fields`` gives."""
    return Score(
        precision={key: _share(one) for key, one in fields["precision"].items()},
        recall={key: _share(one) for key, one in fields["recall"].items()},
        proofs=_share(fields["proofs"]),
        relayed=fields["relayed"],
        mistakes=fields["mistakes"],
    )


def seen_by(sighting: Sighting, target: Target) -> Seen:
    """Return what a sighting says, for the score."""
    return Seen(
        address=str(sighting.peer.address),
        port=sighting.peer.port,
        number=target.number,
        level=sighting.level,
        transport=sighting.transport,
        piece=sighting.proof.piece if sighting.proof else None,
    )


def seen_in(record: Mapping[str, Any]) -> Seen | None:
    """Return what a record of the log says; None where it names no address (below level 3)."""
    if record.get("kind") != "sighting" or "address" not in record["peer"]:
        return None
    return Seen(
        address=record["peer"]["address"],
        port=record["peer"]["port"],
        number=record["number"],
        level=Level(record["level"]),
        transport=record["transport"],
        piece=record["proof"]["piece"] if record["proof"] else None,
    )


def score(sightings: Iterable[Seen], truth: Truth) -> Score:
    """Return how right the sightings of one run are, and what they missed."""
    sightings = tuple(sightings)
    facts = truth.by_place
    best: dict[tuple[str, int, int], Seen] = {}
    for one in sightings:
        if one.place not in best or one.level > best[one.place].level:
            best[one.place] = one
    proofs = [one for one in sightings if one.level is Level.DELIVERED]
    return Score(
        precision=_precision(best.values(), facts),
        recall=_recall(best, facts.values()),
        proofs=Share(hits=sum(is_right(one, facts) for one in proofs), of=len(proofs)),
        relayed=sum(_is_relayed(facts.get(one.place)) for one in proofs),
        mistakes=_mistakes(best.values(), facts),
    )


def is_right(
    one: Seen, facts: Mapping[tuple[str, int, int], Fact], level: Level | None = None
) -> bool:
    """Return whether what a sighting says at a level, by default its own, is so."""
    fact = facts.get(one.place)
    if fact is None:
        return False
    if (one.level if level is None else level) < Level.DELIVERED:
        return fact.holds
    return fact.delivers and (not fact.holds or one.piece in fact.pieces)


def _is_relayed(fact: Fact | None) -> bool:
    return fact is not None and fact.delivers and not fact.holds


def _precision(
    best: Iterable[Seen], facts: Mapping[tuple[str, int, int], Fact]
) -> dict[str, Share]:
    found: dict[str, Share] = {}
    for one in best:
        for level in Level:
            if one.level < level:
                continue
            here = Share(hits=is_right(one, facts, level), of=1)
            keys = [str(int(level))]
            if one.transport is not None and level >= Level.CLAIMS:
                keys.append(f"{int(level)}/{one.transport}")
            for key in keys:
                found[key] = found.get(key, Share()) + here
    return found


def _recall(
    best: Mapping[tuple[str, int, int], Seen], facts: Iterable[Fact]
) -> dict[str, Share]:
    found: dict[str, Share] = {}
    for fact in facts:
        if not fact.holds:
            continue
        seen = best.get(fact.place)
        for level in Level:
            here = Share(hits=seen is not None and seen.level >= level, of=1)
            for key in (str(int(level)), f"{int(level)}/{fact.group}"):
                found[key] = found.get(key, Share()) + here
    return found


def _mistakes(
    best: Iterable[Seen], facts: Mapping[tuple[str, int, int], Fact]
) -> dict[str, int]:
    found: Counter[str] = Counter()
    for one in best:
        fact = facts.get(one.place)
        for level in Level:
            if one.level >= level and not is_right(one, facts, level):
                found[f"{int(level)}/{fact.kind if fact else 'unknown'}"] += 1
    return dict(found)


def _together(one: Mapping[str, Share], other: Mapping[str, Share]) -> dict[str, Share]:
    return {key: one.get(key, Share()) + other.get(key, Share()) for key in {*one, *other}}


def _share(fields: Mapping[str, Any]) -> Share:
    return Share(hits=fields["hits"], of=fields["of"])
