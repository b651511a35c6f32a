"""Whole bodies that arrive at the same time are kept together: one thread, one sync, one row of the index for all of them."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from hilum.doors.upload_contract import ReceivedFile, WholeBody
from hilum.model.errors import HilumError

AT_ONCE = 2  # one batch is written while the other waits for the disk
MOST_IN_BATCH = 64

Answer = ReceivedFile | HilumError
Waiting = tuple[WholeBody, "asyncio.Future[ReceivedFile]"]


class Batches:
    """Hands bodies to `keep_all`, as many at once as came while it was busy.

    Args:
        keep_all: blocks until all are durable; answers for each.
        executor: runs it.
    """

    def __init__(self, keep_all: Callable[[Sequence[WholeBody]], list[Answer]], executor: Executor) -> None:
        self._keep_all = keep_all
        self._executor = executor
        self._waiting: list[Waiting] = []
        self._running = 0

    async def keep(self, body: WholeBody) -> ReceivedFile:
        """Durable on return.

        Raises:
            HilumError: it is not acknowledged.
        """
        answer: asyncio.Future[ReceivedFile] = asyncio.get_running_loop().create_future()
        self._waiting.append((body, answer))
        self._start()
        return await answer

    def _start(self) -> None:
        if not self._waiting or self._running >= AT_ONCE:
            return
        batch, self._waiting = self._waiting[:MOST_IN_BATCH], self._waiting[MOST_IN_BATCH:]
        self._running += 1
        running = asyncio.get_running_loop().run_in_executor(self._executor, self._keep_all, [body for body, _ in batch])
        running.add_done_callback(lambda done: self._finish(batch, done))

    def _finish(self, batch: list[Waiting], done: "asyncio.Future[list[Answer]]") -> None:
        self._running -= 1
        self._start()
        surprise = done.exception()
        answers = [surprise] * len(batch) if surprise is not None else done.result()
        for (_, waiter), answer in zip(batch, answers, strict=True):
            if waiter.done():
                continue  # whoever waited was cancelled: the server stops
            if isinstance(answer, ReceivedFile):
                waiter.set_result(answer)
            else:
                waiter.set_exception(answer)
