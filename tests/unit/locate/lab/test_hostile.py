"""Hostile peers that never come to claim anything."""

import pytest

from protech.locate.lab import hostile
from protech.locate.lab.hostile import BEFORE_CLAIMS, Behaviour
from protech.locate.lab.wire import HANDSHAKE_BYTES, PROTOCOL
from tests.unit.locate.lab.visits import INFO_HASH, handshake, visit


def test_an_echo_sends_back_what_it_gets() -> None:
    assert visit(hostile.echo, handshake() + b"more") == handshake() + b"more"


def test_a_tarpit_says_nothing() -> None:
    assert visit(hostile.tarpit, handshake()) == b""


@pytest.mark.parametrize("behave", [hostile.garbage, hostile.mse_garbage, hostile.http])
def test_noise_is_no_handshake(behave: Behaviour) -> None:
    answer = visit(behave, handshake())
    assert answer
    assert not answer.startswith(PROTOCOL)


def test_a_printer_speaks_of_paper() -> None:
    assert visit(hostile.printer, handshake()).startswith(b"@PJL")


def test_another_hash_is_answered_for() -> None:
    answer = visit(hostile.other_hash, handshake())
    assert answer[28:48] != INFO_HASH
    assert len(answer) == HANDSHAKE_BYTES


def test_a_closer_stops_after_its_handshake() -> None:
    answer = visit(hostile.closer, handshake())
    assert len(answer) == HANDSHAKE_BYTES
    assert answer[28:48] == INFO_HASH


def test_a_torrent_it_does_not_know_is_not_answered_for() -> None:
    assert visit(hostile.closer, handshake(b"z" * 20)) == b""


def test_a_dripper_begins_with_a_handshake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostile, "DRIP_S", 0)
    answer = visit(hostile.dripper, handshake())
    assert answer.startswith(PROTOCOL)
    assert len(answer) > 1000


@pytest.mark.parametrize("behave", BEFORE_CLAIMS.values())
def test_a_visitor_who_says_nothing_is_no_fault(behave: Behaviour) -> None:
    assert PROTOCOL not in visit(behave, b"")
