"""One connection of the DIMSE door: an asyncio transport around the sans-IO association (`hilum.dicom.upperlayer`)."""

import asyncio
from functools import partial
from typing import Protocol, cast

from hilum.dicom.upperlayer import (
    Aborted,
    AssociateReject,
    AssociateRejected,
    AssociateRequest,
    AssociateRequested,
    Association,
    CommandReceived,
    ConnectionLost,
    DataSetFragment,
    Deadline,
    Event,
    Limits,
    PeerProtocolError,
    ReleaseRequested,
    Repeated,
    Role,
)
from hilum.dicom.upperlayer.messages import (
    CEchoRequest,
    CEchoResponse,
    CStoreRequest,
    CStoreResponse,
    NActionRequest,
    NEventReportResponse,
    Request,
    make_response,
)
from hilum.dicom.upperlayer.negotiation import VERIFICATION
from hilum.doors.dimse_admission import Admission, Rejection
from hilum.doors.dimse_clock import Clock
from hilum.doors.dimse_commitment import STORAGE_COMMITMENT
from hilum.doors.dimse_committing import Committing, Office
from hilum.doors.dimse_deliveries import Deliveries, Delivery, Sender
from hilum.doors.dimse_judging import refuse_command
from hilum.doors.dimse_statuses import Answer, Status
from hilum.doors.dimse_storing import Incoming, Keeper
from hilum.doors.dimse_watching import Counts, Record

OUTSTANDING = 8  # operations of one association that wait for their answer; with more, reading stops
_CLOSE_SECONDS = 5.0  # for the last bytes to reach a peer that does not read


class Door(Office, Protocol):
    """What a connection needs of the house it belongs to."""

    limits: Limits
    repeated: Repeated
    spare_buffers: list[memoryview]
    keeper: Keeper
    deliveries: Deliveries
    counts: Counts

    def opened(self, connection: "Connection") -> None: ...
    def requested(self, connection: "Connection") -> Rejection | None: ...
    def admit_now(self, request: AssociateRequest, address: str) -> Admission | None: ...
    async def admit(self, request: AssociateRequest, address: str) -> Admission | Rejection: ...
    def leave(self, connection: "Connection") -> None: ...
    def closed(self, connection: "Connection") -> None: ...


class Connection(asyncio.BufferedProtocol):
    """From accept to close. All methods belong to the event loop."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._loop = asyncio.get_running_loop()
        self._association = Association(Role.ACCEPTOR, door.limits, door.spare_buffers, door.repeated)
        self._clock = Clock(self._loop, self._overdue)
        self._transport: asyncio.Transport
        self._delivery: Delivery | None = None
        self._incoming: Incoming | None = None
        self._committing = Committing(door, self._association, self._progress)
        self._storing = 0  # C-STOREs that wait for their answer
        self._is_paused = self._is_writing_paused = self._is_over = self._is_stopping = False
        self._admitting: asyncio.Task[None] | None = None
        self.record: Record

    @property
    def _outstanding(self) -> int:
        return self._storing + self._committing.outstanding

    @property
    def address(self) -> str:
        """The peer's."""
        return self.record.address

    # --- what the transport says ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.record = Record(str(peer[0]) if peer else "", self._loop.time())
        self._association.connection_opened()
        self._door.opened(self)
        self._pace()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._association.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        self._association.buffer_updated(nbytes)
        self._read()

    def pause_writing(self) -> None:
        self._is_writing_paused = True
        self._pace()

    def resume_writing(self) -> None:
        self._is_writing_paused = False
        self._settle()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - how it was lost makes no difference
        self._clock.stop()
        if self._admitting is not None:
            self._admitting.cancel()
        self._association.connection_lost()
        self._take_all()
        self.record.end("closed")
        self._finish()
        self._door.closed(self)
        self.record.log(self._loop.time())

    def stop(self) -> None:
        """The server stops: what waits for its answer gets it, then the association is aborted."""
        self._is_stopping = True
        if self._outstanding == 0:
            self.abort("stopped")

    def abort(self, ended: str, reason: str = "") -> None:
        """End it from this side."""
        self.record.end(ended, reason)
        if self._association.may_abort:
            self._association.abort()
            self._finish()
            self._settle()
        else:
            self._transport.abort()

    def cut(self) -> None:
        """Let nothing more be waited for."""
        self.record.end("stopped")
        self._transport.abort()

    # --- what the association says ---

    def _read(self) -> None:
        self._take_all()
        self._settle()

    def _take_all(self) -> None:
        try:
            while (event := self._association.next_event()) is not None:
                self._take(event)
        except PeerProtocolError as error:
            self.record.end("aborted", str(error))
            self._finish()

    def _take(self, event: Event) -> None:
        match event:
            case DataSetFragment():
                self._take_fragment(event)
            case CommandReceived():
                self._take_command(event)
            case AssociateRequested(request):
                self._take_request(request)
            case AssociateRejected():
                self.record.end("rejected", "The protocol version is not supported.")
            case ReleaseRequested():
                self.record.end("released")
                self._drop_incoming()
                self._answer_release()
            case Aborted(source):
                self.record.end("aborted by peer", f"source {source}")
                self._finish()
            case ConnectionLost():
                self.record.end("lost")
                self._finish()

    def _take_request(self, request: AssociateRequest) -> None:
        self.record.calling_ae_title, self.record.called_ae_title = request.calling_ae_title, request.called_ae_title
        rejection = self._door.requested(self)
        if rejection is not None:
            self._reject(rejection)
        elif (admission := self._door.admit_now(request, self.address)) is not None:
            self._accept(request, admission)
        else:
            self._admitting = self._loop.create_task(self._admit(request))

    async def _admit(self, request: AssociateRequest) -> None:
        verdict = await self._door.admit(request, self.address)
        self._admitting = None
        if self._is_over:
            return
        if isinstance(verdict, Rejection):
            self._reject(verdict)
        else:
            self._accept(request, verdict)
        self._settle()

    def _reject(self, rejection: Rejection) -> None:
        response = rejection.response
        self.record.end("rejected", rejection.sentence)
        self._association.reject(response.result, response.source, response.reason)
        self._door.leave(self)

    def _accept(self, request: AssociateRequest, admission: Admission) -> None:
        answer = self._door.repeated.answer(request)
        if isinstance(answer, AssociateReject):
            self._reject(Rejection(answer, "The application context or an AE title is not valid."))
            return
        self._association.accept(answer)
        self.record.is_association, self.record.project = True, admission.project
        titles = (request.calling_ae_title, request.called_ae_title)
        how = (admission.quiet_seconds, admission.quarantine)
        self._delivery = Delivery(Sender(admission.project, admission.dataset, *titles, self.address, *how))

    # --- messages ---

    def _take_command(self, event: CommandReceived) -> None:
        abstract_syntax = self._association.contexts[event.context_id].abstract_syntax
        match event.command:
            case CStoreRequest() as command:
                self._take_store(event, command)
            case CEchoRequest() as command if abstract_syntax == VERIFICATION:
                self._answer_echo(event, command)
            case NActionRequest() as command if abstract_syntax == STORAGE_COMMITMENT and self._delivery is not None:
                self._committing.ask(event, command, self._delivery.sender)
            case NEventReportResponse() as response:
                self._committing.hear(response)
            case Request() as request:
                # PS3.7 C.5.21: not one of the operations of what was negotiated; a data set that follows is dropped
                self._association.send_message(event.context_id, make_response(request, Status.UNRECOGNIZED_OPERATION))

    def _answer_echo(self, event: CommandReceived, command: CEchoRequest) -> None:
        self.record.echoes += 1
        self._door.counts.echoes += 1
        response = CEchoResponse(
            message_id_being_responded_to=command.message_id,
            status=Status.MISTYPED_ARGUMENT if event.faults else Status.SUCCESS,
            affected_sop_class_uid=VERIFICATION,
        )
        self._association.send_message(event.context_id, response)

    def _take_store(self, event: CommandReceived, command: CStoreRequest) -> None:
        context = self._association.contexts[event.context_id]
        if self._delivery is None:
            return
        incoming = Incoming(self._door.keeper, self._delivery, context, command, refuse_command(event, context), self._pace)
        if event.has_data_set:
            self._incoming = incoming
        else:
            self._await_answer(incoming)

    def _take_fragment(self, fragment: DataSetFragment) -> None:
        incoming = self._incoming
        if incoming is None:
            self._committing.add(fragment)
            return
        incoming.add(fragment.view)
        if fragment.is_last:
            self._incoming = None
            self._await_answer(incoming)

    def _await_answer(self, incoming: Incoming) -> None:
        self._storing += 1
        incoming.end(partial(self._answer_store, incoming, self._loop.time()))

    def _answer_store(self, incoming: Incoming, ended_at: float, answer: Answer) -> None:
        self._storing -= 1
        if self._is_over:
            return  # nobody hears it; what is kept is kept
        self.record.note_answer(answer)
        self._door.counts.note_reply(answer, self._loop.time() - ended_at)
        command = incoming.command
        response = CStoreResponse(
            message_id_being_responded_to=command.message_id,
            status=answer.status,
            affected_sop_class_uid=command.affected_sop_class_uid or None,
            affected_sop_instance_uid=command.affected_sop_instance_uid or None,
            error_comment=answer.sentence or None,
        )
        self._association.send_message(incoming.context.context_id, response)
        self._progress()

    def _progress(self) -> None:
        """A request was answered: what waited for that goes on."""
        if self._is_over:
            return
        self._answer_release()
        self._settle()
        if self._is_stopping and self._outstanding == 0:
            self.abort("stopped")

    def _answer_release(self) -> None:
        """PS3.8 7.2.2: after all answers."""
        if self._outstanding == 0 and self._association.may_answer_release:
            self._association.answer_release()
            self._finish()

    # --- the end ---

    def _drop_incoming(self) -> None:
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.abandon()

    def _finish(self) -> None:
        """The association is over, however."""
        if self._is_over:
            return
        self._is_over = True
        self._drop_incoming()
        self._committing.end()
        if self._delivery is not None:
            self._door.deliveries.end(self._delivery, interrupted=self.record.ended != "released")

    # --- the transport ---

    def _settle(self) -> None:
        """Send what is to be sent, close what is to be closed, wind the clock."""
        while self._association.has_data_to_send and not self._is_writing_paused:
            self._transport.writelines(self._association.data_to_send())
        if self._association.must_close and not self._transport.is_closing():
            self._close()
        self._pace()

    def _close(self) -> None:
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._loop.call_later(_CLOSE_SECONDS, self._transport.abort)

    def _pace(self) -> None:
        """Read only as fast as the disk takes and the peer hears; time stands still meanwhile."""
        is_ahead = self._incoming is not None and self._incoming.is_ahead
        should_pause = (is_ahead or self._outstanding >= OUTSTANDING or self._is_writing_paused) and not self._is_over
        if should_pause != self._is_paused and not self._transport.is_closing():
            self._is_paused = should_pause
            if should_pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()
        self._clock.wind(None if self._is_paused else self._association.deadline)

    def _overdue(self, deadline: Deadline) -> None:
        self.record.end("timed out", f"waited {deadline.seconds:g} s for {deadline.awaited}")
        self._association.timed_out()
        if not self._association.must_close:
            self._finish()
        self._read()
