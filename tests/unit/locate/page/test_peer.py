from protech.locate.page.peer import NOWHERE, Peer, Place, place_of


def add(peer: Peer, index: int, *, level: int = 3, entry: int = 0, at_ms: int = 1000) -> bool:
    return peer.add(index, at_ms, level, entry=entry, listed=0, place=NOWHERE)


def test_a_place_says_what_the_record_says() -> None:
    record = {
        "verdict": "inside",
        "country": "FR",
        "operator": {"asn": 64496, "name": "Example"},
        "flags": ["vpn"],
    }
    assert place_of(record) == Place(
        verdict="inside", country="FR", asn=64496, operator="Example", flags=("vpn",)
    )
    assert place_of(None) == NOWHERE
    assert place_of({"operator": {"asn": "64496"}}).asn is None


def test_a_peer_keeps_its_highest_level_and_its_times() -> None:
    peer = Peer(("bittorrent", "198.18.0.9", 1), 5)
    assert add(peer, 5, level=3, at_ms=1000) is False
    assert add(peer, 9, level=4, at_ms=5000) is True
    assert add(peer, 11, level=3, at_ms=9000) is False
    assert (peer.level, peer.sightings, peer.proofs) == (4, 3, 1)
    assert (peer.first_ms, peer.last_ms) == (1000, 9000)
    assert (peer.first_proof_ms, peer.last_proof_ms) == (5000, 5000)
    assert peer.moments() == [(1000, 3), (5000, 4), (9000, 3)]


def test_only_the_first_proof_of_a_file_is_new() -> None:
    peer = Peer(("bittorrent", "198.18.0.9", 1), 0)
    assert [add(peer, i, level=4, entry=i % 2) for i in range(4)] == [
        True,
        True,
        False,
        False,
    ]
    assert peer.proved_entries == 2


def test_the_latest_sightings_come_first() -> None:
    peer = Peer(("bittorrent", "198.18.0.9", 1), 0)
    for index in range(0, 70, 10):
        add(peer, index)
    assert peer.indices(skip=0, limit=3) == [60, 50, 40]
    assert peer.indices(skip=6, limit=3) == [0]
    assert peer.indices(skip=7, limit=3) == []
