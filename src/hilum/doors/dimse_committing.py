"""Storage commitment on one association (PS3.4 J): asked for by N-ACTION, answered, reported by N-EVENT-REPORT while it lasts."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from hilum.dicom.upperlayer import Association, CommandReceived, DataSetFragment, PresentationContext
from hilum.dicom.upperlayer.messages import NActionRequest, NActionResponse, NEventReportResponse
from hilum.doors.dimse_commitment import (
    MOST_BYTES,
    REQUEST_STORAGE_COMMITMENT,
    STORAGE_COMMITMENT_INSTANCE,
    CommitmentRequest,
    encode_report,
    make_report,
    read_request,
)
from hilum.doors.dimse_deliveries import Sender
from hilum.doors.dimse_statuses import Status
from hilum.model.records import OwedReport


class Office(Protocol):
    """The ledger's part."""

    async def commit(self, request: CommitmentRequest, sender: Sender) -> OwedReport | None: ...
    def note_report(self, owed: OwedReport, *, is_told: bool) -> None: ...


@dataclass(slots=True)
class _Asked:
    """An N-ACTION-RQ, while its data set comes."""

    event: CommandReceived
    command: NActionRequest
    sender: Sender
    size: int = 0
    body: bytearray = field(default_factory=bytearray)

    def add(self, view: memoryview) -> None:
        self.size += len(view)
        if self.size <= MOST_BYTES:
            self.body += view

    def judge(self, context: PresentationContext) -> CommitmentRequest | Status:
        """The request, or why it is refused (PS3.7 10.1.4.1.10)."""
        command = self.command
        if command.requested_sop_class_uid != context.abstract_syntax:
            return Status.NO_SUCH_SOP_CLASS
        if command.requested_sop_instance_uid != STORAGE_COMMITMENT_INSTANCE:
            return Status.NO_SUCH_SOP_INSTANCE
        if command.action_type_id != REQUEST_STORAGE_COMMITMENT:
            return Status.NO_SUCH_ACTION
        if self.size > MOST_BYTES:
            return Status.RESOURCE_LIMITATION
        request = None if self.event.faults else read_request(self.body, context.transfer_syntax)
        return Status.INVALID_ARGUMENT_VALUE if request is None else request


class Committing:
    """All requests of one association. Its methods belong to the event loop.

    Args:
        settle: is called when there is something to send, or nothing to wait for any more.
    """

    def __init__(self, office: Office, association: Association, settle: Callable[[], None]) -> None:
        self._office = office
        self._association = association
        self._settle = settle
        self._asked: _Asked | None = None
        self._answering: set[asyncio.Task[None]] = set()
        self._owed: deque[tuple[int, OwedReport]] = deque()  # by presentation context; the first may be under way
        self._message_id = 0
        self._is_reporting = self._is_over = False

    @property
    def outstanding(self) -> int:
        """How many requests wait for their answer."""
        return len(self._answering)

    def ask(self, event: CommandReceived, command: NActionRequest, sender: Sender) -> None:
        """An N-ACTION-RQ has come."""
        self._asked = _Asked(event, command, sender)
        if not event.has_data_set:
            self._judge(self._asked)

    def add(self, fragment: DataSetFragment) -> None:
        """The next bytes of its data set."""
        if self._asked is not None:
            self._asked.add(fragment.view)
            if fragment.is_last:
                self._judge(self._asked)

    def hear(self, response: NEventReportResponse) -> None:
        """The peer's answer to a report."""
        if self._is_reporting and response.message_id_being_responded_to == self._message_id:
            self._is_reporting = False
            _, owed = self._owed.popleft()
            self._office.note_report(owed, is_told=response.status == Status.SUCCESS)
            self._report_next()

    def end(self) -> None:
        """The association is over: what was not confirmed is told on one of our own (PS3.4 J.3.3)."""
        self._is_over = True
        while self._owed:
            self._office.note_report(self._owed.popleft()[1], is_told=False)

    def _judge(self, asked: _Asked) -> None:
        self._asked = None
        task = asyncio.get_running_loop().create_task(self._answer(asked))
        self._answering.add(task)
        task.add_done_callback(self._answered)

    def _answered(self, task: "asyncio.Task[None]") -> None:
        self._answering.discard(task)
        self._settle()

    async def _answer(self, asked: _Asked) -> None:
        context_id = asked.event.context_id
        verdict = asked.judge(self._association.contexts[context_id])
        owed = await self._office.commit(verdict, asked.sender) if isinstance(verdict, CommitmentRequest) else None
        if self._is_over:
            if owed is not None:
                self._office.note_report(owed, is_told=False)
            return
        status = verdict if isinstance(verdict, Status) else Status.SUCCESS if owed else Status.PROCESSING_FAILURE
        response = NActionResponse(
            message_id_being_responded_to=asked.command.message_id,
            status=status,
            affected_sop_class_uid=asked.command.requested_sop_class_uid or None,
            affected_sop_instance_uid=asked.command.requested_sop_instance_uid or None,
            action_type_id=asked.command.action_type_id,
        )
        self._association.send_message(context_id, response)
        if owed is not None:
            self._owed.append((context_id, owed))
            self._report_next()

    def _report_next(self) -> None:
        # PS3.7 D.3.3.3: no window was negotiated for operations of ours, so one at a time; to a peer that leaves, none.
        if self._is_reporting or not self._owed or self._association.may_answer_release:
            return
        context_id, owed = self._owed[0]
        self._is_reporting = True
        self._message_id = self._message_id % 0xFFFF + 1
        data_set = encode_report(owed.commitment, self._association.contexts[context_id].transfer_syntax)
        self._association.send_message(context_id, make_report(owed.commitment, self._message_id), data_set)
