"""The last pages: leave to ask, self-test, databases, log, how to verify, words; pure."""

from collections.abc import Iterator

from protech.evidence.report import (
    Blanks,
    Block,
    Card,
    Code,
    Column,
    Facts,
    Heading,
    Notice,
    Points,
    Row,
    Several,
    Strong,
    Table,
    Text,
    digest,
    lines,
)
from protech.locate.report.case import Database, Request
from protech.locate.report.material import Material, sha256_hex
from protech.locate.report.self_test import Rate, SelfTest
from protech.locate.report.words import Words

STEPS = 6
"""How many sentences ``verify_1`` and following there are."""

NAMED_ENTRIES = 60
"""Of a request; a card stays on one page, and the signed text names them all."""

KEY_CHARACTERS = 60
"""Of the log's key, on a line."""

GLOSSARY = 8
"""How many words ``word_1`` and following are explained."""


def requests(material: Material, words: Words) -> Iterator[Block]:
    """Yield who gave leave to ask for pieces."""
    yield Heading(level=1, text=words.say("requests"))
    yield Text(text=words.say("requests_text"))
    if not material.case.requests:
        yield Text(text=words.say("requests_none"))
        return
    for one in material.case.requests:
        title = words.say("request_title", index=one.index, at=words.moment(one.at))
        yield Card(title=title, pairs=(), wide=tuple(_request(one, words)))


def certificate(material: Material, words: Words) -> Iterator[Block]:
    """Yield what this build got wrong in the laboratory, or that nobody has measured it."""
    yield Heading(level=1, text=words.say("self_test"))
    yield Text(text=words.say("self_test_text"))
    found = material.self_test
    if found is None:
        yield Notice(
            title=words.say("self_test_none_title"),
            paragraphs=(words.say("self_test_none"),),
            is_warning=True,
        )
        return
    if material.unmeasured:
        named = [commit or words.say("commit_unknown") for commit in material.unmeasured]
        made = words.several(named)
        yield Notice(
            title=words.say("self_test_other_title"),
            paragraphs=(words.say("self_test_other", measured=found.commit, made=made),),
            is_warning=True,
        )
    yield from _measured(found, words)


def databases(material: Material, words: Words) -> Iterator[Block]:
    """Yield every database that any run or sighting names."""
    yield Heading(level=1, text=words.say("databases"))
    places = [one.place.databases for one in material.case.seen if one.place is not None]
    given: list[tuple[Database, ...]] = [run.databases for run in material.case.runs]
    found = {one.sha256: one for several in [*given, *places] for one in several}
    if not found:
        yield Text(text=words.say("databases_none"))
        return
    yield Text(text=words.say("databases_text"))
    yield Table(
        columns=(
            Column(title=words.say("database"), width=3),
            Column(title=words.say("dated"), width=2),
            Column(title=words.say("sha256"), width=8),
        ),
        rows=tuple(
            (one.name, one.date, digest(one.sha256))
            for one in sorted(found.values(), key=lambda one: (one.name, one.date))
        ),
        size=8.5,
    )


def log(material: Material, words: Words) -> Iterator[Block]:
    """Yield all checkpoints and stamps, and why runs ended."""
    yield Heading(level=1, text=words.say("log"))
    yield Text(text=words.say("log_text"))
    if material.log_key:
        yield Facts(
            rows=((words.say("log_key"), lines(material.log_key, width=KEY_CHARACTERS)),)
        )
    if material.checkpoints:
        yield _checkpoints(material, words)
    else:
        yield Text(text=words.say("log_none"))
    covered = max((one.size for one in material.checkpoints), default=0)
    if material.checkpoints and covered < material.case.records:
        missing = words.number(material.case.records - covered)
        yield Text(text=words.say("log_uncovered", count=missing))
    if material.case.stops:
        yield Heading(level=2, text=words.say("stops"))
        yield Table(
            columns=(
                Column(title=words.say("stop_at"), width=1),
                Column(title=words.say("stop_reason"), width=2),
            ),
            rows=tuple(
                (words.moment(one.at), words.term("stopped", one.reason))
                for one in material.case.stops
            ),
        )


def verifying(material: Material, words: Words) -> Iterator[Block]:
    """Yield how a stranger checks the report."""
    yield Heading(level=1, text=words.say("verify"))
    yield Points(items=tuple(words.say(f"verify_{n}") for n in range(1, STEPS + 1)))
    files = (("bundle_sha256", material.bundle), ("verifier_sha256", material.verifier))
    rows: list[Row] = [
        (words.say(name), Code(text=sha256_hex(text))) for name, text in files if text
    ]
    for name, digest_hex in sorted(material.packs.items(), key=lambda one: (len(one[0]), one)):
        rows.append((words.say("pack_sha256", name=name), Code(text=digest_hex)))
    if rows:
        yield Facts(rows=tuple(rows))


def glossary(words: Words) -> Iterator[Block]:
    """Yield the words of the field, in plain ones."""
    yield Heading(level=1, text=words.say("words"))
    yield Table(
        columns=(
            Column(title=words.say("word"), width=1),
            Column(title=words.say("meaning"), width=4),
        ),
        rows=tuple(
            (words.say(f"word_{n}"), words.say(f"word_{n}_means"))
            for n in range(1, GLOSSARY + 1)
        ),
    )


def signing(words: Words) -> Iterator[Block]:
    """Yield where an officer signs."""
    yield Heading(level=1, text=words.say("signing"))
    names = ("sign_name", "sign_quality", "sign_place", "sign_signature")
    yield Blanks(text=words.say("signing_text"), names=tuple(words.say(name) for name in names))


def _request(one: Request, words: Words) -> Iterator[Row]:
    entries, pieces = one.terms.get("entries"), one.terms.get("pieces")
    term = [words.when(str(one.terms.get(name, ""))) for name in ("not_before", "not_after")]
    yield words.say("request_by"), Strong(text=words.several(list(one.operators)))
    if entries == "all":
        yield words.say("request_files"), words.say("request_all")
    elif isinstance(entries, list) and len(entries) > NAMED_ENTRIES:
        yield (
            words.say("request_files"),
            words.say("request_many", n=words.number(len(entries))),
        )
    elif isinstance(entries, list):
        yield words.say("request_files"), words.several([str(entry) for entry in entries])
    if pieces is not None:
        yield words.say("request_pieces"), str(pieces)
    if any(term):
        yield words.say("request_term"), " \N{EN DASH} ".join(term)
    yield words.say("sha256"), Code(text=one.sha256.hex())


def _measured(found: SelfTest, words: Words) -> Iterator[Block]:
    yield Facts(
        rows=(
            (words.say("self_test_date"), found.measured_on.isoformat()),
            (words.say("self_test_commit"), Code(text=found.commit)),
            (words.say("self_test_seeds"), words.several([str(seed) for seed in found.seeds])),
        )
    )
    rates = [
        (words.say("measure_precision", level=level), rate)
        for level, rate in sorted(found.levels.items(), reverse=True)
    ]
    rates += [
        (words.say("measure_recall", name=words.named("recall", name)), rate)
        for name, rate in sorted(found.recall.items())
    ]
    yield Table(
        columns=(
            Column(title=words.say("measure"), width=5),
            Column(title=words.say("right_of"), width=3, is_number=True),
            Column(title=words.say("share"), width=2, is_number=True),
            Column(title=words.say("interval"), width=4, is_number=True),
        ),
        rows=tuple((name, *_rate(rate, words)) for name, rate in rates),
    )


def _rate(rate: Rate, words: Words) -> tuple[str, str, str]:
    return (
        f"{words.number(rate.right)} / {words.number(rate.n)}",
        words.share(rate.share),
        f"{words.share(rate.low)} \N{EN DASH} {words.share(rate.high)}",
    )


def _checkpoints(material: Material, words: Words) -> Table:
    rows = []
    for one in sorted(material.checkpoints, key=lambda one: one.size):
        parts: tuple[str | Code, ...] = (words.say("not_stamped"),)
        if one.stamped_at is not None:
            parts = (words.moment(one.stamped_at, thousandths=False),)
            if one.certificate_sha256 is not None:
                parts += digest(one.certificate_sha256).parts
        signed = words.moment(one.signed_at, thousandths=False)
        rows.append((str(one.size), digest(one.root), signed, Several(parts=parts)))
    return Table(
        columns=(
            Column(title=words.say("size"), is_number=True),
            Column(title=words.say("root"), width=5),
            Column(title=words.say("signed"), width=3),
            Column(title=words.say("stamped"), width=5),
        ),
        rows=tuple(rows),
        size=8.5,
    )
