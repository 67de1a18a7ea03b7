"""An answer is given again for a while, and only so many are remembered."""

import asyncio
import gc
from ipaddress import ip_address

import pytest

from protech.locate.adapter import Endpoint
from protech.locate.bittorrent import recent as recents
from protech.locate.bittorrent.recent import REUSED_S, Recent

PEER = Endpoint(address=ip_address("127.1.0.1"), port=6881)
ASKED = ("udp://127.0.0.1:1", b"h" * 20)


def test_an_answer_is_given_again_for_a_while() -> None:
    recent = Recent()
    assert recent.find(ASKED, 0.0) is None
    recent.keep(ASKED, 5.0, [PEER])
    assert recent.find(ASKED, 4.5 + REUSED_S) == (PEER,)
    assert recent.find(ASKED, 5.0 + REUSED_S) is None
    assert recent.find((ASKED[0], b"o" * 20), 5.0) is None


def test_an_answer_that_names_nobody_is_one() -> None:
    recent = Recent()
    recent.keep(ASKED, 0.0, [])
    assert recent.find(ASKED, 1.0) == ()


def test_the_oldest_answer_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recents, "ANSWERS", 2)
    recent = Recent()
    for name in ("a", "b", "a", "c"):
        recent.keep((name, b"h"), 0.0, [PEER])
    assert [recent.find((name, b"h"), 0.0) for name in "abc"] == [(PEER,), None, (PEER,)]


def test_whoever_asks_the_same_waits_for_the_same_turn() -> None:
    async def turns() -> None:
        recent = Recent()
        first = recent.turn(ASKED)
        assert recent.turn(ASKED) is first
        assert recent.turn(("dht", ASKED[1])) is not first
        del first
        gc.collect()
        assert not recent._turns, "nobody asks any more"

    asyncio.run(turns())
