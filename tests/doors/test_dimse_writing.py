"""Whole objects become durable in two threads: one writes while the other waits for the disk."""

import asyncio
import hashlib
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest

from hilum.doors.dimse_statuses import Answer, Status
from hilum.doors.dimse_writing import Part, Whole, Writing
from hilum.model.errors import StorageError
from hilum.model.members import MemberNote

NOTE = MemberNote("admin", "dimse", datetime(2026, 1, 1, tzinfo=UTC))
SOON = 10.0


class Disk:
    """A pool that says what it was asked for, in the order of the asking."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.digests: list[bytes] = []
        self.waiting_threads: list[str] = []
        self.all_are_put = threading.Event()
        self.is_working = threading.Event()
        self.second_is_written = threading.Event()
        self.wait: Callable[[bytes], object] = lambda _body: None
        self.refuse: Callable[[bytes], object] = lambda _body: None

    def write_all(self, bodies: Sequence[tuple[memoryview, MemberNote, bytes]]) -> tuple[None, Callable[[], None]]:
        for body, _, digest in bodies:
            self.refuse(bytes(body))
            self.written.append(bytes(body))
            self.digests.append(digest)
        if len(self.written) > 1:
            self.second_is_written.set()
        return None, lambda: self._work([bytes(body) for body, _, _ in bodies])

    def _work(self, bodies: Sequence[bytes]) -> None:
        self.waiting_threads.append(threading.current_thread().name)
        self.is_working.set()
        for body in bodies:
            self.wait(body)


def answers_of(
    disk: Disk, *bodies: bytes, is_alone: bool, parts: Sequence[int] = (), then: Callable[[], object] = lambda: None
) -> list[Answer]:
    """What the senders of these objects hear, in the order of the objects.

    Args:
        parts: of the first object so many bytes each are hashed ahead.
        then: is called when the first object was put, before the others are.
    """

    async def keep() -> list[Answer]:
        writing = Writing(disk, lambda: 0 if is_alone else 1 << 30)
        heard: list[asyncio.Future[Answer]] = [asyncio.get_running_loop().create_future() for _ in bodies]
        for number, (body, future) in enumerate(zip(bodies, heard, strict=True)):
            if number == 1:
                then()
            digest, digested = hashlib.sha256(), 0
            for length in parts if number == 0 else ():
                writing.put(Part(digest, memoryview(body)[digested : digested + length]))
                digested += length
            writing.put(Whole(memoryview(body), NOTE, future.set_result, digest, digested))
        disk.all_are_put.set()
        async with asyncio.timeout(SOON):
            answers = await asyncio.gather(*heard)
        await asyncio.to_thread(writing.close)
        return list(answers)

    return asyncio.run(keep())


@pytest.fixture
def disk() -> Disk:
    return Disk()


def test_the_next_object_is_written_while_the_disk_works_on_the_first(disk: Disk) -> None:
    disk.wait = lambda body: body != b"first" or disk.second_is_written.wait(SOON) or pytest.fail("nothing was written meanwhile")
    answers = answers_of(disk, b"first", b"second", is_alone=False, then=lambda: disk.is_working.wait(SOON))
    assert answers == [Answer(Status.SUCCESS, size=5), Answer(Status.SUCCESS, size=6)]


def test_an_object_that_is_alone_is_not_handed_to_the_other_thread(disk: Disk) -> None:
    answers_of(disk, b"alone", is_alone=True)
    answers_of(disk, b"one", is_alone=False)
    assert disk.waiting_threads == ["hilum-dimse-write_on", "hilum-dimse-sync_on"]


@pytest.mark.parametrize("is_alone", [True, False])
def test_no_object_is_answered_before_the_disk_says_so(disk: Disk, is_alone: bool) -> None:
    synced: list[bytes] = []
    disk.wait = synced.append
    answers_of(disk, b"one", b"two", is_alone=is_alone)
    assert sorted(synced) == [b"one", b"two"]


@pytest.mark.parametrize("is_alone", [True, False])
def test_an_object_whose_sync_fails_is_refused(disk: Disk, is_alone: bool) -> None:
    def fail(_body: bytes) -> None:
        raise StorageError("The disk failed.")

    disk.wait = fail
    assert [answer.status for answer in answers_of(disk, b"one", is_alone=is_alone)] == [Status.DISK_FAILED]


def test_an_odd_object_does_not_take_the_others_with_it_and_their_digests_are_their_own(disk: Disk) -> None:
    is_at_gate = threading.Event()

    def refuse(body: bytes) -> None:
        if body == b"gate":
            is_at_gate.set()
            disk.all_are_put.wait(SOON)  # what comes behind it is taken together
        if body == b"odd":
            raise ValueError("no header can be made of it")

    disk.refuse = refuse
    answers = answers_of(disk, b"gate", b"one", b"odd", b"two", is_alone=False, then=lambda: is_at_gate.wait(SOON))
    assert [answer.status for answer in answers] == [Status.SUCCESS, Status.SUCCESS, Status.PROCESSING_FAILURE, Status.SUCCESS]
    assert disk.written == [b"gate", b"one", b"one", b"two"]  # the first time together with the odd one: that append failed
    assert disk.digests == [hashlib.sha256(body).digest() for body in disk.written]


@pytest.mark.parametrize("parts", [(), (5,), (1, 2, 3), (10,)])
def test_what_was_hashed_ahead_and_the_rest_make_the_digest_of_all(disk: Disk, parts: Sequence[int]) -> None:
    answers_of(disk, b"0123456789", is_alone=True, parts=parts)
    assert disk.digests == [hashlib.sha256(b"0123456789").digest()]
