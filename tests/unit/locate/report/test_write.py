import stat
from pathlib import Path

import pytest

from protech.errors import AuthorityError, ConfigError
from protech.locate.report import self_test
from protech.locate.report.sheets import Sheet
from protech.locate.report.words import Language
from protech.locate.report.write import Asked, compose, material, save
from tests.locate_case import REPORTED_AT, SELF_TEST, CaseMaker, small_case

MADE, STATES = small_case()
MATERIAL = material(MADE.numbered, STATES, at=REPORTED_AT, verifier="# verify\n")


def test_a_report_is_the_same_files_each_time() -> None:
    first = compose(MATERIAL, language=Language.FRENCH)
    again = material(MADE.numbered, STATES, at=REPORTED_AT, verifier="# verify\n")
    assert first == compose(again, language=Language.FRENCH)
    assert sorted(first) == [
        "LISEZMOI-defense.txt",
        "README-defence.txt",
        "case.jsonld",
        "report-fr.pdf",
        "verify.py",
    ]


def test_packs_and_sheets_stand_beside_the_report() -> None:
    files = compose(
        MATERIAL,
        language=Language.ENGLISH,
        sheets=[Asked(peer="1", sheet=Sheet.REQUISITION), Asked(peer="1", sheet=Sheet.EPOC)],
        packs={"sighting-5.pack": b"x"},
    )
    assert files["sighting-5.pack"] == b"x"
    assert {"requisition-1.pdf", "epoc-1.pdf", "report-en.pdf"} <= files.keys()


def test_a_sheet_that_is_refused_makes_no_report() -> None:
    with pytest.raises(AuthorityError, match="No subscriber request"):
        compose(MATERIAL, language=Language.FRENCH, sheets=[Asked(peer="2", sheet=Sheet.EPOC)])


def test_a_case_without_sightings_and_a_certificate_make_a_report_too() -> None:
    made = material(
        CaseMaker().numbered, (), at=REPORTED_AT, self_test=self_test.read(SELF_TEST)
    )
    assert compose(made, language=Language.ENGLISH)["report-en.pdf"].startswith(b"%PDF")


def test_files_are_for_this_user_alone_and_over_nothing(tmp_path: Path) -> None:
    written = save({"a.txt": b"a", "b.txt": b"b"}, tmp_path / "out")
    assert [path.read_bytes() for path in written] == [b"a", b"b"]
    assert stat.S_IMODE(written[0].stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700
    with pytest.raises(ConfigError, match="holds 1 of its files"):
        save({"a.txt": b"other", "c.txt": b"c"}, tmp_path / "out")
    assert written[0].read_bytes() == b"a"
    assert not (tmp_path / "out" / "c.txt").exists()


def test_a_directory_that_takes_no_files_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="could not be written"):
        save({"a": b""}, tmp_path / "file" / "out")


def test_a_peer_that_was_asked_about_is_not_in_a_repr() -> None:
    assert "198.18" not in repr(Asked(peer="198.18.7.9:51413", sheet=Sheet.EPOC))
    assert "198.18" not in repr(MATERIAL)
