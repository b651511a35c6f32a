"""An association that this side asks for, over a blocking socket: C-ECHO of a peer, and N-EVENT-REPORT on an association of our own.

with Requestor(address, request) as peer:
    response = peer.ask(1, CEchoRequest(message_id=1))
"""

import socket
import ssl
import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Self

from hilum.dicom.upperlayer import (
    Aborted,
    AssociateAccepted,
    AssociateRejected,
    AssociateRequest,
    Association,
    CommandReceived,
    ConnectionLost,
    DataSetFragment,
    Event,
    Limits,
    ReleaseConfirmed,
    ReleaseRequested,
    Role,
    UpperLayerError,
    UserInformation,
)
from hilum.dicom.upperlayer.commandsets import Octets
from hilum.dicom.upperlayer.items import ImplementationClassUID, ImplementationVersionName, MaximumLength, PresentationContextProposed
from hilum.dicom.upperlayer.messages import CEchoRequest, Request, Response
from hilum.dicom.upperlayer.negotiation import UNCOMPRESSED, VERIFICATION
from hilum.doors.dimse_handshake import reason_of
from hilum.doors.dimse_storing import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from hilum.model.errors import HilumError

_REJECTIONS = {
    (1, 1): "it gave no reason",
    (1, 2): "it does not know DICOM's application context",
    (1, 3): "it does not know our AE title",
    (1, 7): "it is not called so",
    (3, 1): "it is too busy",
    (3, 2): "it has too many associations",
}
"""PS3.8 Table 9-21: (source, reason) as words."""


CERTIFICATES = "Look at the certificates of both sides, and at their dates (`hilum doctor`)."


class AssociationError(HilumError):
    """A peer could not be asked; the sentence says at which step."""

    kind = "association"


class Address(NamedTuple):
    """Where a peer listens, and how it is spoken to."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def make_request(called: str, calling: str, contexts: Sequence[PresentationContextProposed], *more: object) -> AssociateRequest:
    """An A-ASSOCIATE-RQ of ours; `more` are further user items (role selection)."""
    usual = (
        MaximumLength(0x40000),
        ImplementationClassUID(IMPLEMENTATION_CLASS_UID),
        ImplementationVersionName(IMPLEMENTATION_VERSION_NAME),
    )
    information = UserInformation((*usual, *more))  # type: ignore[arg-type]  # items of the negotiation, in any number
    return AssociateRequest(
        called_ae_title=called, calling_ae_title=calling, presentation_contexts=tuple(contexts), user_information=information
    )


class Requestor:
    """One association, made in `__enter__` and released in `__exit__`.

    Args:
        address: where the peer listens.
        request: what is proposed.
        limits: how long it may take; by default 10 s a step.

    Raises:
        AssociationError: from any call: no connection, rejected, aborted, silent.
    """

    def __init__(self, address: Address, request: AssociateRequest, limits: Limits | None = None) -> None:
        self._address = address
        self._request = request
        self.association = Association(Role.REQUESTOR, limits or _PATIENCE)
        self._socket: socket.socket | None = None
        self._events: deque[Event] = deque()

    def __enter__(self) -> Self:
        try:
            self._connect()
            self.association.associate(self._request)
            self.association.connection_opened()
            self._wait_for(AssociateAccepted)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None and self.association.state == "Sta6":
                self.association.release()
                self._wait_for(ReleaseConfirmed)
        finally:
            self._close()

    def ask(self, context_id: int, message: Request, data_set: Octets | None = None) -> Response:
        """Send a request and wait for its response; a data set that follows it is dropped."""
        self.association.send_message(context_id, message, data_set)
        while True:
            event = self._wait_for(CommandReceived)
            if isinstance(event, CommandReceived) and isinstance(event.command, Response):
                return event.command

    def _connect(self) -> None:
        try:
            self._socket = socket.create_connection(self._address[:2], self.association.limits.connection_seconds)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._address.tls is not None:
                self._socket = self._address.tls.wrap_socket(self._socket, server_hostname=self._address.host)
        except ssl.SSLError as error:
            raise AssociationError(f"{self._address} and we do not agree on TLS: {reason_of(error)}.", CERTIFICATES) from error
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise AssociationError(f"{self._address} cannot be reached: {reason}.", "Look at host, port and network.") from error

    def _wait_for(self, wanted: type[Event]) -> Event:
        """The next event of this kind."""
        deadline = self.association.deadline
        until = time.monotonic() + (deadline.seconds if deadline is not None else self.association.limits.artim_seconds)
        while True:
            self._send()
            while self._events:
                event = self._events.popleft()
                if isinstance(event, wanted):
                    return event
                self._refuse(event)
            self._receive(until)

    def _refuse(self, event: Event) -> None:
        match event:
            case AssociateRejected(_, source, reason):
                words = _REJECTIONS.get((source, reason), f"source {source}, reason {reason}")
                raise AssociationError(f"{self._address} rejected the association: {words}.", "Compare the AE titles of both sides.")
            case Aborted() | ConnectionLost() | ReleaseRequested():
                raise AssociationError(f"{self._address} ended the association.", "Look at its log.")

    def _send(self) -> None:
        assert self._socket is not None  # noqa: S101 between __enter__ and __exit__
        try:
            while buffers := self.association.data_to_send():
                for buffer in buffers:
                    self._socket.sendall(buffer)
        except OSError as error:
            raise AssociationError(f"{self._address} does not take what is sent to it.", "Look at its log.") from error

    def _receive(self, until: float) -> None:
        assert self._socket is not None  # noqa: S101 between __enter__ and __exit__
        try:
            self._socket.settimeout(max(until - time.monotonic(), 0.001))
            count = self._socket.recv_into(self.association.get_buffer())
        except TimeoutError as error:
            raise AssociationError(f"{self._address} does not answer.", "Is it a DICOM peer? Look at its log.") from error
        except ssl.SSLError as error:
            # TLS 1.3 lets the peer refuse our certificate when for us the handshake is over.
            raise AssociationError(f"{self._address} refuses our TLS: {reason_of(error)}.", CERTIFICATES) from error
        except OSError as error:
            raise AssociationError(f"{self._address} broke the connection.", "Look at its log.") from error
        self._take(count)

    def _take(self, count: int) -> None:
        if count == 0:
            self.association.connection_lost()
        self.association.buffer_updated(count)
        try:
            while (event := self.association.next_event()) is not None:
                if not isinstance(event, DataSetFragment):
                    self._events.append(event)
        except UpperLayerError as error:
            raise AssociationError(f"{self._address} breaks the protocol: {error}", "Is it a DICOM peer?") from error
        if count == 0 and not self._events:
            raise AssociationError(f"{self._address} closed the connection.", "Look at its log.")

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


_PATIENCE = Limits(
    connection_seconds=10, artim_seconds=10, association_seconds=10, response_seconds=10, release_seconds=5, progress_seconds=10
)


def echo(address: Address, called: str, calling: str) -> float:
    """C-ECHO. Returns the seconds from request to response.

    Raises:
        AssociationError: it was not answered with success.
    """
    request = make_request(called, calling, [PresentationContextProposed(1, VERIFICATION, UNCOMPRESSED)])
    with Requestor(address, request) as peer:
        if 1 not in peer.association.contexts:
            raise AssociationError(f"{address} does not answer C-ECHO.", "It took the association all the same.")
        began_at = time.monotonic()
        response = peer.ask(1, CEchoRequest(message_id=1))
        if response.status != 0:
            raise AssociationError(f"{address} answered C-ECHO with status {response.status:04X}.", "Look at its log.")
        return time.monotonic() - began_at
