"""The truth of a swarm: who holds what, written and read."""

from random import Random

import pytest

from protech.locate.lab.content import LabTorrent, make_content
from protech.locate.lab.plan import HOLDERS, Kind, draw_plan, loopback
from protech.locate.lab.truth import Truth, read_truth, truth_of


@pytest.fixture(scope="module")
def torrents(tmp_path_factory: pytest.TempPathFactory) -> tuple[LabTorrent, ...]:
    return make_content(tmp_path_factory.mktemp("content"), Random(1))


@pytest.fixture
def truth(torrents: tuple[LabTorrent, ...]) -> Truth:
    counts = dict.fromkeys(Kind, 1)
    return truth_of(9, torrents, draw_plan(Random(2), torrents, counts, loopback(Random(3))))


def test_what_is_written_is_read(truth: Truth) -> None:
    assert read_truth(truth.content) == truth


def test_another_version_is_refused(truth: Truth) -> None:
    with pytest.raises(ValueError, match="another version"):
        read_truth(truth.content.replace(b'"v":1', b'"v":2'))


def test_only_holders_hold(truth: Truth) -> None:
    assert {fact.kind for fact in truth.facts if fact.holds} == set(HOLDERS)


def test_a_relay_delivers_and_holds_nothing(truth: Truth) -> None:
    relays = [fact for fact in truth.facts if fact.kind is Kind.RELAY]
    assert relays
    assert all(fact.delivers and not fact.holds for fact in relays)


def test_a_hybrid_torrent_is_two_facts(truth: Truth, torrents: tuple[LabTorrent, ...]) -> None:
    hybrid = torrents[2]
    facts = [fact for fact in truth.facts if fact.number in hybrid.numbers]
    places = {(fact.address, fact.port) for fact in facts}
    assert len(facts) == 2 * len(places)


def test_a_fact_shows_no_address(truth: Truth) -> None:
    assert not any(fact.address in repr(fact) for fact in truth.facts)
    assert len(truth.by_place) == len(truth.facts)
