"""A conversation shows what was said in it, and what was tried before it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from protech.lists.fetch_key import Ed2kFile
from protech.locate.adapter import Level, Network, Outcome, Transport
from protech.locate.bittorrent.conversation import Conversation
from protech.locate.bittorrent.judge import judge
from tests import spoken
from tests.spoken import Line

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
KEY = spoken.file_key(spoken.content(1, 900), piece_bytes=300)
TARGET = spoken.target_of(KEY)


def conversation() -> Conversation:
    return Conversation(spoken.CANDIDATE, TARGET, clock=lambda: NOW)


def test_nothing_was_tried() -> None:
    sighting = conversation().sighting
    assert (sighting.level, sighting.outcome) == (Level.MENTIONED, Outcome.UNREACHABLE)
    assert (sighting.network, sighting.peer) == (Network.BITTORRENT, spoken.PEER)
    assert (sighting.started_at, sighting.ended_at) == (NOW, NOW)
    assert (sighting.transport, sighting.local, sighting.client_name) == (None, None, None)


def test_what_failed_before_stands_in_the_transcript_and_counts_for_nothing() -> None:
    one = conversation()
    one.failed(Transport.TCP, "refused")
    one.stands(Transport.UTP, Line())
    one.hearing.sent(spoken.greeting(KEY, peer_id=bytes(20)))
    one.failed(Transport.UTP, "closed")
    one.stands(Transport.UTP_MSE, Line())
    one.hearing.sent(spoken.greeting(KEY, peer_id=bytes(range(20))))
    one.hearing.received(spoken.greeting(KEY, peer_id=bytes(20)))
    sighting = one.sighting
    assert (sighting.level, sighting.transport) == (Level.HANDSHAKE, Transport.UTP_MSE)
    assert sighting.transcript.count(b'"outcome"') == 2
    assert judge(sighting.transcript, TARGET).peer_id == sighting.client_id == bytes(20)


def test_what_was_measured_and_proves_nothing_is_a_bad_piece() -> None:
    one = conversation()
    one.stands(Transport.TCP, Line())
    one.has_measured = True
    assert one.sighting.outcome is Outcome.BAD_PIECE


def test_a_target_of_another_network_is_refused() -> None:
    other = replace(TARGET, key=Ed2kFile(md4=bytes(16), aich=bytes(20), size_bytes=1))
    with pytest.raises(TypeError):
        Conversation(spoken.CANDIDATE, other, clock=lambda: NOW)
