import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protech.errors import ConfigError
from protech.evidence import report
from protech.evidence.letters import SHOWN, SHOWN_TOO
from protech.evidence.report import (
    Attachment,
    Blanks,
    Card,
    Code,
    Column,
    Contents,
    Document,
    Facts,
    Heading,
    NewPage,
    Notice,
    PageOf,
    Points,
    Several,
    Strong,
    Table,
    Text,
    digest,
    lines,
    render,
)

AT = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
EVERY_CHARACTER = "".join(chr(n) for low, high in SHOWN for n in range(low, high + 1))

DOCUMENT = Document(
    language="fr",
    at=AT,
    title="Procès-verbal",
    subtitle="d'essai",
    over="Dossier 1",
    running_head="Dossier 1",
    foot="Établi",
    page_word="page",
    mark="PROJET",
    blocks=(
        Contents(title="Sommaire"),
        Heading(level=1, text="Un", label="one"),
        Text(text="Une phrase."),
        Text(text="Une petite.", is_small=True),
        Points(items=("a", "b")),
        Facts(
            rows=(("nom", "valeur"), ("code", Code(text="00ff")), ("fort", Strong(text="x")))
        ),
        Table(
            columns=(Column(title="n", is_number=True), Column(title="texte", width=1)),
            rows=(("1", PageOf(label="one")), ("2", Several(parts=("a", Code(text="b"))))),
        ),
        Heading(level=2, text="Deux"),
        Card(title="Carte", pairs=(("a", "b"),), wide=(("c", "d"),), is_strong=True),
        Notice(title="Attention", paragraphs=("p", "q"), is_warning=True),
        NewPage(),
        Blanks(names=("Nom",), text="Lu."),
    ),
    attachments=(
        Attachment(name="a.json", text="{}", mime_type="application/json", description="d"),
    ),
)


def test_a_document_is_the_same_file_each_time() -> None:
    made = render(DOCUMENT)
    assert made.startswith(b"%PDF-1.7")
    assert made == render(DOCUMENT)


def test_a_document_says_which_standard_it_keeps_to_and_in_which_language() -> None:
    made = render(DOCUMENT)
    assert b"pdfaid:part>3<" in made
    assert b"pdfaid:conformance>A<" in made
    assert b"pdfuaid:part>1<" in made
    assert re.search(rb"/Lang ?\(fr", made)


def test_markup_and_odd_characters_are_text() -> None:
    hostile = '#panic("x") *bold* $x$ <label> \\ \u202e\u4e2d\u0301 \x00'
    every = EVERY_CHARACTER + "".join(SHOWN_TOO)
    blocks = (
        Heading(level=1, text=hostile),
        Text(text=every),
        Facts(rows=((hostile, Code(text=every)),)),
    )
    assert render(replace(DOCUMENT, blocks=blocks, title=hostile, mark=hostile))


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=60))
def test_whatever_a_peer_calls_itself_a_document_can_be_made(name: str) -> None:
    blocks = (Heading(level=1, text="H"), Facts(rows=(("n", name), ("c", Code(text=name)))))
    assert render(replace(DOCUMENT, blocks=blocks, attachments=()))


def test_a_digest_takes_two_lines() -> None:
    assert digest(bytes(range(4))) == Several(parts=(Code(text="0001"), Code(text="0203")))


def test_what_is_copied_letter_by_letter_is_cut_into_lines() -> None:
    assert lines("abcde", width=2) == Several(
        parts=(Code(text="ab"), Code(text="cd"), Code(text="e"))
    )
    assert lines("a:bc:de", width=5, after=":").parts[0] == Code(text="a:bc:")
    assert lines("abcdef", width=5, after=":").parts[0] == Code(text="abcde")
    assert lines("\u4e2da", width=4) == Several(
        parts=(Code(text="\\u{4"), Code(text="e2d}"), Code(text="a"))
    )
    assert digest(b"") == Several(parts=(Code(text=""),))


def test_the_date_of_a_document_has_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        render(replace(DOCUMENT, at=AT.replace(tzinfo=None)))
    east = AT.astimezone(tz=None) + timedelta(0)
    assert render(replace(DOCUMENT, at=east)) == render(DOCUMENT)


def test_a_page_that_no_heading_has_is_a_bug_of_the_caller() -> None:
    table = Table(columns=(Column(title="p"),), rows=((PageOf(label="nowhere"),),))
    with pytest.raises(ValueError, match="heading"):
        render(replace(DOCUMENT, blocks=(Heading(level=1, text="H"), table)))


def test_what_typst_refuses_is_said_without_quoting_the_document() -> None:
    skipped = (Heading(level=2, text="198.18.7.9"),)
    with pytest.raises(ConfigError) as refused:
        render(replace(DOCUMENT, blocks=skipped))
    assert "198.18" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_no_value_shows_itself_in_a_log() -> None:
    assert "198.18" not in repr(Code(text="198.18.7.9"))
    assert "198.18" not in repr(replace(DOCUMENT, blocks=(Text(text="198.18.7.9"),)))


def test_the_module_names_every_block() -> None:
    kinds = {type(one) for one in DOCUMENT.blocks}
    assert kinds == set(report.Block.__args__)
