"""The way of an object that is larger than what is held in memory into a pack, chunk by chunk, in threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Protocol, TypeVar

from hilum.doors.dimse_judging import refusal_of
from hilum.doors.dimse_statuses import Answer, Refusal, Status
from hilum.model.members import StoredMember

_Result = TypeVar("_Result")


class Writer(Protocol):
    """One member while it is written."""

    def write(self, chunk: bytes | bytearray | memoryview) -> None: ...
    def commit(self, expected_sha256: bytes | None = None) -> StoredMember: ...
    def abandon(self) -> None: ...


class Stream:
    """One object. Its methods belong to the event loop.

    Args:
        begin: blocks; makes a place for the object by its first chunk, or refuses it.
        executor: runs what blocks.
        release: is told how many bytes are not in memory any more.
        resume: is called when the disk has taken a chunk.
    """

    def __init__(
        self,
        begin: Callable[[memoryview], Writer | Refusal],
        executor: Executor,
        release: Callable[[int], None],
        resume: Callable[[], None],
    ) -> None:
        self._begin = begin
        self._executor = executor
        self._release = release
        self._resume = resume
        self._chunks: asyncio.Queue[memoryview | None] = asyncio.Queue()
        self._is_abandoned = False
        self._writer: Writer | None = None
        self._refusal: Refusal | None = None
        self._answer = asyncio.get_running_loop().create_task(self._run())

    @property
    def is_behind(self) -> bool:
        """Whether a chunk waits while another one is being written."""
        return self._chunks.qsize() > 0

    def feed(self, chunk: memoryview) -> None:
        """The next bytes."""
        self._chunks.put_nowait(chunk)

    def end(self, chunk: memoryview) -> "asyncio.Task[Answer]":
        """The last bytes; the answer when all of it is durable."""
        self.feed(chunk)
        self._chunks.put_nowait(None)
        return self._answer

    def abandon(self) -> None:
        """The rest will not come: what was written is cut off again."""
        self._is_abandoned = True
        self._chunks.put_nowait(None)

    async def _run(self) -> Answer:
        size = 0
        while (chunk := await self._chunks.get()) is not None:
            size += len(chunk)
            if self._refusal is None and not self._is_abandoned:
                self._refusal = await self._in_thread(self._write, chunk)
            self._release(len(chunk))
            self._resume()
        self._refusal = await self._in_thread(self._finish)
        if self._refusal is not None:
            return Answer(self._refusal.status, self._refusal.sentence)
        return Answer(Status.SUCCESS, size=size)

    def _write(self, chunk: memoryview) -> Refusal | None:
        """In a thread."""
        try:
            if self._writer is None:
                begun = self._begin(chunk)
                if isinstance(begun, Refusal):
                    return begun
                self._writer = begun
            self._writer.write(chunk)
        except Exception as error:  # noqa: BLE001 - whatever it is, the sender must hear that nothing is kept
            return refusal_of(error)
        return None

    def _finish(self) -> Refusal | None:
        """In a thread: durable, or gone."""
        try:
            if self._writer is not None and (self._refusal is not None or self._is_abandoned):
                self._writer.abandon()
            elif self._writer is not None:
                self._writer.commit()
        except Exception as error:  # noqa: BLE001 - as above
            return refusal_of(error)
        return self._refusal

    async def _in_thread(self, work: Callable[..., _Result], *arguments: object) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)
