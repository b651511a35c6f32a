"""C-STORE (PS3.7 9.1.1, PS3.4 B): objects become members of packs, bit for bit, and are durable before the answer is 0x0000.

    incoming = Incoming(keeper, delivery, context, command, refusal, resume)
    incoming.add(view)                  # as fragments come; `is_ahead`: the disk is behind, stop reading
    answer = await incoming.end()       # or incoming.abandon(): nothing is left of it

A member is the File Meta group of the negotiated context (PS3.10 7.1) and behind it the data set exactly as it was received. What fits
in memory is stored whole, together with what came at the same moment; what does not streams into a pack of its own meanwhile.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hilum.dicom.part10 import file_meta
from hilum.dicom.upperlayer import PresentationContext
from hilum.dicom.upperlayer.messages import CStoreRequest
from hilum.doors.dimse_deliveries import DOOR, Deliveries, Delivery
from hilum.doors.dimse_judging import SHORT_HEAD, judge_data_set, refusal_of
from hilum.doors.dimse_statuses import Answer, Refusal, Status
from hilum.doors.dimse_streaming import Stream, Writer
from hilum.model.members import MemberNote, StoredMember

IMPLEMENTATION_CLASS_UID = "2.25.190438017223829391574261385943129514063"
# Without a version: the same object must become the same bytes, whichever version receives it.
IMPLEMENTATION_VERSION_NAME = "HILUM"

_BATCHES_AT_ONCE = 2  # one is written while the other waits for the disk
_MOST_IN_BATCH = 64
_STREAMS_AT_ONCE = 32


class Pool(Protocol):
    """The open packs of received members."""

    def store_all(self, bodies: Sequence[tuple[bytes | bytearray | memoryview, MemberNote, bytes]]) -> list[StoredMember]: ...
    def begin(self, note: MemberNote) -> Writer: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoringLimits:
    """In bytes.

    Args:
        whole_bytes: up to this an object is kept in memory until all of it is there.
        chunk_bytes: larger ones are written by so much.
        memory_bytes: of all objects under way together; with more, all of them are written by chunks.
        instance_bytes: the largest object that is taken.
    """

    whole_bytes: int = 4 << 20
    chunk_bytes: int = 1 << 20
    memory_bytes: int = 512 << 20
    instance_bytes: int = 50 << 30


class Keeper:
    """Makes objects durable. Its own methods belong to the event loop, the work is done in threads.

    Args:
        pool: takes the members.
        deliveries: knows the intakes.
        clock: aware UTC times.
    """

    def __init__(self, pool: Pool, deliveries: Deliveries, limits: StoringLimits, clock: Callable[[], datetime]) -> None:
        self.pool = pool
        self.deliveries = deliveries
        self.limits = limits
        self.streams = ThreadPoolExecutor(_STREAMS_AT_ONCE, "hilum-dimse-streams")
        self.bytes_in_memory = 0
        self._clock = clock
        self._bodies = ThreadPoolExecutor(_BATCHES_AT_ONCE, "hilum-dimse-bodies")
        self._waiting: list[_Waiting] = []
        self._running = 0

    def keep_whole(self, incoming: "Incoming") -> "asyncio.Future[Answer]":
        """Store an object that is whole, with all others that are."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((incoming, answer))
        self._start()
        return answer

    @property
    def is_full(self) -> bool:
        """Whether objects must not be gathered in memory any more."""
        return self.bytes_in_memory > self.limits.memory_bytes

    def note(self, incoming: "Incoming") -> MemberNote:
        """What stands beside a member; may ask the ledger for its intake."""
        sender = incoming.delivery.sender
        return MemberNote(
            project=sender.project,
            door=DOOR,
            received_at=self._clock(),
            intake_id=self.deliveries.intake_of(incoming.delivery),
            sop_instance_uid=incoming.command.affected_sop_instance_uid,
            dataset=sender.dataset,
            calling_ae_title=sender.calling_ae_title,
            called_ae_title=sender.called_ae_title,
            peer=sender.address,
            transfer_syntax_uid=incoming.context.transfer_syntax,
        )

    def release(self, count: int) -> None:
        """So many bytes are not in memory any more."""
        self.bytes_in_memory -= count

    def close(self) -> None:
        """Wait for what is being written."""
        self._bodies.shutdown()
        self.streams.shutdown()

    def _start(self) -> None:
        if not self._waiting or self._running >= _BATCHES_AT_ONCE:
            return
        batch, self._waiting = self._waiting[:_MOST_IN_BATCH], self._waiting[_MOST_IN_BATCH:]
        self._running += 1
        running = asyncio.get_running_loop().run_in_executor(self._bodies, self._keep_all, [incoming for incoming, _ in batch])
        running.add_done_callback(lambda done: self._finish(batch, done))

    def _finish(self, batch: "list[_Waiting]", done: "asyncio.Future[list[Answer]]") -> None:
        self._running -= 1
        self._start()
        for (incoming, waiter), answer in zip(batch, done.result(), strict=True):
            incoming.forget()
            if not waiter.done():
                waiter.set_result(answer)

    def _keep_all(self, batch: "Sequence[Incoming]") -> list[Answer]:
        """In a thread: judge, then store what is sound with one sync."""
        verdicts = [self._prepare(incoming) for incoming in batch]
        sound = [verdict for verdict in verdicts if not isinstance(verdict, Refusal)]
        try:
            if sound:
                self.pool.store_all(sound)
        except Exception as error:  # noqa: BLE001 - whatever it is, the sender must hear that nothing is kept
            refusal = refusal_of(error)
            verdicts = [verdict if isinstance(verdict, Refusal) else refusal for verdict in verdicts]
        return [
            Answer(verdict.status, verdict.sentence) if isinstance(verdict, Refusal) else Answer(Status.SUCCESS, size=len(verdict[0]))
            for verdict in verdicts
        ]

    def _prepare(self, incoming: "Incoming") -> tuple[bytearray, MemberNote, bytes] | Refusal:
        try:
            refusal = incoming.judge(incoming.body, is_whole=True)
            return refusal or (incoming.body, self.note(incoming), hashlib.sha256(incoming.body).digest())
        except Exception as error:  # noqa: BLE001 - one object's trouble must not be the others'
            return refusal_of(error)


class Incoming:
    """One object on its way in.

    Args:
        refusal: why nothing of it will be kept; its bytes are then only counted.
        resume: called when it may be no longer ahead.
    """

    __slots__ = ("_keeper", "_meta_length", "_resume", "_stream", "body", "command", "context", "delivery", "refusal", "size")

    def __init__(
        self,
        keeper: Keeper,
        delivery: Delivery,
        context: PresentationContext,
        command: CStoreRequest,
        refusal: Refusal | None,
        resume: Callable[[], None],
    ) -> None:
        self._keeper = keeper
        self._resume = resume
        self.delivery = delivery
        self.context = context
        self.command = command
        self.refusal = refusal
        self.body = bytearray()
        self.size = 0
        self._stream: Stream | None = None
        self._meta_length = 0
        if refusal is None:
            self.body += _file_meta(command, context)
            self._meta_length = len(self.body)
            self._keeper.bytes_in_memory += self._meta_length

    @property
    def is_ahead(self) -> bool:
        """Whether more has come than the disk has taken: reading should stop for a while."""
        return self._stream is not None and self._stream.is_behind

    def add(self, view: memoryview) -> None:
        """Take the next bytes of the data set."""
        self.size += len(view)
        if self.refusal is not None:
            return
        if self.size > self._keeper.limits.instance_bytes:
            self._refuse(Refusal(Status.TOO_LARGE, "The object is larger than this site takes."))
            return
        self.body += view
        self._keeper.bytes_in_memory += len(view)
        if self._stream is not None:
            if len(self.body) >= self._keeper.limits.chunk_bytes:
                self._stream.feed(self._take())
        elif len(self.body) >= self._keeper.limits.whole_bytes or (self._keeper.is_full and len(self.body) > SHORT_HEAD):
            self._stream = Stream(self._begin_stream, self._keeper.streams, self._keeper.release, self._resume)
            self._stream.feed(self._take())

    def end(self) -> "asyncio.Future[Answer]":
        """All of it is there; the answer comes when it is durable, or refused."""
        if self.refusal is not None:
            answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            answer.set_result(Answer(self.refusal.status, self.refusal.sentence))
            return answer
        if self._stream is not None:
            return self._stream.end(self._take())
        return self._keeper.keep_whole(self)

    def abandon(self) -> None:
        """The rest will not come."""
        if self._stream is not None:
            self._stream.abandon()
        self.forget()

    def forget(self) -> None:
        """Let the memory go."""
        self._keeper.release(len(self.body))
        self.body = bytearray()

    def judge(self, body: bytearray, *, is_whole: bool) -> Refusal | None:
        """In a thread: whether the data set in these first bytes of the member, or all of it, is the announced one."""
        return judge_data_set(body, self._meta_length, self.context.transfer_syntax, self.command, is_whole=is_whole)

    def _begin_stream(self, head: bytearray) -> Writer | Refusal:
        """In a thread: a place for a large object, once its first chunk shows that it is the announced one."""
        return self.judge(head, is_whole=False) or self._keeper.pool.begin(self._keeper.note(self))

    def _refuse(self, refusal: Refusal) -> None:
        self.abandon()
        self.refusal, self._stream = refusal, None

    def _take(self) -> bytearray:
        taken, self.body = self.body, bytearray()
        return taken


_Waiting = tuple[Incoming, asyncio.Future[Answer]]


def _file_meta(command: CStoreRequest, context: PresentationContext) -> bytes:
    """PS3.10 7.1: from the command and the negotiated context alone. The sender's AE title stays beside the image, in the note."""
    return file_meta(
        command.affected_sop_class_uid,
        command.affected_sop_instance_uid,
        context.transfer_syntax,
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
        implementation_version_name=IMPLEMENTATION_VERSION_NAME,
    )
