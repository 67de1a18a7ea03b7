"""A report as its reader meets it: other people's programs open it, and find what it holds."""

import json
import subprocess
from pathlib import Path

import pytest

from protech.locate.report import self_test
from protech.locate.report.sheets import Basis, Sheet
from protech.locate.report.words import Language
from protech.locate.report.write import Asked, compose, material, save
from tests.locate_case import HOSTILE_NAME, REPORTED_AT, SELF_TEST, long_case, small_case

pytestmark = [pytest.mark.needs("pdfinfo"), pytest.mark.needs("qpdf")]

VERIFIER = "# the verifier\n"
SIGHTINGS = 500


def run(*command: str | Path) -> str:
    """Return what a program says; it must be content."""
    done = subprocess.run(
        [str(part) for part in command], check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with both reports and both sheets of a small case."""
    made, states = small_case()
    of = material(
        made.numbered,
        states,
        at=REPORTED_AT,
        self_test=self_test.read(SELF_TEST),
        verifier=VERIFIER,
    )
    asked = [
        Asked(peer="1", sheet=Sheet.REQUISITION, basis=Basis.PRELIMINARY),
        Asked(peer="198.18.7.9:51413", sheet=Sheet.EPOC),
    ]
    directory = tmp_path_factory.mktemp("report")
    files = compose(of, language=Language.FRENCH, sheets=asked)
    files |= compose(of, language=Language.ENGLISH)
    save(files, directory / "out")
    return directory / "out"


def flat(text: str) -> str:
    return " ".join(text.replace("\u202f", " ").split())


@pytest.mark.parametrize("language", Language)
def test_a_report_is_tagged_titled_dated_and_sound(folder: Path, language: Language) -> None:
    path = folder / f"report-{language}.pdf"
    told = dict(line.split(":", 1) for line in run("pdfinfo", path).splitlines() if ":" in line)
    assert told["Tagged"].strip() == "yes"
    assert told["Encrypted"].strip() == "no"
    assert told["JavaScript"].strip() == "no"
    assert told["Title"].strip() in {"Procès-verbal technique", "Technical report of findings"}
    assert "No syntax or stream encoding errors" in run("qpdf", "--check", path)
    described = run("pdfinfo", "-meta", path)
    assert "<pdfaid:part>3</pdfaid:part>" in described
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in described
    assert "<pdfuaid:part>1</pdfuaid:part>" in described
    assert f"<rdf:li>{language}</rdf:li>" in described


def test_every_font_is_inside(folder: Path) -> None:
    rows = run("pdffonts", folder / "report-fr.pdf").splitlines()[2:]
    assert rows
    assert all(row.split()[-5] == "yes" for row in rows)


def test_what_is_attached_is_what_stands_beside(folder: Path, tmp_path: Path) -> None:
    run("pdfdetach", "-saveall", "-o", tmp_path, folder / "report-en.pdf")
    assert (tmp_path / "case.jsonld").read_bytes() == (folder / "case.jsonld").read_bytes()
    assert json.loads((tmp_path / "self_test.json").read_text()) == json.loads(SELF_TEST)
    attached = run("qpdf", "--list-attachments", "--verbose", folder / "report-en.pdf")
    assert "application/ld+json" in attached.replace("#2f", "/")


def test_the_defence_finds_the_verifier_and_a_word_in_both_languages(folder: Path) -> None:
    assert (folder / "verify.py").read_text() == VERIFIER
    assert "verify.py PACK" in (folder / "README-defence.txt").read_text()
    assert "verify.py DOSSIER" in (folder / "LISEZMOI-defense.txt").read_text()


def test_a_reader_finds_the_findings_and_nothing_of_others(folder: Path) -> None:
    text = flat(run("pdftotext", "-layout", folder / "report-fr.pdf", "-"))
    assert "LABORATOIRE" in text
    assert "198.18.7.9:51413" in text
    assert "Constatation 5 : niveau 4, a remis, 2026-11-26 08:05:00.000 UTC" in text
    assert "198.18.1." not in text
    made, _ = small_case()
    for target in made.watch.targets:
        assert target.key.info_hash.hex() not in text  # type: ignore[union-attr]


def test_a_hostile_name_is_printed_and_not_obeyed(folder: Path) -> None:
    text = run("pdftotext", folder / "report-en.pdf", "-")
    visible = HOSTILE_NAME.replace("\u202e", r"\u{202e}").replace("\u4e2d", r"\u{4e2d}")
    assert visible in text
    assert "\u202e" not in text


def test_sheets_are_marked_as_drafts_on_every_page(folder: Path) -> None:
    for name in ("requisition-1.pdf", "epoc-1.pdf"):
        pages = run("pdftotext", folder / name, "-").split("\f")[:-1]
        assert all("PROJET" in page for page in pages)
        assert "48 heures" in flat(" ".join(pages))


def test_a_long_case_is_told_whole(tmp_path: Path) -> None:
    made = long_case(SIGHTINGS)
    of = material(made.numbered, (), at=REPORTED_AT, verifier=VERIFIER)
    save(compose(of, language=Language.ENGLISH), tmp_path)
    text = run("pdftotext", tmp_path / "report-en.pdf", "-")
    assert text.count("Sighting ") == SIGHTINGS
    assert f"page 1 / {text.count(chr(12))}" in text
