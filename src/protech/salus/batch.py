"""Many files judged at once, their verdicts in the order of the files."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from protech.salus.walk import Found, opened
from protech.types import Kind, Media, Unscannable, Verdict

AHEAD = 16
"""Items in flight for each thread: one slow item must not leave the other threads idle."""

THREADS_PER_WORKER = 2
"""While a worker decodes one item, the next is read and digested."""


class Judge(Protocol):
    """What judges one item; ``engine.Engine`` is one."""

    def inspect(self, source: Media) -> Verdict:
        """Judge one item."""

    def unscannable(self, why: Unscannable, *, kind: Kind) -> Verdict:
        """Judge an item that cannot be given to ``inspect``."""


def judged(
    judge: Judge, found: Iterable[Found], *, workers: int
) -> Generator[tuple[Found, Verdict]]:
    """Yield each file with its verdict, in the order of ``found``; close it to stop at once.

    Raises:
        ProtechError: What the operator must repair; hostile media raises nothing.
    """
    threads = workers * THREADS_PER_WORKER
    return in_order(lambda one: verdict(judge, one), found, threads=threads)


def verdict(judge: Judge, found: Found) -> Verdict:
    """Judge one file; one that cannot be opened or read is unreadable."""
    kind = found.claims or Kind.OTHER
    if found.unscannable is not None:
        return judge.unscannable(found.unscannable, kind=kind)
    try:
        with opened(found) as media:
            return judge.inspect(media)
    except OSError:
        return judge.unscannable(Unscannable.UNREADABLE, kind=kind)


def in_order[Item, Result](
    act: Callable[[Item], Result], items: Iterable[Item], *, threads: int
) -> Generator[tuple[Item, Result]]:
    """Yield each item with what ``act`` makes of it, in the order of ``items``.

    ``items`` is read in the caller's thread, a bounded way ahead. When it is closed, what was
    not begun is dropped and what was begun is not waited for.
    """
    flying: deque[tuple[Item, Future[Result]]] = deque()
    executor = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="protech")
    try:
        for item in items:
            flying.append((item, executor.submit(act, item)))
            while flying and (len(flying) >= threads * AHEAD or flying[0][1].done()):
                first, future = flying.popleft()
                yield first, future.result()
        while flying:
            first, future = flying.popleft()
            yield first, future.result()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
