"""Who is named for a file of eDonkey: its servers and Kad, asked at once; names only.

What cannot be a peer, ourselves and other observers are dropped and counted: a list of sources
is hearsay, and half of it may be poisoned.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Protocol

from protech.lists.fetch_key import Ed2kFile
from protech.locate.adapter import Address, Candidate, Endpoint, Source, Target
from protech.locate.door import Door
from protech.locate.ed2k.servers import Servers

CANDIDATES = 2000
"""Of one look-up: no file has so many sources that answer."""


class Asked(Protocol):
    """Who names sources, as ``Servers`` and ``kad.Kad`` do."""

    def sources(self, key: Ed2kFile) -> AsyncGenerator[Endpoint, None]:
        """Yield whom it names for a file."""
        ...


class Discovery:
    """Asks servers, and Kad where there is a way into it."""

    def __init__(
        self,
        door: Door,
        *,
        may_name: Callable[[Address], bool] = lambda _: True,
        kad: Asked | None = None,
    ) -> None:
        """Ask nobody yet.

        Args:
            door: Every packet goes through it.
            may_name: Whether an address may be spoken to, and is none of ours.
            kad: None where only servers are asked.
        """
        self.dropped = 0
        self._may_name = may_name
        self._asked: dict[Source, Asked] = {Source.SERVER: Servers(door)}
        if kad is not None:
            self._asked[Source.KAD] = kad

    async def discover(self, target: Target) -> AsyncGenerator[Candidate, None]:
        """Yield peers that are named for a target as they come; each once by each source.

        Raises:
            AuthorityError: The authority does not cover the next packet; it was not sent.
            ConfigError: This machine has no sockets, ports or source address for it.
            TypeError: The target is none of eDonkey.
        """
        key = target.key
        if not isinstance(key, Ed2kFile):
            raise TypeError("the target is none of eDonkey")
        seen: set[Candidate] = set()
        found = _merged({source: asked.sources(key) for source, asked in self._asked.items()})
        async with aclosing(found) as candidates:
            async for candidate in candidates:
                if candidate in seen:
                    continue
                if len(seen) >= CANDIDATES or not self._may_name(candidate.endpoint.address):
                    self.dropped += 1
                    continue
                seen.add(candidate)
                yield candidate


async def _merged(
    asked: dict[Source, AsyncGenerator[Endpoint, None]],
) -> AsyncGenerator[Candidate, None]:
    """Yield what all sources say as it comes; where one raises, it is raised at the end."""
    queue: asyncio.Queue[Candidate | None] = asyncio.Queue(maxsize=64)

    async def listen(source: Source, said: AsyncGenerator[Endpoint, None]) -> None:
        try:
            async with aclosing(said) as endpoints:
                async for endpoint in endpoints:
                    await queue.put(Candidate(endpoint=endpoint, source=source))
        finally:
            await queue.put(None)

    tasks = [asyncio.ensure_future(listen(source, said)) for source, said in asked.items()]
    try:
        async for candidate in _until_all(queue, len(tasks)):
            yield candidate
        for task in tasks:
            await task
    finally:
        for task in tasks:
            task.cancel()
        while not queue.empty():
            queue.get_nowait()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _until_all(
    queue: "asyncio.Queue[Candidate | None]", count: int
) -> AsyncIterator[Candidate]:
    while count:
        candidate = await queue.get()
        if candidate is None:
            count -= 1
        else:
            yield candidate
