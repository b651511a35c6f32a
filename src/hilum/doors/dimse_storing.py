"""C-STORE (PS3.7 9.1.1, PS3.4 B): objects become members of packs, bit for bit, and are durable before the answer is 0x0000.

    incoming = Incoming(keeper, delivery, context, command, refusal, resume)
    incoming.add(view)                  # as fragments come; `is_ahead`: the disk is behind, stop reading
    incoming.end(answered)              # or incoming.abandon(): nothing is left of it

A member is the File Meta group of the negotiated context (PS3.10 7.1) and behind it the data set exactly as it was received. What fits
in memory is handed over whole to the threads that write and sync (`dimse_writing`). What may wait for the ledger is done in other
threads before, and what does not fit in memory streams into a pack of its own.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Protocol

from hilum.dicom.part10 import file_meta
from hilum.dicom.upperlayer import PresentationContext
from hilum.dicom.upperlayer.messages import CStoreRequest
from hilum.doors.dimse_deliveries import DOOR, Deliveries, Delivery
from hilum.doors.dimse_judging import SHORT_HEAD, Judged, judge_data_set, judge_head, refusal_of
from hilum.doors.dimse_statuses import Answer, Refusal, Status
from hilum.doors.dimse_streaming import Stream, Writer
from hilum.doors.dimse_writing import Part, Whole, Writing
from hilum.doors.dimse_writing import Pool as WritingPool
from hilum.model.members import MemberNote

IMPLEMENTATION_CLASS_UID = "2.25.190438017223829391574261385943129514063"
# Without a version: the same object must become the same bytes, whichever version receives it.
IMPLEMENTATION_VERSION_NAME = "HILUM"

_PREPARED_AT_ONCE = 4
_FIRST_BUFFER_BYTES = 64 << 10
_SPARE_BUFFERS, _LONGEST_SPARE_BYTES = 32, 1 << 20
_STREAMS_AT_ONCE = 32
_DIGESTED_AHEAD_BYTES = 192 << 10  # with fewer, handing them over costs more than it gains


class Pool(WritingPool, Protocol):
    """The open packs of received members."""

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
    """Makes objects durable. Its methods belong to the event loop, but where they say otherwise.

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
        self._preparing = ThreadPoolExecutor(_PREPARED_AT_ONCE, "hilum-dimse-preparing")
        self._writing = Writing(pool, lambda: self.bytes_in_memory)
        self._spare: list[bytearray] = []

    def keep_whole(self, incoming: "Incoming", answered: "Answered") -> None:
        """Store an object that is whole."""
        judged = incoming.judge_head()
        if judged is None or not self.deliveries.knows(incoming.delivery):
            self._prepare_apart(incoming, answered)
        else:
            self._store(incoming, answered, judged.refusal)

    def lend_buffer(self) -> bytearray:
        """Memory for an object: that of an earlier one where there is some, since the first touch of new memory costs as much as a copy."""
        return self._spare.pop() if self._spare else bytearray(_FIRST_BUFFER_BYTES)

    def take_buffer_back(self, buffer: bytearray) -> None:
        """Nobody looks at it any more."""
        if len(self._spare) < _SPARE_BUFFERS and len(buffer) <= _LONGEST_SPARE_BYTES:
            self._spare.append(buffer)

    @property
    def is_full(self) -> bool:
        """Whether objects must not be gathered in memory any more."""
        return self.bytes_in_memory > self.limits.memory_bytes

    def is_alone(self, size: int) -> bool:
        """Whether nothing is under way but so many bytes."""
        return self.bytes_in_memory <= size

    def digest(self, part: Part) -> None:
        """Hash the first bytes of an object while the rest of it comes."""
        self._writing.put(part)

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
            kind="received",
        )

    def release(self, count: int) -> None:
        """So many bytes are not in memory any more."""
        self.bytes_in_memory -= count

    def close(self) -> None:
        """In a thread, when nothing more comes: wait for what is being written."""
        self._preparing.shutdown()
        self._writing.close()
        self.streams.shutdown()

    def _prepare_apart(self, incoming: "Incoming", answered: "Answered") -> None:
        preparing = asyncio.get_running_loop().run_in_executor(self._preparing, self._prepare, incoming)
        preparing.add_done_callback(lambda done: self._store(incoming, answered, done.result()))

    def _prepare(self, incoming: "Incoming") -> Refusal | None:
        """In a thread: what may read long in a data set, or wait for the ledger."""
        try:
            refusal = incoming.judge(incoming.body, is_whole=True)
            if refusal is None:
                self.deliveries.intake_of(incoming.delivery)
        except Exception as error:  # noqa: BLE001 - whatever it is, the sender must hear that nothing is kept
            return refusal_of(error)
        return refusal

    def _store(self, incoming: "Incoming", answered: "Answered", refusal: Refusal | None) -> None:
        tell = partial(_tell, incoming, answered)
        if refusal is not None:
            tell(Answer(refusal.status, refusal.sentence))
        else:
            self._writing.put(incoming.as_whole(self.note(incoming), tell))


Answered = Callable[[Answer], None]
"""Is called in the event loop when an object is durable, or refused."""


def _tell(incoming: "Incoming", answered: Answered, answer: Answer) -> None:
    incoming.forget()
    answered(answer)


class Incoming:
    """One object on its way in.

    Args:
        refusal: why nothing of it will be kept; its bytes are then only counted.
        resume: called when it may be no longer ahead.
    """

    __slots__ = (
        *("_buffer", "_digest", "_digested", "_keeper", "_length", "_meta_length", "_resume", "_stream", "_view"),
        *("command", "context", "delivery", "refusal", "size"),
    )

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
        self.size = 0
        self._stream: Stream | None = None
        self._buffer: bytearray | None = None
        self._length = self._meta_length = self._digested = 0
        self._digest = sha256()
        if refusal is None:
            self._buffer = keeper.lend_buffer()
            self._view = memoryview(self._buffer)
            self._append(_file_meta(command, context))
            self._meta_length = self._length

    @property
    def body(self) -> memoryview:
        """What has come and is not handed on: of an object that is held whole all of it, with its File Meta group."""
        return self._view[: self._length]

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
        self._append(view)
        if self._stream is not None:
            if self._length >= self._keeper.limits.chunk_bytes:
                self._stream.feed(self._take())
        elif self._length >= self._keeper.limits.whole_bytes or (self._keeper.is_full and self._length > SHORT_HEAD):
            self._stream = Stream(self._begin_stream, self._keeper.streams, self._keeper.release, self._resume)
            self._stream.feed(self._take())
        elif self._length - self._digested >= _DIGESTED_AHEAD_BYTES and self._keeper.is_alone(self._length):
            self._keeper.digest(Part(self._digest, self._view[self._digested : self._length]))
            self._digested = self._length

    def as_whole(self, note: MemberNote, tell: Callable[[Answer], object]) -> Whole:
        """All of it, with the digest of what was hashed ahead."""
        return Whole(self.body, note, tell, self._digest, self._digested)

    def end(self, answered: Answered) -> None:
        """All of it is there; the answer comes when it is durable, or refused."""
        if self.refusal is not None:
            answered(Answer(self.refusal.status, self.refusal.sentence))
        elif self._stream is not None:
            self._stream.end(self._take()).add_done_callback(lambda done: answered(done.result()))
        else:
            self._keeper.keep_whole(self, answered)

    def abandon(self) -> None:
        """The rest will not come."""
        if self._stream is not None:
            self._stream.abandon()
        self.forget()

    def forget(self) -> None:
        """Let the memory go."""
        buffer, self._buffer = self._buffer, None
        if buffer is not None:
            self._keeper.release(self._length)
            self._keeper.take_buffer_back(buffer)
            self._length = 0

    def judge_head(self) -> Judged | None:
        """Whether this is the announced data set, where its first bytes show it."""
        return judge_head(self.body, self._meta_length, self.context.transfer_syntax, self.command)

    def judge(self, body: memoryview, *, is_whole: bool) -> Refusal | None:
        """In a thread: whether the data set in these first bytes of the member, or all of it, is the announced one."""
        return judge_data_set(body, self._meta_length, self.context.transfer_syntax, self.command, is_whole=is_whole)

    def _begin_stream(self, head: memoryview) -> Writer | Refusal:
        """In a thread: a place for a large object, once its first chunk shows that it is the announced one."""
        return self.judge(head, is_whole=False) or self._keeper.pool.begin(self._keeper.note(self))

    def _refuse(self, refusal: Refusal) -> None:
        self.abandon()
        self.refusal, self._stream = refusal, None

    def _append(self, octets: bytes | memoryview) -> None:
        end = self._length + len(octets)
        if end > len(self._view):
            self._grow(end)
        self._view[self._length : end] = octets
        self._length = end
        self._keeper.bytes_in_memory += len(octets)

    def _grow(self, least: int) -> None:
        grown = bytearray(1 << (least - 1).bit_length())  # a power of two: what a little larger object needs, too
        grown[: self._length] = self._view[: self._length]
        self._buffer, self._view = grown, memoryview(grown)

    def _take(self) -> memoryview:
        """What has come goes on, and is not this object's any more."""
        taken = self.body
        self._buffer = bytearray(self._keeper.limits.chunk_bytes)
        self._view, self._length = memoryview(self._buffer), 0
        return taken


def _file_meta(command: CStoreRequest, context: PresentationContext) -> bytes:
    """PS3.10 7.1: from the command and the negotiated context alone. The sender's AE title stays beside the image, in the note."""
    return file_meta(
        command.affected_sop_class_uid,
        command.affected_sop_instance_uid,
        context.transfer_syntax,
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
        implementation_version_name=IMPLEMENTATION_VERSION_NAME,
    )
