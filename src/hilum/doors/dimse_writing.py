"""Whole objects on their way from memory to the disk, in two threads: one hashes and writes, the other waits for the disk.

While the disk works on some objects the next ones are written, and the event loop receives those behind them. Who is alone is not
handed from thread to thread: nothing could be done meanwhile.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NamedTuple, Protocol, TypeVar

from hilum.doors.dimse_judging import refusal_of
from hilum.doors.dimse_statuses import Answer, Status
from hilum.model.errors import StorageError
from hilum.model.members import MemberNote

_MOST_AT_ONCE = 64

Item = TypeVar("Item")


class Pool(Protocol):
    """Where whole objects become members."""

    def write_all(self, bodies: Sequence[tuple[memoryview, MemberNote, bytes]]) -> tuple[object, Callable[[], None]]: ...


class Whole(NamedTuple):
    """An object in memory, and who is told in the event loop what became of it."""

    body: memoryview
    note: MemberNote
    tell: Callable[[Answer], object]


class _Written(NamedTuple):
    """Objects that are in a pack, and the call that waits until they are durable."""

    objects: Sequence[Whole]
    wait: Callable[[], None]


class Writing:
    """The two threads; they start with the first object.

    Args:
        pool: takes the members.
        is_alone: whether nothing is under way but objects of so many bytes; asked in a thread.
    """

    def __init__(self, pool: Pool, is_alone: Callable[[int], bool]) -> None:
        self._pool = pool
        self._is_alone = is_alone
        self._whole: SimpleQueue[Whole | None] = SimpleQueue()
        self._written: SimpleQueue[_Written | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._loop: asyncio.AbstractEventLoop

    def put(self, whole: Whole) -> None:
        """Make an object durable; for the event loop."""
        if not self._threads:
            self._start()
        self._whole.put(whole)

    def close(self) -> None:
        """In a thread, when nothing more comes: wait for what is being written."""
        self._whole.put(None)
        for thread in self._threads:
            thread.join()

    def _start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._threads = [Thread(target=run, name=f"hilum-dimse-{run.__name__.strip('_')}") for run in (self._write_on, self._sync_on)]
        for thread in self._threads:
            thread.start()

    def _write_on(self) -> None:
        while objects := _take(self._whole):
            for written in self._write(objects):
                if self._is_alone(sum(len(each.body) for each in objects)):
                    self._finish([written])
                else:
                    self._written.put(written)
        self._written.put(None)

    def _sync_on(self) -> None:
        while several := _take(self._written):
            self._finish(several)

    def _write(self, objects: Sequence[Whole]) -> "list[_Written]":
        try:
            _, wait = self._pool.write_all([(each.body, each.note, sha256(each.body).digest()) for each in objects])
        except Exception as error:  # noqa: BLE001 - whatever it is, the senders must hear that nothing is kept
            if len(objects) > 1 and not isinstance(error, StorageError):
                return [written for each in objects for written in self._write([each])]  # one of them is odd: the others are kept
            self._tell([(each, _refused(error)) for each in objects])
            return []
        return [_Written(objects, wait)]

    def _finish(self, several: Sequence[_Written]) -> None:
        """The first that waits makes the disk work for all of them."""
        told: list[tuple[Whole, Answer]] = []
        for objects, wait in several:
            try:
                wait()
            except Exception as error:  # noqa: BLE001 - as above
                told += [(each, _refused(error)) for each in objects]
            else:
                told += [(each, Answer(Status.SUCCESS, size=len(each.body))) for each in objects]
        self._tell(told)

    def _tell(self, told: Sequence[tuple[Whole, Answer]]) -> None:
        for whole, answer in told:
            self._loop.call_soon_threadsafe(whole.tell, answer)


def _refused(error: Exception) -> Answer:
    refusal = refusal_of(error)
    return Answer(refusal.status, refusal.sentence)


def _take(queue: "SimpleQueue[Item | None]") -> list[Item]:
    """What waits, at least one; nothing at the end."""
    taken: list[Item] = []
    with suppress(Empty):
        while len(taken) < _MOST_AT_ONCE:
            item = queue.get(block=not taken)
            if item is None:
                queue.put(None)  # for the next turn
                break
            taken.append(item)
    return taken
