"""Every filled cell of PS3.8 Table 9-10, driven through an association and without a socket."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from pynetdicom import fsm

from hilum.dicom.upperlayer import (
    Aborted,
    AssociateAccepted,
    AssociateRejected,
    AssociateRequested,
    Association,
    ConnectionLost,
    LocalProtocolError,
    PeerProtocolError,
    Policy,
    ReleaseConfirmed,
    ReleaseRequested,
    Role,
    negotiate,
)
from hilum.dicom.upperlayer.messages import CEchoRequest
from hilum.dicom.upperlayer.negotiation import PresentationContext
from hilum.dicom.upperlayer.pdus import (
    PDU_HEADER,
    Abort,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    PDataTF,
    PresentationDataValue,
    ReleaseRequest,
    ReleaseResponse,
)
from hilum.dicom.upperlayer.states import ACTIONS, EVENTS, STATES, TRANSITIONS

RQ, AC, RJ, DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
USER, PROVIDER = 0, 2

# What PS3.8 Tables 9-6 to 9-9 say of each action: next state, PDU sent, indication, ARTIM (True: started, False: stopped), closing.
# AA-1, AA-7 and AA-8 give the source of their A-ABORT; AE-6 and AR-8 are asked both ways below.
EXPECTED: dict[str, tuple[str, int | None, type | None, bool | None, bool]] = {
    "AE-1": ("Sta4", None, None, None, False),
    "AE-2": ("Sta5", RQ, None, None, False),
    "AE-3": ("Sta6", None, AssociateAccepted, None, False),
    "AE-4": ("Sta1", None, AssociateRejected, None, True),
    "AE-5": ("Sta2", None, None, True, False),
    "AE-6": ("Sta3", None, AssociateRequested, False, False),
    "AE-7": ("Sta6", AC, None, None, False),
    "AE-8": ("Sta13", RJ, None, True, False),
    "DT-1": ("Sta6", DATA, None, None, False),
    "DT-2": ("Sta6", None, None, None, False),
    "AR-1": ("Sta7", RELEASE_RQ, None, None, False),
    "AR-2": ("Sta8", None, ReleaseRequested, None, False),
    "AR-3": ("Sta1", None, ReleaseConfirmed, None, True),
    "AR-4": ("Sta13", RELEASE_RP, None, True, False),
    "AR-5": ("Sta1", None, None, False, False),
    "AR-6": ("Sta7", None, None, None, False),
    "AR-7": ("Sta8", DATA, None, None, False),
    "AR-8": ("Sta9", None, ReleaseRequested, None, False),
    "AR-9": ("Sta11", RELEASE_RP, None, None, False),
    "AR-10": ("Sta12", None, ReleaseConfirmed, None, False),
    "AA-1": ("Sta13", ABORT, None, True, False),
    "AA-2": ("Sta1", None, None, False, True),
    "AA-3": ("Sta1", None, Aborted, None, True),
    "AA-4": ("Sta1", None, ConnectionLost, None, False),
    "AA-5": ("Sta1", None, None, False, False),
    "AA-6": ("Sta13", None, None, None, False),
    "AA-7": ("Sta13", ABORT, None, None, False),
    "AA-8": ("Sta13", ABORT, None, True, False),
}
ABORT_SOURCES = {"AA-1": USER, "AA-7": PROVIDER, "AA-8": PROVIDER}
# In these the transport connection is new or closing, and only in these does ARTIM run before the event.
WITH_ARTIM = {"Sta2", "Sta13"}


@pytest.fixture(scope="module")
def request_pdu(make_request: Callable[..., AssociateRequest]) -> AssociateRequest:
    return make_request()


def in_state(state: str, request: AssociateRequest, role: Role = Role.REQUESTOR) -> Association:
    """An association as it stands in a state, without the way there: cells that no way leads to are tried as well."""
    association = Association(role)
    association.state = state
    association.request = request
    association.contexts[1] = PresentationContext(1, "1.2.840.10008.1.1", "1.2.840.10008.1.2")
    association._waiting.artim_is_running = state in WITH_ARTIM
    return association


def role_for(event: str) -> Role:
    return Role.ACCEPTOR if event == "Evt5" else Role.REQUESTOR


def happen(association: Association, event: str, request: AssociateRequest, policy: Policy) -> None:
    """Make an event of PS3.8 happen: by a call where it is ours, by bytes where it is the peer's."""
    accepted = negotiate(request, policy)
    ours: dict[str, Callable[[], Any]] = {
        "Evt1": lambda: association.associate(request),
        "Evt2": association.connection_opened,
        "Evt5": association.connection_opened,
        "Evt7": lambda: association.accept(accepted),  # type: ignore[arg-type]
        "Evt8": lambda: association.reject(1, 1, 7),
        "Evt9": lambda: association.send_message(1, CEchoRequest(message_id=1)),
        "Evt11": association.release,
        "Evt14": association.answer_release,
        "Evt15": association.abort,
        "Evt17": association.connection_lost,
        "Evt18": association.timed_out,
    }
    if event in ours:
        ours[event]()
        return
    value = PresentationDataValue(1, b"\0\0", is_command=True, is_last=False)
    accept = AssociateAccept(called_ae_title="", calling_ae_title="", presentation_contexts=accepted.presentation_contexts)  # type: ignore[union-attr]
    theirs = {
        "Evt3": accept.encode(),
        "Evt4": AssociateReject(1, 1, 1).encode(),
        "Evt6": request.encode(),
        "Evt10": PDataTF((value,)).encode(),
        "Evt12": ReleaseRequest().encode(),
        "Evt13": ReleaseResponse().encode(),
        "Evt16": Abort(0, 0).encode(),
        "Evt19": b"GET / HTTP/1.1\r\n",
    }
    octets = theirs[event]
    association.get_buffer()[: len(octets)] = octets
    association.buffer_updated(len(octets))


def test_the_table_is_that_of_the_standard_as_pynetdicom_has_it() -> None:
    assert TRANSITIONS == fsm.TRANSITION_TABLE
    assert (len(STATES), len(EVENTS), len(ACTIONS), len(TRANSITIONS)) == (13, 19, 28, 123)
    assert STATES == fsm.STATES
    assert {label: outcomes(label) for label in ACTIONS} == {label: as_tuple(row[2]) for label, row in fsm.ACTIONS.items()}


def outcomes(label: str) -> tuple[str, ...]:
    action = ACTIONS[label]
    return (action.outcome.next_state, *([action.otherwise.next_state] if action.otherwise else []))


def as_tuple(states: str | tuple[str, ...]) -> tuple[str, ...]:
    return (states,) if isinstance(states, str) else states


def test_every_label_of_the_table_exists_and_every_action_is_used() -> None:
    assert {event for event, _ in TRANSITIONS} == set(EVENTS)
    assert {state for _, state in TRANSITIONS} == set(STATES)
    assert set(TRANSITIONS.values()) == set(ACTIONS) == set(EXPECTED)


@pytest.mark.parametrize(("event", "state"), TRANSITIONS, ids=lambda label: label)
def test_a_cell_does_what_its_action_says(
    event: str, state: str, request_pdu: AssociateRequest, make_policy: Callable[..., Policy]
) -> None:
    label = TRANSITIONS[event, state]
    next_state, sent, indication, artim, closes = EXPECTED[label]
    association = in_state(state, request_pdu, role_for(event))
    association._request_pdu = request_pdu.encode()
    happen(association, event, request_pdu, make_policy())
    is_peers_fault = label in ("AA-1", "AA-8") and event != "Evt15"
    if is_peers_fault:
        with pytest.raises(PeerProtocolError) as caught:
            association.next_event()
        assert caught.value.abort_source == ABORT_SOURCES[label]
    said = association.next_event()

    assert association.state == next_state
    assert (None if indication is None else indication) == (None if said is None else type(said))
    octets = b"".join(bytes(buffer) for buffer in association.data_to_send())
    assert (octets[0] if octets else None) == sent
    if sent == ABORT:
        assert octets[8] == ABORT_SOURCES[label]
    assert association._waiting.artim_is_running is (state in WITH_ARTIM if artim is None else artim)
    assert association.must_close is closes
    assert association.must_connect is (label == "AE-1")


OURS = ("Evt1", "Evt2", "Evt5", "Evt7", "Evt8", "Evt9", "Evt11", "Evt14", "Evt15")


@pytest.mark.parametrize(("event", "state"), [cell for cell in product(OURS, STATES) if cell not in TRANSITIONS])
def test_an_empty_cell_of_ours_is_a_local_protocol_error(
    event: str, state: str, request_pdu: AssociateRequest, make_policy: Callable[..., Policy]
) -> None:
    association = in_state(state, request_pdu, role_for(event))
    with pytest.raises(LocalProtocolError):
        happen(association, event, request_pdu, make_policy())
    assert association.state == state
    assert not association.has_data_to_send


@pytest.mark.parametrize("event", ["Evt3", "Evt4", "Evt6", "Evt10", "Evt12", "Evt13", "Evt16", "Evt19"])
@pytest.mark.parametrize("state", ["Sta1", "Sta4"])
def test_bytes_before_there_is_a_connection_are_a_bug_of_ours(
    event: str, state: str, request_pdu: AssociateRequest, make_policy: Callable[..., Policy]
) -> None:
    association = in_state(state, request_pdu)
    happen(association, event, request_pdu, make_policy())
    with pytest.raises(LocalProtocolError):
        association.next_event()


def test_being_told_that_the_connection_we_closed_is_closed_changes_nothing() -> None:
    association = Association(Role.ACCEPTOR)
    association.connection_lost()
    assert association.state == "Sta1"
    assert association.next_event() is None


def test_ae_6_refuses_another_protocol_version_by_itself(make_request: Callable[..., AssociateRequest]) -> None:
    octets = bytearray(make_request().encode())
    octets[PDU_HEADER.size : PDU_HEADER.size + 2] = b"\0\2"
    association = Association(Role.ACCEPTOR)
    association.connection_opened()
    association.get_buffer()[: len(octets)] = octets
    association.buffer_updated(len(octets))
    assert association.next_event() == AssociateRejected(1, 2, 2)
    assert association.state == "Sta13"
    assert association.data_to_send() == [AssociateReject(1, 2, 2).encode()]


def test_ar_8_leads_the_acceptor_to_the_other_state(request_pdu: AssociateRequest, make_policy: Callable[..., Policy]) -> None:
    association = in_state("Sta7", request_pdu, Role.ACCEPTOR)
    happen(association, "Evt12", request_pdu, make_policy())
    assert association.next_event() == ReleaseRequested(is_collision=True)
    assert association.state == "Sta10"
    assert not association.may_answer_release
