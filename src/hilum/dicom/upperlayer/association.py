"""One association, either side of it: bytes in, events out (PS3.8 7 and 9.2). No socket, no thread, no clock.

    association = Association(Role.ACCEPTOR)
    association.connection_opened()
    # when the transport has bytes:
    count = socket.recv_into(association.get_buffer())
    association.buffer_updated(count)
    while (event := association.next_event()) is not None: ...     # PeerProtocolError: the A-ABORT is ready to be sent
    # whenever there may be something to send:
    socket.sendall / transport.writelines(association.data_to_send())
    if association.must_close: ...
    # and a clock for `association.deadline` that calls `timed_out()`

What happens in which state is not here: `states` has the table, this does what its actions say.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import partial

from hilum.dicom.upperlayer.commandsets import Octets, encode_command_set
from hilum.dicom.upperlayer.errors import AbortReason, AbortSource, LocalProtocolError, PeerProtocolError
from hilum.dicom.upperlayer.events import (
    Aborted,
    AssociateAccepted,
    AssociateRejected,
    AssociateRequested,
    CommandReceived,
    ConnectionLost,
    Event,
    ReleaseConfirmed,
    ReleaseRequested,
)
from hilum.dicom.upperlayer.fragments import SHORTEST_PDU, CutPDU, MessageReader, cut_command, cut_data_set
from hilum.dicom.upperlayer.items import MaximumLength
from hilum.dicom.upperlayer.limits import Limits
from hilum.dicom.upperlayer.messages import Message
from hilum.dicom.upperlayer.negotiation import Agreement, Negotiated, PresentationContext, agree, contexts_of
from hilum.dicom.upperlayer.pdus import (
    Abort,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    ReleaseRequest,
    ReleaseResponse,
    UserInformation,
    decode_pdu,
)
from hilum.dicom.upperlayer.receiving import PDataStarted, PDUReader, Piece, ValueFragment
from hilum.dicom.upperlayer.repeating import Repeated
from hilum.dicom.upperlayer.states import ACTIONS, EVENTS, STATES, TRANSITIONS, Effect, Outcome
from hilum.dicom.upperlayer.waiting import Deadline, Waiting

# PS3.8 D.1 wants every requestor and acceptor to say what it receives; from one that does not, what most peers take.
_UNSAID_MAXIMUM_LENGTH = 0x4000
_SENT_AT_ONCE = 0x100000
_VERSION_REFUSED = AssociateReject(1, 2, 2).encode()  # PS3.8 Table 9-21
_RELEASED = ReleaseResponse().encode()
_P_DATA_ARRIVED = "Evt10"
# DT-2 and AR-6 indicate P-DATA and do nothing else: asked here, since the table is long for what comes several times an image.
_P_DATA_IS_TAKEN = {state for state in STATES if TRANSITIONS.get((_P_DATA_ARRIVED, state)) in ("DT-2", "AR-6")}


class Role(StrEnum):
    """Who asked for the association (PS3.8 7.1)."""

    REQUESTOR = "association-requestor"
    ACCEPTOR = "association-acceptor"


class Association:
    """The upper layer's service-provider for one association.

    Args:
        spare: receive buffers, as `PDUReader` shares them.
        repeated: requests that came before; for the same limits.

    Attributes:
        role: this side's.
        limits: what the peer may ask of it.
        state: the label of PS3.8 Tables 9-1 to 9-5, "Sta1" to "Sta13".
        request: the A-ASSOCIATE-RQ, once it is known.
        contexts: the accepted presentation contexts by number; empty until there is an association.
        must_connect, must_close: whether the driver is to open or close the transport connection, once what is to be sent is sent.
    """

    def __init__(
        self, role: Role, limits: Limits | None = None, spare: list[memoryview] | None = None, repeated: Repeated | None = None
    ) -> None:
        self.role = role
        self.limits = limits or Limits()
        self.state = "Sta1"
        self.request: AssociateRequest | None = None
        self.contexts: dict[int, PresentationContext] = {}
        self.must_connect = self.must_close = False
        self._reader = PDUReader(self.limits, spare)
        self._decode = partial(decode_pdu, limits=self.limits) if repeated is None else repeated.decode_pdu
        self._messages = MessageReader(self.limits, self.contexts)
        self._events: deque[Event] = deque()
        self._outgoing: deque[bytes | Iterator[CutPDU]] = deque()
        self._request_pdu = b""
        self._sent_pdu_length = self.limits.sent_pdu_length
        self._fault: PeerProtocolError | None = None
        self._takes_p_data = False
        self._waiting = Waiting(self.limits)

    # What the transport says

    def connection_opened(self) -> None:
        """The transport connection is there: for the acceptor a new one, for the requestor the one `associate` asked for."""
        self.must_connect = False
        if self.role is Role.ACCEPTOR:
            self._process("Evt5")
        else:
            self._process("Evt2", self._request_pdu)

    def connection_lost(self) -> None:
        """The transport connection is gone, whoever closed it. Read all events before: nothing is read after."""
        # PS3.8 9.2: in Sta1 this side closed it, and Table 9-10 has no cell for being told so
        if self.state != "Sta1":
            self._process("Evt17", indication=ConnectionLost())
        self.must_connect = self.must_close = False
        self._reader.close()

    def get_buffer(self, _size_hint: int = -1) -> memoryview:
        """Room for received bytes (asyncio.BufferedProtocol.get_buffer). The views of earlier DataSetFragments are released.

        Raises:
            LocalProtocolError: such a view is still exported, or `next_event` was not called until None.
        """
        return self._reader.get_buffer()

    def buffer_updated(self, count: int) -> None:
        """`count` bytes were written to the room of the last `get_buffer`."""
        self._reader.buffer_updated(count)

    def timed_out(self) -> None:
        """The time of `deadline` is over."""
        if self._waiting.artim_is_running:
            self._process("Evt18")
        elif self.deadline is not None:
            self.abort()

    def next_event(self) -> Event | None:
        """What happened next, or None: more bytes are needed.

        Raises:
            PeerProtocolError: the peer broke PS3.7, PS3.8 or a limit. The A-ABORT is in `data_to_send`, the state is Sta13.
            LocalProtocolError: a view of an earlier DataSetFragment is still exported.
        """
        while not self._events:
            try:
                piece = self._reader.next_piece()
                if piece is None:
                    self._reader.rest()
                    return None
                event = self._take(piece)
                if event is not None:
                    return event
            except PeerProtocolError as error:
                self._answer_fault(error)
            if self._fault is not None:
                fault, self._fault = self._fault, None
                raise fault
        return self._events.popleft()

    # What the service-user asks for

    def associate(self, request: AssociateRequest) -> None:
        """A-ASSOCIATE request: connect (`must_connect`), then send it."""
        request_pdu = request.encode()
        self._process("Evt1")
        self.request, self._request_pdu = request, request_pdu

    def accept(self, answer: Negotiated | Agreement) -> None:
        """A-ASSOCIATE response (accept), with what `negotiation.negotiate` found."""
        request = self.request
        if request is None:
            raise LocalProtocolError("There is no A-ASSOCIATE-RQ to accept.")
        try:
            agreement = answer if isinstance(answer, Agreement) else agree(request, answer)
        except ValueError as error:
            raise LocalProtocolError(str(error)) from error
        self._process("Evt7", agreement.response)
        self.contexts.update(agreement.contexts)
        self._reader.expect_data()

    def reject(self, result: int, source: int, reason: int) -> None:
        """A-ASSOCIATE response (reject); the numbers are those of `pdus.AssociateReject`."""
        self._process("Evt8", AssociateReject(result, source, reason).encode())

    def send_message(self, context_id: int, message: Message, data_set: Octets | Iterable[Octets] | None = None) -> None:
        """P-DATA request: a message, its data set as bytes or in pieces, taken as `data_to_send` is called.

        Raises:
            LocalProtocolError: there is no association, the context is not accepted, or the message cannot be encoded.
        """
        if context_id not in self.contexts:
            raise LocalProtocolError(f"Presentation context {context_id} is not accepted.")
        command_set = encode_command_set(message, has_data_set=data_set is not None)
        self._process("Evt9", cut_command(context_id, command_set, self._sent_pdu_length))
        if data_set is not None:
            self._outgoing.append(cut_data_set(context_id, data_set, self._sent_pdu_length))
        self._waiting.note_sent(message)

    def release(self) -> None:
        """A-RELEASE request; ReleaseConfirmed follows."""
        self._process("Evt11", ReleaseRequest().encode())

    def answer_release(self) -> None:
        """A-RELEASE response."""
        self._process("Evt14", _RELEASED)

    @property
    def may_answer_release(self) -> bool:
        """Whether the peer waits for `answer_release`: after ReleaseRequested, in a collision perhaps only after ReleaseConfirmed."""
        return ("Evt14", self.state) in TRANSITIONS

    @property
    def may_abort(self) -> bool:
        """Whether there is something to abort; before and after, the driver simply closes the connection."""
        return ("Evt15", self.state) in TRANSITIONS

    def abort(self, source: int = AbortSource.SERVICE_USER, reason: int = AbortReason.NOT_SPECIFIED) -> None:
        """A-ABORT request. What was queued of data sets is not sent any more."""
        self._process("Evt15", Abort(source, reason).encode())

    # What the driver is to do

    @property
    def has_data_to_send(self) -> bool:
        """Whether `data_to_send` has something."""
        return bool(self._outgoing)

    def data_to_send(self, size: int = _SENT_AT_ONCE) -> list[Octets]:
        """The next buffers for the transport, in order: about `size` bytes, ending where a PDU ends. Empty: nothing to send.

        A data set given in pieces is read here, so its reader's exceptions come out here; `abort` is then what is left to do.
        """
        taken: list[Octets] = []
        while self._outgoing and size > 0:
            first = self._outgoing[0]
            buffers: tuple[Octets, ...] | None = (first,) if isinstance(first, bytes) else next(first, None)
            if buffers is None or isinstance(first, bytes):
                self._outgoing.popleft()
            for buffer in buffers or ():
                taken.append(buffer)
                size -= len(buffer)
        return taken

    @property
    def deadline(self) -> Deadline | None:
        """What should happen until when; None: this side is to act, or nothing is."""
        return self._waiting.deadline(self.state, self._messages.is_in_message)

    # The state machine

    def _process(self, event: str, pdu: bytes = b"", indication: Event | None = None, *, holds: bool = True, reason: int = 0) -> Outcome:
        """PS3.8 Table 9-10: what this event does in this state.

        Args:
            event: the standard's label.
            pdu: what an action that sends would send.
            indication: what an action that indicates would say.
            holds: the answer to the question of AE-6 or AR-8.
            reason: why an A-ABORT of the service-provider is sent.
        """
        label = TRANSITIONS.get((event, self.state))
        if label is None:
            raise LocalProtocolError(f"{EVENTS[event]}: not possible in {self.state}, {STATES[self.state]}.")
        action = ACTIONS[label]
        outcome = action.outcome if holds or action.otherwise is None else action.otherwise
        for effect in outcome.effects:
            self._do(effect, pdu, indication, reason)
        if self.state != outcome.next_state:
            self.state = outcome.next_state
            self._waiting.begin_anew()
        return outcome

    def _do(self, effect: Effect, pdu: bytes, indication: Event | None, reason: int) -> None:
        match effect:
            case Effect.SEND:
                self._outgoing.append(pdu)
            case Effect.INDICATE:
                if indication is not None:
                    self._events.append(indication)
            case Effect.SEND_USER_ABORT:
                self._send_abort(pdu or Abort(AbortSource.SERVICE_USER, AbortReason.NOT_SPECIFIED).encode())
            case Effect.SEND_PROVIDER_ABORT:
                self._send_abort(Abort(AbortSource.SERVICE_PROVIDER, reason).encode())
            case Effect.INDICATE_PROVIDER_ABORT:
                pass  # `_arrived` notes it as a fault, which `next_event` raises
            case Effect.START_ARTIM | Effect.STOP_ARTIM:
                self._waiting.artim_is_running = effect is Effect.START_ARTIM
                self._waiting.begin_anew()
            case Effect.CONNECT:
                self.must_connect = True
            case Effect.CLOSE:
                self.must_close = True
                self._reader.stop()

    def _send_abort(self, pdu: bytes) -> None:
        # Data sets end here, between two PDUs; responses that are already encoded go out before.
        self._takes_p_data = False
        self._outgoing = deque(waiting for waiting in self._outgoing if isinstance(waiting, bytes))
        self._outgoing.append(pdu)

    # What the peer sent

    def _take(self, piece: Piece) -> Event | None:
        if isinstance(piece, ValueFragment):
            return self._take_fragment(piece) if self._takes_p_data else None
        if isinstance(piece, PDataStarted):
            self._takes_p_data = self.state in _P_DATA_IS_TAKEN
            if not self._takes_p_data:
                self._arrived(_P_DATA_ARRIVED)  # AA-6 ignores it; what else there is aborts
            return None
        match self._decode(piece.pdu_type, piece.body):
            case AssociateRequest() as request:
                self._take_request(request)
            case AssociateAccept() as response:
                self._take_response(response)
            case AssociateReject(result, source, reason):
                self._arrived("Evt4", AssociateRejected(result, source, reason))
            case ReleaseRequest():
                # A collision is what the table says it is: a request that comes while ours is unanswered
                is_collision = TRANSITIONS.get(("Evt12", self.state)) == "AR-8"
                self._arrived("Evt12", ReleaseRequested(is_collision), holds=self.role is Role.REQUESTOR)
            case ReleaseResponse():
                self._arrived("Evt13", ReleaseConfirmed())
            case Abort(source, reason):
                self._arrived("Evt16", Aborted(source, reason))
        return None

    def _take_request(self, request: AssociateRequest) -> None:
        sent_pdu_length = self._sent_length(request.user_information)
        # PS3.8 9.3.2: of the protocol version only bit 0 is tested
        is_acceptable = bool(request.protocol_version & 1)
        event = AssociateRequested(request) if is_acceptable else AssociateRejected(1, 2, 2)
        outcome = self._arrived("Evt6", event, _VERSION_REFUSED, holds=is_acceptable)
        if Effect.INDICATE in outcome.effects:
            self.request, self._sent_pdu_length = request, sent_pdu_length

    def _take_response(self, response: AssociateAccept) -> None:
        contexts: dict[int, PresentationContext] = {}
        sent_pdu_length = self._sent_length(response.user_information)
        if self.request is not None:
            try:
                contexts = contexts_of(self.request, response.presentation_contexts, response.user_information)
            except ValueError as error:
                raise PeerProtocolError(str(error)) from error
        if Effect.INDICATE in self._arrived("Evt3", AssociateAccepted(response)).effects:
            self.contexts.update(contexts)
            self._sent_pdu_length = sent_pdu_length

    def _sent_length(self, information: UserInformation) -> int:
        """PS3.8 D.1: how long our P-DATA-TF PDUs may be for this peer."""
        said = information.first(MaximumLength)
        maximum = _UNSAID_MAXIMUM_LENGTH if said is None else said.maximum_length
        if 0 < maximum < SHORTEST_PDU:
            raise PeerProtocolError(f"A maximum length of {maximum} leaves no room for a fragment.")
        return min(maximum or self.limits.sent_pdu_length, self.limits.sent_pdu_length)

    def _take_fragment(self, fragment: ValueFragment) -> Event | None:
        self._waiting.note_progress(len(fragment.view))
        event = self._messages.feed(fragment)
        if isinstance(event, CommandReceived):
            self._waiting.note_received(event.command)
        return event

    def _arrived(
        self,
        event: str,
        indication: Event | None = None,
        pdu: bytes = b"",
        *,
        holds: bool = True,
        fault: PeerProtocolError | None = None,
    ) -> Outcome:
        """Process what the peer sent. Where the action is an abort (PS3.8 AA-1, AA-8) the fault is noted, to be raised."""
        before = self.state
        reason = AbortReason.UNEXPECTED_PDU if fault is None else fault.abort_reason
        outcome = self._process(event, pdu, indication, holds=holds, reason=reason)
        sends_user_abort = Effect.SEND_USER_ABORT in outcome.effects
        if not sends_user_abort and Effect.SEND_PROVIDER_ABORT not in outcome.effects:
            return outcome
        if before == "Sta13":
            # AA-7: the association is over and the peer knows why. One A-ABORT more is enough.
            self._reader.stop()
            return outcome
        sentence = f"{EVENTS[event]}: not possible in {before}, {STATES[before]}." if fault is None else str(fault)
        source, reason = (AbortSource.SERVICE_USER, 0) if sends_user_abort else (AbortSource.SERVICE_PROVIDER, reason)
        self._fault = PeerProtocolError(sentence, source, reason)
        return outcome

    def _answer_fault(self, error: PeerProtocolError) -> None:
        """What breaks PS3.8 is an invalid PDU; what breaks PS3.7 is aborted by DIMSE, the service-user."""
        self._arrived("Evt15" if error.abort_source == AbortSource.SERVICE_USER else "Evt19", fault=error)
        self._reader.stop()
