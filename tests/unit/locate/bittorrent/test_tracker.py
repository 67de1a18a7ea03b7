"""What a tracker may answer: real answers, and what hostile ones try."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.locate.adapter import Endpoint
from protech.locate.bittorrent import bencode
from protech.locate.bittorrent.tracker import (
    INTERVAL_S,
    LEAST_INTERVAL_S,
    MOST_INTERVAL_S,
    BadTracker,
    Said,
    Tracker,
    clamped_interval,
    compact,
    literal,
    parse_peers,
    parse_tracker,
    peer_at,
)


def at(host: str, port: int) -> Endpoint:
    return Endpoint(address=ip_address(host), port=port)


@pytest.mark.parametrize(
    ("url", "tracker"),
    [
        ("udp://127.0.0.1:6969", ("udp", "127.0.0.1", 6969, "/")),
        ("udp://tracker.example:80/announce", ("udp", "tracker.example", 80, "/")),
        ("http://tracker.example/announce", ("http", "tracker.example", 80, "/announce")),
        ("http://[::1]:80/a?pass=1", ("http", "::1", 80, "/a?pass=1")),
        ("https://tracker.example", ("https", "tracker.example", 443, "/")),
    ],
)
def test_a_tracker_is_where_its_address_says(
    url: str, tracker: tuple[str, str, int, str]
) -> None:
    scheme, host, port, path = tracker
    assert parse_tracker(url) == Tracker(scheme=scheme, host=host, port=port, path=path)


@pytest.mark.parametrize(
    "url",
    [
        "udp://tracker.example",
        "udp://tracker.example:0",
        "http://tracker.example:99999/",
        "http://user@tracker.example/",
        "http://tracker.example/#part",
        "http:///announce",
        "http://a b/",
        "ftp://tracker.example/",
        "http://[fe80::1%eth0]/",
        "http://[::1/",
    ],
)
def test_what_no_packet_can_be_sent_to_is_no_tracker(url: str) -> None:
    assert parse_tracker(url) is None


def test_both_forms_and_both_versions_of_peers_are_read() -> None:
    answer = parse_peers(
        bencode.encode(
            {
                b"interval": 900,
                b"min interval": 1200,
                b"peers": [
                    {b"ip": b"198.18.0.1", b"port": 6881},
                    {b"ip": b"2001:db8::2", b"port": 6882},
                ],
                b"peers6": ip_address("2001:db8::3").packed + b"\x1a\xe3",
                b"external ip": b"\xc6\x12\x00\x09",
            }
        )
    )
    assert answer.said is Said.PEERS
    assert answer.peers == (
        at("198.18.0.1", 6881),
        at("2001:db8::2", 6882),
        at("2001:db8::3", 6883),
    )
    assert answer.interval_s == 1200
    assert answer.ourselves == ip_address("198.18.0.9")


def test_what_can_be_no_peer_is_dropped_and_counted() -> None:
    poisoned: list[bencode.Bencoded] = [
        {b"ip": b"0.0.0.0", b"port": 1},
        {b"ip": b"255.255.255.255", b"port": 1},
        {b"ip": b"224.0.0.1", b"port": 1},
        {b"ip": b"169.254.0.1", b"port": 1},
        {b"ip": b"240.0.0.1", b"port": 1},
        {b"ip": b"::", b"port": 1},
        {b"ip": b"ff02::1", b"port": 1},
        {b"ip": b"fe80::1%eth0", b"port": 1},
        {b"ip": b"198.18.0.1", b"port": 0},
        {b"ip": b"198.18.0.1", b"port": 65536},
        {b"ip": b"198.18.0.1", b"port": -1},
        {b"ip": b"printer.example", b"port": 1},
        {b"ip": b"\xff\xfe", b"port": 1},
        {b"ip": 1, b"port": 1},
        {b"port": 1},
        7,
    ]
    answer = parse_peers(bencode.encode({b"peers": poisoned}))
    assert answer.peers == ()
    assert answer.dropped == len(poisoned)


def test_an_ipv4_address_in_ipv6_is_itself() -> None:
    assert peer_at(ip_address("::ffff:198.18.0.1"), 1) == at("198.18.0.1", 1)
    assert peer_at(ip_address("::ffff:0.0.0.0"), 1) is None


def test_a_stump_at_the_end_of_a_compact_list_counts_as_one() -> None:
    peers, dropped = compact(b"\xc6\x12\x00\x01\x1a\xe1" + b"\xc6\x12", version=4)
    assert peers == (at("198.18.0.1", 6881),)
    assert dropped == 1


@given(st.binary(max_size=200), st.sampled_from([4, 6]))
def test_every_entry_of_a_compact_list_is_a_peer_or_dropped(data: bytes, version: int) -> None:
    peers, dropped = compact(data, version=version)
    width = {4: 6, 6: 18}[version]
    assert len(peers) + dropped == -(-len(data) // width)
    assert all(0 < one.port < 65536 and not one.address.is_multicast for one in peers)


def test_a_reason_of_failure_is_a_result() -> None:
    answer = parse_peers(bencode.encode({b"failure reason": b"not here", b"interval": 7200}))
    assert (answer.said, answer.peers, answer.interval_s) == (Said.FAILURE, (), 7200)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"i1e",
        b"d5:peersi1ee",
        b"de",
        b"d5:peers" + b"l" * 5000 + b"e" * 5001,
        b"d5:peers200000:",
        bencode.encode({b"peers": bytes(200_000)}),
    ],
)
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises(BadTracker):
        parse_peers(body)


@given(st.binary(max_size=300))
def test_no_body_makes_it_fail_otherwise(body: bytes) -> None:
    try:
        answer = parse_peers(b"d" + body)
    except BadTracker:
        return
    assert answer.said in {Said.PEERS, Said.FAILURE}


@pytest.mark.parametrize(
    ("named", "interval_s"),
    [
        ((), INTERVAL_S),
        ((None, b"900"), INTERVAL_S),
        ((-5,), LEAST_INTERVAL_S),
        ((1 << 60, 3), MOST_INTERVAL_S),
        ((300, 600), 600),
    ],
)
def test_an_interval_stays_within_bounds(
    named: tuple[bencode.Bencoded | None, ...], interval_s: int
) -> None:
    assert clamped_interval(*named) == interval_s


def test_only_an_address_is_literal() -> None:
    assert literal("127.0.0.1") == ip_address("127.0.0.1")
    assert literal("::1") == ip_address("::1")
    assert literal("fe80::1%lo") is None
    assert literal("localhost") is None
