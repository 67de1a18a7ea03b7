"""What was answered lately: two listed files of one torrent are asked for once; pure of I/O."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from weakref import WeakValueDictionary

from protech.locate.adapter import Endpoint

REUSED_S = 600.0
"""How long an answer is given again; peers that were there are mostly still there."""

ANSWERS = 500
"""Answers that are remembered: of hundreds of peers each, a few tens of megabytes."""

type Asked = tuple[str, bytes]
"""Who was asked (a tracker's address, or the DHT), for which info-hash."""


class Recent:
    """The peers that were named lately, by who was asked for what."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._named: OrderedDict[Asked, tuple[float, tuple[Endpoint, ...]]] = OrderedDict()
        self._turns: WeakValueDictionary[Asked, asyncio.Lock] = WeakValueDictionary()

    def turn(self, asked: Asked) -> asyncio.Lock:
        """Return what is held while somebody is asked: whoever comes second has the answer."""
        return self._turns.setdefault(asked, asyncio.Lock())

    def find(self, asked: Asked, now: float) -> tuple[Endpoint, ...] | None:
        """Return whom the last answer named; None where that is long ago, or forgotten."""
        at, peers = self._named.get(asked, (now - REUSED_S, ()))
        return peers if now - at < REUSED_S else None

    def keep(self, asked: Asked, now: float, peers: Sequence[Endpoint]) -> None:
        """Remember an answer, and forget the oldest where there are too many."""
        self._named[asked] = now, tuple(peers)
        self._named.move_to_end(asked)
        if len(self._named) > ANSWERS:
            self._named.popitem(last=False)
