"""Whole objects on their way from memory to the disk, in two threads: one hashes and writes, the other waits for the disk.

While the disk works on some objects the next ones are written, and the event loop receives those behind them. Where little else is under
way, what is written is not handed to the other thread: hardly anything could be done meanwhile. The first bytes of an object that is alone
are hashed while the rest of it comes (`Part`).
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, NamedTuple, Protocol, TypeVar

from hilum.doors.dimse_judging import refusal_of
from hilum.doors.dimse_statuses import Answer, Status
from hilum.model.errors import StorageError
from hilum.model.members import MemberNote

_WORTH_A_THREAD_BYTES = 400 << 10  # measured with 128 KB and 512 KB images: with less beside it, handing over costs more than it gains
_MOST_AT_ONCE_BYTES = 16 << 20

Item = TypeVar("Item")


class Pool(Protocol):
    """Where whole objects become members."""

    def write_all(self, bodies: Sequence[tuple[memoryview, MemberNote, bytes]]) -> tuple[object, Callable[[], None]]: ...


class Digest(Protocol):
    """A hash of hashlib."""

    def update(self, octets: memoryview, /) -> None: ...
    def copy(self) -> "Digest": ...
    def digest(self) -> bytes: ...


class Part(NamedTuple):
    """The next bytes of an object that is not whole yet, for its digest."""

    digest: Digest
    view: memoryview


class Whole(NamedTuple):
    """An object in memory, and who is told in the event loop what became of it.

    Attributes:
        digest: of its first `digested` bytes, which were put as parts before.
    """

    body: memoryview
    note: MemberNote
    tell: Callable[[Answer], object]
    digest: Digest
    digested: int


class _Arrivals(Generic[Item]):
    """Items in the order in which they came, for one thread that takes what waits.

    Args:
        size_of: what an item holds, in bytes.
    """

    def __init__(self, size_of: Callable[[Item], int]) -> None:
        self._size_of = size_of
        self._queue: SimpleQueue[Item | None] = SimpleQueue()

    def put(self, item: Item) -> None:
        self._queue.put(item)

    def end(self) -> None:
        """Nothing more comes."""
        self._queue.put(None)

    def take(self) -> list[Item]:
        """What waits, at least one; nothing at the end."""
        taken: list[Item] = []
        size = 0
        with suppress(Empty):
            while size < _MOST_AT_ONCE_BYTES:
                item = self._queue.get(block=not taken)
                if item is None:
                    self._queue.put(None)  # for the next turn
                    break
                taken.append(item)
                size += self._size_of(item)
        return taken


class _Written(NamedTuple):
    """Objects that are in a pack, and the call that waits until they are durable."""

    objects: Sequence[Whole]
    wait: Callable[[], None]


class Writing:
    """The two threads; they start with the first object.

    Args:
        pool: takes the members.
        count_under_way: the bytes of all objects that are in memory, whole or not; asked in a thread.
    """

    def __init__(self, pool: Pool, count_under_way: Callable[[], int]) -> None:
        self._pool = pool
        self._count_under_way = count_under_way
        self._items: _Arrivals[Whole | Part] = _Arrivals(lambda item: len(item.body) if isinstance(item, Whole) else 0)
        self._written: _Arrivals[_Written] = _Arrivals(lambda written: sum(len(each.body) for each in written.objects))
        self._threads: list[Thread] = []
        self._loop: asyncio.AbstractEventLoop

    def put(self, item: Whole | Part) -> None:
        """Make an object durable, or begin its digest; for the event loop."""
        if not self._threads:
            self._start()
        self._items.put(item)

    def close(self) -> None:
        """In a thread, when nothing more comes: wait for what is being written."""
        self._items.end()
        for thread in self._threads:
            thread.join()

    def _start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._threads = [Thread(target=run, name=f"hilum-dimse-{run.__name__.strip('_')}") for run in (self._write_on, self._sync_on)]
        for thread in self._threads:
            thread.start()

    def _write_on(self) -> None:
        try:
            while self._write_next():
                pass
        finally:
            self._written.end()

    def _write_next(self) -> bool:
        """One turn, so that nothing of it is held while the next is waited for."""
        items = self._items.take()
        for item in items:
            if isinstance(item, Part):
                item.digest.update(item.view)
        if objects := [item for item in items if isinstance(item, Whole)]:
            self._hand_on(self._write(objects))
        return bool(items)

    def _sync_on(self) -> None:
        while self._sync_next():
            pass

    def _sync_next(self) -> bool:
        several = self._written.take()
        self._finish(several)
        return bool(several)

    def _hand_on(self, several: Sequence[_Written]) -> None:
        size = sum(len(each.body) for written in several for each in written.objects)
        if self._count_under_way() < size + _WORTH_A_THREAD_BYTES:
            self._finish(several)
            return
        for written in several:
            self._written.put(written)

    def _write(self, objects: Sequence[Whole]) -> list[_Written]:
        try:
            _, wait = self._pool.write_all([(each.body, each.note, _digest_of(each)) for each in objects])
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
        with suppress(RuntimeError):  # the loop is closed: nobody is left to hear it
            for whole, answer in told:
                self._loop.call_soon_threadsafe(whole.tell, answer)


def _digest_of(whole: Whole) -> bytes:
    digest = whole.digest.copy()  # an object that is tried again begins here again
    digest.update(whole.body[whole.digested :])
    return digest.digest()


def _refused(error: Exception) -> Answer:
    refusal = refusal_of(error)
    return Answer(refusal.status, refusal.sentence)
