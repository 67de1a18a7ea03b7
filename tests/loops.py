"""Event loops away from the test's own thread, where playwright may keep one running."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol


class Running(Protocol):
    """Runs a coroutine in the loop of another thread and returns what it gave."""

    def __call__[Result](self, work: Coroutine[Any, Any, Result]) -> Result: ...


def in_own_loop[Result](work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run ``work`` to its end in a loop and a thread of its own."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


@contextmanager
def loop_apart() -> Iterator[Running]:
    """Keep a loop running in its own thread; what is left in it is cancelled at the end."""
    ready: list[asyncio.AbstractEventLoop] = []
    is_ready, over = threading.Event(), asyncio.Event()

    async def stay() -> None:
        ready.append(asyncio.get_running_loop())
        is_ready.set()
        await over.wait()

    with ThreadPoolExecutor(max_workers=1) as thread:
        ended = thread.submit(lambda: asyncio.run(stay()))
        is_ready.wait()
        (loop,) = ready
        try:
            yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result()
        finally:
            loop.call_soon_threadsafe(over.set)
            ended.result()
