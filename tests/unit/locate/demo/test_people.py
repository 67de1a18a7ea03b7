from datetime import UTC, datetime
from pathlib import Path

from protech.locate.adapter import Network
from protech.locate.check import check
from protech.locate.demo.office import LIST, publish_list
from protech.locate.demo.people import People, found_authority, sign_papers
from tests.unit.lists.test_fetch_keys import ALL_KINDS


def test_what_the_demo_signs_passes_every_check_of_a_run(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    office = publish_list(tmp_path / "office", ALL_KINDS, now)
    people = People.fresh()
    anchors = found_authority(tmp_path, people, office)
    papers = tmp_path / "papers"
    networks = frozenset({Network.BITTORRENT})
    sign_papers(papers, people, anchors, list_name=LIST, networks=networks, now=now)
    checks = check(LIST, papers, office.device, anchors=lambda: anchors)
    assert [one.message for one in checks if not one.is_met] == []
    assert len(checks) > 10
