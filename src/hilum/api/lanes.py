"""Threads for what blocks, apart by kind: what waits for a slow disk, or for the ledger's one writer, holds up nothing of another kind."""

import asyncio
import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import Any, TypeVar

from hilum.api.problems import BusyError

R = TypeVar("R")


class Lane:
    """Some threads, and a bounded queue before them.

    Args:
        name: of the threads.
        threads: so many calls run at once.
        most_waiting: so many more wait; whoever comes then is told to come again.
    """

    def __init__(self, name: str, threads: int, most_waiting: int) -> None:
        self._executor = ThreadPoolExecutor(threads, f"hilum-{name}")
        self._most = threads + most_waiting
        self._inside = 0

    async def run(self, work: Callable[..., R], *arguments: Any) -> R:
        """`work(*arguments)` in a thread.

        Raises:
            BusyError: too many wait already.
        """
        if self._inside >= self._most:
            raise BusyError("Too many requests of this kind wait already.", "Try again in a moment.")
        running = asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)
        self._inside += 1
        running.add_done_callback(self._leave)  # when it is through, not when nobody waits for it any more
        return await running

    def _leave(self, _done: object) -> None:
        self._inside -= 1


# Together fewer threads than the ledger has connections (stores/database.py).
READING = Lane("reading", 12, 256)
CHANGING = Lane("changing", 8, 256)
PAGES = Lane("pages", 4, 64)
SIGNING_IN = Lane("signing-in", 12, 256)
WATCHING = Lane("watching", 2, 16)


def in_lane(lane: Lane, endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """An endpoint that blocks as one that does not; any other as it is."""
    if inspect.iscoroutinefunction(endpoint):
        return endpoint

    @wraps(endpoint)
    async def answer(*positional: Any, **named: Any) -> Any:
        return await lane.run(lambda: endpoint(*positional, **named))

    return answer
