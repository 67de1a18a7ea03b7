"""The first pages: what the document is, what it stands on, what it says in short; pure."""

from collections.abc import Iterator
from datetime import timedelta

from protech.evidence.report import (
    Block,
    Cell,
    Code,
    Column,
    Contents,
    Facts,
    Heading,
    Notice,
    Points,
    Row,
    Several,
    Strong,
    Table,
)
from protech.locate.adapter import Level
from protech.locate.proposal import SEPARATION
from protech.locate.report.case import Run
from protech.locate.report.fields import Fields
from protech.locate.report.material import Material
from protech.locate.report.words import Words

CAUTIONS = 9
"""How many sentences ``caution_1`` and following there are."""

LEAST_HOURS = SEPARATION // timedelta(hours=1)
"""Between two level 4 sightings before a subscriber request may be drafted."""


def front(material: Material, words: Words) -> Iterator[Block]:
    """Yield the cover."""
    if material.case.is_lab:
        yield Notice(
            title=words.say("lab_title"), paragraphs=(words.say("lab_text"),), is_warning=True
        )
    yield Facts(rows=tuple(_basis(material, words)))
    yield Notice(
        title=words.say("what_title"), paragraphs=(words.say("what_1"), words.say("what_2"))
    )
    yield Contents(title=words.say("contents"))


def in_short(material: Material, words: Words) -> Iterator[Block]:
    """Yield the findings in a few sentences."""
    case = material.case
    delivered, claimed = material.reached(Level.DELIVERED), material.reached(Level.CLAIMS)
    proposed = [peer for peer in material.peers if peer.proposal.is_proposed]
    measured = material.measured
    yield Heading(level=1, text=words.say("short"))
    yield Points(
        items=(
            words.say(
                "short_delivered",
                points=words.number(len(delivered)),
                sightings=words.number(material.conversations(Level.DELIVERED)),
            ),
            words.say(
                "short_claimed",
                points=words.number(len(claimed)),
                sightings=words.number(material.conversations(Level.CLAIMS)),
            ),
            words.say("short_below", sightings=words.number(sum(case.below.values()))),
            words.say(
                "short_outside",
                **{
                    name: words.number(case.counts.get(name, 0))
                    for name in ("outside", "not_covered", "left_alone")
                },
            ),
            words.say("short_proposed", hours=LEAST_HOURS, points=words.number(len(proposed))),
            words.say(
                "short_self_test",
                l4=words.rate(measured.get(Level.DELIVERED)),
                l3=words.rate(measured.get(Level.CLAIMS)),
            ),
        )
    )


def levels(material: Material, words: Words) -> Iterator[Block]:
    """Yield what each level shows and does not show, and how often it was reached."""
    columns = (
        Column(title=words.say("level"), width=3),
        Column(title=words.say("shows"), width=7),
        Column(title=words.say("shows_not"), width=7),
        Column(title=words.say("conversations"), is_number=True),
        Column(title=words.say("precision"), width=4),
    )
    rows = []
    for level in sorted(Level, reverse=True):
        is_named = level >= Level.CLAIMS
        precision = material.measured.get(level)
        rows.append(
            (
                Strong(text=words.say(f"l{level.value}")),
                words.say(f"l{level.value}_shows"),
                words.say(f"l{level.value}_not"),
                words.number(material.conversations(level)),
                words.rate(precision) if is_named else words.say("counted_only"),
            )
        )
    yield Heading(level=1, text=words.say("levels"))
    yield Notice(title="", paragraphs=(words.say("levels_text"),))
    yield Table(columns=columns, rows=tuple(rows))


def cautions(words: Words) -> Iterator[Block]:
    """Yield what holds against every finding."""
    yield Heading(level=1, text=words.say("cautions"))
    yield Points(items=tuple(words.say(f"caution_{n}") for n in range(1, CAUTIONS + 1)))


def basis(material: Material, words: Words) -> Iterator[Block]:
    """Yield each run's authorisation, list, build and addresses in full."""
    yield Heading(level=1, text=words.say("runs"))
    for number, run in enumerate(material.case.runs, start=1):
        title = words.say("run", number=number, at=words.moment(run.at), index=run.index)
        yield Heading(level=2, text=title)
        yield Facts(rows=tuple(_run_rows(run, words)))


def _basis(material: Material, words: Words) -> Iterator[Row]:
    case = material.case
    run = case.runs[-1]
    yield words.say("case"), Strong(text=case.name)
    yield from _authorisation(run.authorisation, words)
    yield words.say("list"), _list(run, words)
    yield words.say("build"), _build(run, words)
    yield (
        words.say("period"),
        Several(
            parts=(
                words.moment(case.first_at, thousandths=False),
                words.moment(case.last_at, thousandths=False),
            )
        ),
    )
    yield words.say("records"), words.number(case.records)
    yield words.say("made_at"), words.moment(material.at, thousandths=False)


def _run_rows(run: Run, words: Words) -> Iterator[Row]:
    yield from _authorisation(run.authorisation, words)
    yield words.say("authorisation_sha256"), Code(text=run.authorisation_sha256.hex())
    yield words.say("timestamp_sha256"), Code(text=run.timestamp_sha256.hex())
    yield words.say("list"), _list(run, words)
    yield words.say("list_sha256"), Code(text=run.listed.sha256.hex())
    yield words.say("tree_root"), Code(text=run.listed.tree_root.hex())
    yield words.say("build"), _build(run, words)
    if run.source_addresses:
        ours = tuple(Code(text=one) for one in run.source_addresses)
        yield words.say("sources_ours"), Several(parts=ours)


def _authorisation(document: Fields, words: Words) -> Iterator[Row]:
    """Yield the fields of an authorisation that have a word, in the order of the words."""
    for name in (name for name in words.sentences if name.startswith("auth_")):
        value = document.values.get(name.removeprefix("auth_"))
        if name != "auth_case" and (shown := _plain(value, words)):
            yield words.say(name), shown


def _plain(value: object, words: Words) -> Cell | None:
    """Return a value of a document for people; an operator by the name it has there."""
    if isinstance(value, str) and value:
        return words.when(value)
    if isinstance(value, list | tuple):
        parts = [one.get("name") if isinstance(one, dict) else one for one in value]
        return ", ".join(words.named("value", str(one)) for one in parts if one) or None
    return None


def _list(run: Run, words: Words) -> str:
    listed = run.listed
    return words.say(
        "list_value",
        name=listed.name,
        version=listed.version,
        issuer=listed.issuer or words.say("unknown"),
        keys=words.number(listed.keys),
    )


def _build(run: Run, words: Words) -> str:
    commit = run.build_commit or words.say("commit_unknown")
    return words.say("build_value", version=run.build_version, commit=commit)
