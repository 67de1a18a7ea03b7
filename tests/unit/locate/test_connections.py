"""The futures that connections wait for end once, in time or not."""

import asyncio

import pytest

from protech.locate import connections


def test_what_comes_in_time_is_returned() -> None:
    async def work() -> int:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[int] = loop.create_future()
        loop.call_soon(waiter.set_result, 7)
        return await connections.in_time(waiter, loop.time() + 60)

    assert asyncio.run(work()) == 7


def test_what_does_not_come_is_a_timeout_and_may_come_later() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[int] = loop.create_future()
        with pytest.raises(TimeoutError):
            await connections.in_time(waiter, loop.time() - 1)
        connections.settle(waiter)  # too late: it is settled once

    asyncio.run(work())


def test_without_a_deadline_it_is_waited_for() -> None:
    async def work() -> int:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[int] = loop.create_future()
        loop.call_soon(connections.settle, waiter)
        return await connections.in_time(waiter, None)

    assert asyncio.run(work()) == 0
