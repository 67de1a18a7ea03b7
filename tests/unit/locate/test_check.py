"""What `protech locate check` says: everything at once, and what to do."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from protech.errors import AuthorityError
from protech.locate.check import check, fields_of
from protech.locate.filed import AUTHORISATION, REQUESTS
from protech.locate.papers import Anchors, Power
from protech.locate.rules import Check
from tests.authorised import DAY, Office, authorisation, file_papers
from tests.repository import LIST

TODAY = datetime.now(UTC).replace(microsecond=0)
TERM: dict[str, Any] = {"not_before": TODAY - DAY, "not_after": TODAY + 10 * DAY}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office.open(tmp_path)
    file_papers(tmp_path / "papers", authorisation(**TERM), at=TODAY - timedelta(hours=1))
    return office


def checked(office: Office, papers: Path, name: str = LIST) -> dict[str, Check]:
    found = check(name, papers, office.device, anchors=lambda: office.anchors)
    return {one.what: one for one in found}


def test_where_all_holds_it_says_so(office: Office, tmp_path: Path) -> None:
    found = checked(office, tmp_path / "papers")
    assert [one.message for one in found.values() if not one.is_met] == []
    assert found["proof requests"].message == "1 signed by two operators"
    assert len(found) >= 18


def test_each_missing_thing_is_said_at_once(office: Office, tmp_path: Path) -> None:
    found = checked(office, tmp_path / "nowhere", "no-list")
    assert {one.what for one in found.values() if not one.is_met} == {
        "authorisation",
        "timestamp",
        "list",
    }
    assert "protech lists sync" in found["list"].message


def test_without_anchors_nothing_else_is_looked_at(office: Office, tmp_path: Path) -> None:
    def missing() -> Anchors:
        raise AuthorityError("No authority package is installed.")

    found = check(LIST, tmp_path / "papers", office.device, anchors=missing)
    assert [(one.what, one.is_met) for one in found] == [
        ("authority package", False),
        ("clock", True),
    ]


def test_a_request_that_is_not_signed_by_two_is_said(office: Office, tmp_path: Path) -> None:
    (tmp_path / "papers" / REQUESTS / "bad.json").write_bytes(b"{}")
    assert not checked(office, tmp_path / "papers")["proof requests"].is_met


def test_that_nothing_is_to_be_proved_is_no_fault(office: Office, tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    (papers / REQUESTS / "R-1.json").unlink()
    assert "none" in checked(office, papers)["proof requests"].message
    other = authorisation(**TERM, powers=frozenset({Power.OBSERVE}))
    file_papers(papers, other, requests=False)
    found = checked(office, papers)["proof requests"]
    assert found.is_met
    assert "no power to prove" in found.message


def test_a_revoked_authorisation_is_said(office: Office, tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    before = (papers / AUTHORISATION).read_bytes()
    file_papers(papers, authorisation(**TERM, id="A-2"), at=TODAY, requests=False)
    (papers / AUTHORISATION).write_bytes(before)
    found = checked(office, papers)
    assert not found["authorisation not revoked"].is_met


def test_it_is_printed_as_json() -> None:
    one = Check(what="a", is_met=False, message="b")
    assert fields_of(one) == {"what": "a", "ok": False, "message": "b"}


def test_the_authorisation_of_another_case_is_told(office: Office, tmp_path: Path) -> None:
    def told(case: str) -> Check:
        found = check(
            LIST,
            tmp_path / "papers",
            office.device,
            anchors=lambda: office.anchors,
            case=case,
        )
        return {one.what: one for one in found}["authorisation of this case"]

    assert told("case 7").is_met
    assert not told("case 8").is_met
    assert "is for the case case 7, and this one is case 8" in told("case 8").message
