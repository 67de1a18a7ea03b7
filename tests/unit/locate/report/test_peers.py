from datetime import timedelta

from protech.locate.adapter import Level
from protech.locate.proposal import SEPARATION
from protech.locate.report.peers import peers_of
from protech.locate.report.reading import read
from tests.locate_case import BEGUN_AT, CaseMaker, long_case, place, small_case


def test_sightings_are_grouped_by_address_and_port_and_the_best_proved_come_first() -> None:
    made, _ = small_case()
    peers = peers_of(read(made.numbered).seen)
    assert [peer.number for peer in peers] == [1, 3, 4, 2, 5]
    assert len(peers[0].delivered) == 3
    assert peers[0].level is Level.DELIVERED
    assert len(peers[0].entries) == 2
    assert peers[0].first_at == BEGUN_AT + timedelta(minutes=5)


def test_a_peer_keeps_its_number_as_the_case_grows() -> None:
    made = long_case(200)
    before = {one.socket: one.number for one in peers_of(read(made.numbered[:100]).seen)}
    after = {one.socket: one.number for one in peers_of(read(made.numbered).seen)}
    assert before.items() <= after.items()


def test_peers_behind_one_address_name_each_other() -> None:
    made, _ = small_case()
    by_number = {peer.number: peer for peer in peers_of(read(made.numbered).seen)}
    assert by_number[2].same_address == (3,)
    assert by_number[3].same_address == (2,)
    assert by_number[1].same_address == ()


def test_a_subscriber_is_proposed_only_after_two_separated_deliveries() -> None:
    made = CaseMaker()
    made.sighting()
    made.sighting(Level.CLAIMS, at=BEGUN_AT + 2 * SEPARATION)
    made.sighting(at=BEGUN_AT + SEPARATION - timedelta(milliseconds=1))
    (peer,) = peers_of(read(made.numbered).seen)
    assert not peer.proposal.is_proposed
    made.sighting(at=BEGUN_AT + SEPARATION)
    (peer,) = peers_of(read(made.numbered).seen)
    assert [peer.seen[n].index for n in peer.proposal.sightings] == [1, 4]


def test_names_of_a_program_are_counted_for_one_file_alone() -> None:
    made = CaseMaker()
    made.sighting(client_id=b"a")
    made.sighting(client_id=b"b", entry=1)
    (peer,) = peers_of(read(made.numbered).seen)
    assert peer.client_ids == 1
    made.sighting(client_id=b"c")
    (peer,) = peers_of(read(made.numbered).seen)
    assert peer.client_ids == 2


def test_flags_of_any_sighting_stay_and_the_last_place_counts() -> None:
    made = CaseMaker()
    made.sighting(where=place("FR", ["vpn"]))
    made.sighting(where=place("BE", ["hosting"]))
    (peer,) = peers_of(read(made.numbered).seen)
    assert peer.flags == ("hosting", "vpn")
    assert peer.place is not None
    assert peer.place.country == "BE"


def test_a_peer_without_a_place_has_none() -> None:
    made = CaseMaker()
    made.sighting()
    records = made.numbered
    records[-1][1]["place"] = None
    (peer,) = peers_of(read(records).seen)
    assert peer.place is None
    assert peer.flags == ()
