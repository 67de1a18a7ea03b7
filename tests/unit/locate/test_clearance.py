"""The gate in use: asked before each packet, renewed by newer papers, and never past them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from protech.errors import AuthorityError, TrustError
from protech.locate.clearance import Clearance, Past, open_clearance
from protech.locate.clock import Clock
from protech.locate.ledger import Tally
from protech.locate.papers import Power
from protech.locate.seen import Seen
from tests.authorised import (
    ANCHORS,
    DAY,
    FACTS,
    MAGISTRATE,
    NOW,
    TARGET,
    authorisation,
    endpoint,
    request,
    timestamp,
    timestamp_document,
)

PAPER = authorisation()
PEER = endpoint("198.18.0.7")


class Hands:
    """A machine's clock that a test turns."""

    def __init__(self, at: datetime = NOW + timedelta(hours=1)) -> None:
        self.boot = 0
        self.start = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000

    def go(self, by: timedelta) -> None:
        self.boot += by // timedelta(microseconds=1) * 1000

    def clock(self) -> Clock:
        return Clock(
            must_be_synchronised=False,
            realtime=lambda: self.start + self.boot,
            boottime=lambda: self.boot,
            discipline=lambda: (False, None),
        )


def opened(hands: Hands | None = None, **changes: Any) -> Clearance:
    paper = changes.pop("paper", PAPER)
    clock = (hands or Hands()).clock()
    past = Past(
        **{
            name: changes.pop(name, default)
            for name, default in (("logged_at", NOW), ("seen", Seen()), ("on_newer", print))
        }
    )
    options: dict[str, Any] = {"requests": [request(paper)], "past": past} | changes
    return open_clearance(ANCHORS, paper, timestamp(paper), FACTS, clock=clock, **options)


def test_a_packet_goes_until_the_first_paper_ends() -> None:
    hands = Hands()
    clearance = opened(hands)
    clearance.permit(PEER)
    clearance.cover(TARGET)
    hands.go(timedelta(hours=22, minutes=59, seconds=59))
    clearance.permit(PEER)
    hands.go(timedelta(seconds=1))
    with pytest.raises(AuthorityError, match="a day old"):
        clearance.permit(PEER)
    with pytest.raises(AuthorityError, match="a day old"):
        clearance.may_prove(TARGET)


def test_whether_a_run_is_over_is_told_without_an_address() -> None:
    hands = Hands()
    clearance = opened(hands)
    clearance.require_open()
    hands.go(DAY)
    with pytest.raises(AuthorityError):
        clearance.require_open()


def test_a_clock_that_steps_back_stops_a_run() -> None:
    hands = Hands()
    clearance = opened(hands)
    hands.start -= 1_000_000_000
    with pytest.raises(AuthorityError, match="was set by -1"):
        clearance.permit(PEER)


def test_a_clock_before_the_log_opens_nothing() -> None:
    with pytest.raises(AuthorityError, match="log was last signed"):
        opened(logged_at=NOW + timedelta(hours=2))


def test_each_piece_is_counted_and_the_limit_kept() -> None:
    clearance = opened()
    grants = [clearance.may_prove(TARGET) for _ in range(3)]
    assert {one.request_sha256 for one in grants} == {clearance.requests[0].sha256}
    with pytest.raises(AuthorityError, match="All 3 pieces of the proof request R-1 are spent"):
        clearance.may_prove(TARGET)
    clearance.give_back(grants[0])
    clearance.may_prove(TARGET)


def test_what_the_log_shows_is_spent() -> None:
    sha256 = request(PAPER).sha256
    clearance = opened(ledger=Tally({sha256: 2}))
    clearance.may_prove(TARGET)
    with pytest.raises(AuthorityError, match="are spent"):
        clearance.may_prove(TARGET)


def test_the_next_request_is_taken_where_one_is_spent_or_for_another_file() -> None:
    others = [
        request(PAPER, id="R-2", entries=frozenset({"E-9"})),
        request(PAPER, id="R-3", pieces=1),
        request(PAPER, id="R-4"),
    ]
    clearance = opened(requests=others)
    found = [clearance.may_prove(TARGET).request_sha256 for _ in range(2)]
    assert found == [others[1].sha256, others[2].sha256]


def test_without_a_request_nothing_is_proved() -> None:
    clearance = opened(requests=[])
    with pytest.raises(AuthorityError, match="No proof request is signed"):
        clearance.may_prove(TARGET)
    clearance.add(request(PAPER))
    clearance.may_prove(TARGET)


def test_a_request_that_the_authorisation_does_not_carry_is_not_taken() -> None:
    paper = authorisation(powers=frozenset({Power.OBSERVE}))
    with pytest.raises(AuthorityError, match="power to prove"):
        opened(paper=paper)


def test_a_request_of_an_earlier_authorisation_is_left_alone() -> None:
    earlier = request(authorisation(id="A-0"))
    assert opened(requests=[earlier]).requests == ()


def test_a_newer_timestamp_goes_on() -> None:
    hands = Hands()
    clearance = opened(hands)
    hands.go(timedelta(hours=10))
    at = NOW + timedelta(hours=10)
    assert clearance.renew(timestamp_document(PAPER, at=at).content)
    assert clearance.gate.ends_at == at + DAY
    clearance.permit(PEER)
    assert not clearance.renew(timestamp_document(PAPER, at=at).content)
    assert not clearance.renew(timestamp_document(at=NOW).content)
    clearance.permit(PEER)


def test_a_revoked_authorisation_stops_for_good() -> None:
    clearance = opened()
    with pytest.raises(AuthorityError, match="not among those in force"):
        clearance.renew(timestamp_document(at=NOW + timedelta(minutes=1)).content)
    for act in (
        lambda: clearance.permit(PEER),
        lambda: clearance.may_prove(TARGET),
        clearance.require_open,
    ):
        with pytest.raises(AuthorityError, match="not among those in force"):
            act()


def test_a_timestamp_that_does_not_hold_changes_nothing() -> None:
    clearance = opened()
    before = clearance.gate
    with pytest.raises(TrustError):
        clearance.renew(b"{}")
    assert clearance.gate is before
    clearance.permit(PEER)


def test_it_says_what_records_say() -> None:
    clearance = opened()
    assert clearance.is_lab
    assert clearance.reading().at == NOW + timedelta(hours=1)
    assert not clearance.reading().is_synchronised


def test_without_a_clock_the_machines_own_is_asked() -> None:
    facts = replace(FACTS, speakers=frozenset({MAGISTRATE.public}))
    with pytest.raises(AuthorityError, match="No packet was sent"):
        open_clearance(
            replace(ANCHORS, is_lab=False),
            PAPER,
            timestamp(PAPER),
            facts,
            past=Past(logged_at=None),
        )


def test_an_older_timestamp_than_one_seen_opens_nothing() -> None:
    seen = Seen(timestamp_at=NOW + timedelta(seconds=1))
    with pytest.raises(AuthorityError, match="bring a newer one"):
        opened(seen=seen)
    opened(seen=Seen(timestamp_at=NOW, versions={FACTS.name: 1}))
    with pytest.raises(AuthorityError, match="in version 1"):
        opened(seen=Seen(versions={FACTS.name: 2}))


def test_a_newer_timestamp_is_told_of_even_where_it_ends_the_run() -> None:
    told: list[datetime] = []
    clearance = opened(on_newer=told.append)
    at = NOW + timedelta(minutes=30)
    with pytest.raises(AuthorityError, match="not among those in force"):
        clearance.renew(timestamp_document(at=at).content)
    assert told == [at]
