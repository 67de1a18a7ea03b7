"""Puts a report together, in the order in which a magistrate reads; pure."""

from collections.abc import Iterator

from protech.evidence.report import Attachment, Block, Document, NewPage
from protech.locate.report import annexes, cover, findings
from protech.locate.report.material import Material
from protech.locate.report.words import Words

BUNDLE_NAME = "case.jsonld"
SELF_TEST_NAME = "self_test.json"


def document(material: Material, words: Words) -> Document:
    """Return all that the report of a case says in one language."""
    case = material.case
    made_at = words.moment(material.at, thousandths=False)
    return Document(
        language=words.language,
        at=material.at,
        title=words.say("title"),
        subtitle=words.say("subtitle"),
        over=words.say("over", case=case.name),
        running_head=words.say("running_head", case=case.name),
        foot=words.say("foot", at=made_at, version=material.version),
        page_word=words.say("page"),
        mark=words.say("lab_mark") if case.is_lab else "",
        blocks=tuple(_blocks(material, words)),
        attachments=tuple(_attachments(material, words)),
    )


def _blocks(material: Material, words: Words) -> Iterator[Block]:
    yield from cover.front(material, words)
    yield NewPage()
    yield from cover.in_short(material, words)
    yield from cover.levels(material, words)
    yield from cover.cautions(words)
    yield from findings.overview(material, words)
    yield from findings.peers(material, words)
    yield from annexes.requests(material, words)
    yield from annexes.certificate(material, words)
    yield from cover.basis(material, words)
    yield from annexes.databases(material, words)
    yield from annexes.log(material, words)
    yield from annexes.verifying(material, words)
    yield from annexes.glossary(words)
    yield from annexes.signing(words)


def _attachments(material: Material, words: Words) -> Iterator[Attachment]:
    if material.bundle:
        yield Attachment(
            name=BUNDLE_NAME,
            text=material.bundle,
            mime_type="application/ld+json",
            description=words.say("attach_case"),
            relationship="data",
        )
    if material.self_test is not None:
        yield Attachment(
            name=SELF_TEST_NAME,
            text=material.self_test.content,
            mime_type="application/json",
            description=words.say("attach_self_test"),
        )
