"""A lab's papers hold as an authority's do, and reach a lab alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from protech.errors import AuthorityError, ConfigError
from protech.locate.anchors import lab_anchors
from protech.locate.check import check
from protech.locate.clearance import Clearance, open_clearance
from protech.locate.filed import authorisation_in, requests_in, timestamp_in
from protech.locate.lab_papers import Lab, make_lab, stamp_lab
from protech.locate.listing import open_locate_list
from protech.locate.papers import Power
from tests.authorised import Office, endpoint
from tests.repository import AUTHORITY, LIST

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office.open(tmp_path / "office")


def lab_of(office: Office) -> Lab:
    return Lab(root=office.repository.first_root, authority=AUTHORITY, list_name=LIST)


def cleared(folder: Path, office: Office) -> Clearance:
    anchors = lab_anchors(folder)
    with open_locate_list(LIST, anchors, office.device, now=NOW) as (facts, _):
        return open_clearance(
            anchors,
            authorisation_in(folder, anchors),
            timestamp_in(folder, anchors),
            facts,
            requests=requests_in(folder),
            logged_at=None,
        )


def test_a_lab_is_ready_once_it_is_made(office: Office, tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    anchors = make_lab(folder, lab_of(office), NOW)
    assert lab_anchors(folder) == anchors
    found = check(LIST, folder, office.device, anchors=lambda: anchors)
    assert [one.message for one in found if not one.is_met] == []
    clearance = cleared(folder, office)
    clearance.permit(endpoint("127.0.0.1"))
    with pytest.raises(AuthorityError, match="a lab speaks to"):
        clearance.permit(endpoint("8.8.8.8"))
    assert len(clearance.requests) == 1
    assert clearance.is_lab


def test_a_lab_is_not_made_twice(office: Office, tmp_path: Path) -> None:
    make_lab(tmp_path / "lab", lab_of(office), NOW)
    with pytest.raises(ConfigError, match="never overwritten"):
        make_lab(tmp_path / "lab", lab_of(office), NOW)


def test_a_lab_that_only_observes_has_no_request(office: Office, tmp_path: Path) -> None:
    only = replace(lab_of(office), powers=frozenset({Power.OBSERVE}))
    make_lab(tmp_path / "lab", only, NOW)
    assert cleared(tmp_path / "lab", office).requests == ()


def test_a_lab_is_stamped_again_and_revoked(office: Office, tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    make_lab(folder, lab_of(office), NOW - timedelta(hours=2))
    clearance = cleared(folder, office)
    assert clearance.renew(stamp_lab(folder, NOW - timedelta(hours=1)))
    with pytest.raises(AuthorityError, match="not among those in force"):
        clearance.renew(stamp_lab(folder, NOW, is_revoked=True))
