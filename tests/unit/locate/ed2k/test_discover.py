"""All who name sources are asked at once; what they name is passed on once, or dropped."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from ipaddress import ip_address

import pytest

from protech.errors import AuthorityError
from protech.lists.fetch_key import Ed2kFile
from protech.locate.adapter import Address, Candidate, Endpoint, Source
from protech.locate.door import Door
from protech.locate.ed2k import discover
from protech.locate.ed2k.discover import Discovery
from tests import donkeys, spoken

TARGET = spoken.target_of(Ed2kFile(md4=donkeys.MD4, aich=bytes(20), size_bytes=5))


def at(number: int) -> Endpoint:
    return Endpoint(address=ip_address("198.18.0.0") + number, port=4662)


class Says:
    """Names what a test has written, then waits or fails."""

    def __init__(self, *named: Endpoint, fails: bool = False, waits: bool = False) -> None:
        self.is_closed = False
        self._named = named
        self._fails = fails
        self._waits = waits

    async def sources(self, key: Ed2kFile) -> AsyncGenerator[Endpoint, None]:
        try:
            for one in self._named:
                await asyncio.sleep(0)
                yield one
            if self._waits:
                await asyncio.Event().wait()
            if self._fails:
                raise AuthorityError("The authorisation has ended.")
        finally:
            self.is_closed = True


def discovery(
    server: Says, kad: Says | None = None, *, barred: Sequence[int] = ()
) -> Discovery:
    def may_name(address: Address) -> bool:
        return address not in {at(one).address for one in barred}

    found = Discovery(Door(lambda _: None), may_name=may_name, kad=kad)
    found._asked[Source.SERVER] = server
    return found


async def all_of(found: Discovery) -> list[Candidate]:
    return [one async for one in found.discover(TARGET)]


def test_each_is_named_once_by_each() -> None:
    found = discovery(Says(at(1), at(2), at(1)), Says(at(2)))
    assert set(asyncio.run(all_of(found))) == {
        Candidate(endpoint=at(1), source=Source.SERVER),
        Candidate(endpoint=at(2), source=Source.SERVER),
        Candidate(endpoint=at(2), source=Source.KAD),
    }


def test_without_kad_servers_are_asked() -> None:
    assert len(asyncio.run(all_of(discovery(Says(at(1)))))) == 1


def test_who_may_not_be_spoken_to_is_dropped() -> None:
    found = discovery(Says(at(1), at(2), at(3)), barred=[2])
    assert [one.endpoint for one in asyncio.run(all_of(found))] == [at(1), at(3)]
    assert found.dropped == 1


def test_a_flood_of_names_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discover, "CANDIDATES", 100)
    found = discovery(Says(*map(at, range(500))), Says(*map(at, range(500))))
    assert len(asyncio.run(all_of(found))) == 100
    assert found.dropped == 900


def test_where_leave_ends_it_is_said_after_what_came() -> None:
    got: list[Candidate] = []

    async def work() -> None:
        found = discovery(Says(fails=True), Says(at(1), at(2)))
        async for one in found.discover(TARGET):
            got.append(one)  # noqa: PERF401 - what came before it raises is kept

    with pytest.raises(AuthorityError):
        asyncio.run(work())
    assert len(got) == 2


def test_whoever_stops_early_stops_all() -> None:
    server, kad = Says(*map(at, range(300)), waits=True), Says(*map(at, range(300)), waits=True)

    async def work() -> None:
        async with aclosing(discovery(server, kad).discover(TARGET)) as candidates:
            async for _ in candidates:
                break

    asyncio.run(work())
    assert server.is_closed
    assert kad.is_closed


def test_a_target_of_another_network_is_refused() -> None:
    other = spoken.target_of(spoken.file_key(b"abc", piece_bytes=16))

    async def work() -> None:
        async for _ in Discovery(Door(lambda _: None)).discover(other):
            pass

    with pytest.raises(TypeError):
        asyncio.run(work())
