"""Two cores back to back, and what they say to each other."""

from collections.abc import Callable
from typing import Any

import pytest

from hilum.dicom.upperlayer import (
    AssociateRequest,
    AssociateRequested,
    Association,
    DataSetFragment,
    Event,
    Limits,
    Negotiated,
    Policy,
    Role,
    UserInformation,
    negotiate,
)
from hilum.dicom.upperlayer.items import MaximumLength, PresentationContextProposed

VERIFICATION = "1.2.840.10008.1.1"
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


class Side:
    """An association and all it has said; data sets are put together again, because here they are small."""

    def __init__(self, association: Association) -> None:
        self.association = association
        self.events: list[Event] = []
        self.data_sets: list[bytes] = []
        self._open = bytearray()

    def receive(self, octets: bytes) -> None:
        """As a transport would: into the buffer, as much as there is room, then all events."""
        rest = memoryview(octets)
        while rest:
            room = self.association.get_buffer(-1)
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            self.association.buffer_updated(count)
            rest = rest[count:]
            self.read()

    def read(self) -> None:
        while (event := self.association.next_event()) is not None:
            if isinstance(event, DataSetFragment):
                self._keep(event)
            else:
                self.events.append(event)

    def _keep(self, fragment: DataSetFragment) -> None:
        self._open += fragment.view
        if fragment.is_last:
            self.data_sets.append(bytes(self._open))
            self._open.clear()

    def taken(self) -> bytes:
        """All that is to be sent."""
        octets = bytearray()
        while buffers := self.association.data_to_send():
            for buffer in buffers:
                octets += buffer
        return bytes(octets)

    def last(self) -> Event:
        return self.events[-1]


class Pair:
    """A requestor and an acceptor with a transport between them that loses nothing."""

    def __init__(self, request: AssociateRequest, policy: Policy, limits: Limits) -> None:
        self.requestor = Side(Association(Role.REQUESTOR, limits))
        self.acceptor = Side(Association(Role.ACCEPTOR, limits))
        self.policy = policy
        self.request = request

    def exchange(self) -> None:
        """Until neither has anything to say."""
        while (there := self.requestor.taken()) + (back := self.acceptor.taken()):
            self.acceptor.receive(there)
            self.requestor.receive(back)

    def connect(self) -> None:
        self.requestor.association.associate(self.request)
        assert self.requestor.association.must_connect
        self.requestor.association.connection_opened()
        self.acceptor.association.connection_opened()
        self.exchange()

    def establish(self) -> "Pair":
        self.connect()
        self.establish_answer()
        return self

    def establish_answer(self) -> None:
        asked = self.acceptor.last()
        assert isinstance(asked, AssociateRequested)
        answer = negotiate(asked.request, self.policy)
        assert isinstance(answer, Negotiated)
        self.acceptor.association.accept(answer)
        self.exchange()


def _request(*contexts: PresentationContextProposed, maximum_length: int = 0x4000, items: tuple[Any, ...] = ()) -> AssociateRequest:
    usual = (
        PresentationContextProposed(1, VERIFICATION, (IMPLICIT,)),
        PresentationContextProposed(3, CT_IMAGE_STORAGE, (EXPLICIT, IMPLICIT)),
    )
    return AssociateRequest(
        called_ae_title="ANY-SCP",
        calling_ae_title="ECHOSCU",
        presentation_contexts=contexts or usual,
        user_information=UserInformation((MaximumLength(maximum_length), *items)),
    )


def _policy(**settings: Any) -> Policy:
    return Policy(**{"implementation_class_uid": "1.2.3.4", "implementation_version_name": "TEST", **settings})


@pytest.fixture(scope="session")
def make_request() -> Callable[..., AssociateRequest]:
    """An A-ASSOCIATE-RQ for C-ECHO in context 1 and CT in context 3, or for the contexts given."""
    return _request


@pytest.fixture(scope="session")
def make_policy() -> Callable[..., Policy]:
    return _policy


@pytest.fixture(scope="session")
def make_side() -> Callable[[Association], Side]:
    return Side


@pytest.fixture(scope="session")
def make_pair() -> Callable[..., Pair]:
    def make(request: AssociateRequest | None = None, policy: Policy | None = None, limits: Limits | None = None) -> Pair:
        return Pair(request or _request(), policy or _policy(), limits or Limits())

    return make


@pytest.fixture
def pair(make_pair: Callable[..., Pair]) -> Pair:
    """An association between two cores."""
    return make_pair().establish()
