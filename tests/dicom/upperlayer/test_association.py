"""Two cores back to back in memory: what one side says the other side hears, and nothing is lost or made up."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hilum.dicom.upperlayer import (
    Aborted,
    AssociateAccepted,
    AssociateRejected,
    AssociateRequest,
    AssociateRequested,
    Association,
    Awaited,
    CommandReceived,
    ConnectionLost,
    Limits,
    LocalProtocolError,
    PeerProtocolError,
    ReleaseConfirmed,
    ReleaseRequested,
    Role,
)
from hilum.dicom.upperlayer.items import PresentationContextProposed, PresentationContextResult
from hilum.dicom.upperlayer.messages import (
    CCancelRequest,
    CEchoRequest,
    CEchoResponse,
    CFindRequest,
    CFindResponse,
    CStoreRequest,
    CStoreResponse,
    NEventReportRequest,
)
from hilum.dicom.upperlayer.negotiation import PresentationContext
from hilum.dicom.upperlayer.pdus import Abort, AssociateAccept, PDataTF, PresentationDataValue, ReleaseResponse, decode_pdu

CT = "1.2.840.10008.5.1.4.1.1.2"
ECHO = CEchoRequest(message_id=1)
STORE = CStoreRequest(message_id=2, affected_sop_class_uid=CT, affected_sop_instance_uid="1.2.3")
MEGABYTE = random.Random(1).randbytes(1 << 20)


def pdus_of(octets: bytes) -> list[Any]:
    found = []
    while octets:
        end = 6 + int.from_bytes(octets[2:6], "big")
        found.append(decode_pdu(octets[0], memoryview(octets)[6:end], Limits()))
        octets = octets[end:]
    return found


def data_value(octets: bytes, *, context_id: int = 1, is_command: bool = True, is_last: bool = True) -> bytes:
    return PDataTF((PresentationDataValue(context_id, octets, is_command, is_last),)).encode()


def test_both_sides_know_the_same_contexts(pair: Any) -> None:
    assert isinstance(pair.requestor.last(), AssociateAccepted)
    assert pair.requestor.association.contexts == pair.acceptor.association.contexts
    assert pair.acceptor.association.contexts[3] == PresentationContext(3, CT, "1.2.840.10008.1.2.1")
    assert pair.acceptor.association.state == pair.requestor.association.state == "Sta6"


def test_an_echo_is_answered(pair: Any) -> None:
    pair.requestor.association.send_message(1, ECHO)
    pair.exchange()
    assert pair.acceptor.last() == CommandReceived(1, ECHO, False)
    answer = CEchoResponse(message_id_being_responded_to=1, status=0)
    pair.acceptor.association.send_message(1, answer)
    pair.exchange()
    assert pair.requestor.last() == CommandReceived(1, answer, False)


@pytest.mark.parametrize("maximum_length", [8, 9, 0x4000, 0x40000, 0])
def test_a_store_of_a_megabyte_arrives_byte_for_byte(
    maximum_length: int, make_pair: Callable[..., Any], make_policy: Callable[..., Any]
) -> None:
    data_set = MEGABYTE if maximum_length > 9 else MEGABYTE[:5000]
    pair = make_pair(policy=make_policy(maximum_length=maximum_length)).establish()
    pair.requestor.association.send_message(3, STORE, data_set)
    pair.exchange()
    assert pair.acceptor.last() == CommandReceived(3, STORE, True)
    assert pair.acceptor.data_sets == [data_set]


def test_no_pdu_is_longer_than_the_peer_takes(make_pair: Callable[..., Any], make_policy: Callable[..., Any]) -> None:
    pair = make_pair(policy=make_policy(maximum_length=1001)).establish()
    pair.requestor.association.send_message(3, STORE, MEGABYTE[:10_000])
    lengths = [len(pdu.encode()) - 6 for pdu in pdus_of(pair.requestor.taken())]
    assert max(lengths) == 1000  # PS3.8 E.1: a fragment has an even number of bytes
    assert len(lengths) == 1 + 11


def test_a_peer_that_takes_any_length_gets_our_own_limit(make_pair: Callable[..., Any], make_policy: Callable[..., Any]) -> None:
    pair = make_pair(policy=make_policy(maximum_length=0), limits=Limits(sent_pdu_length=0x1000)).establish()
    pair.requestor.association.send_message(3, STORE, MEGABYTE[:10_000])
    assert max(len(pdu.encode()) - 6 for pdu in pdus_of(pair.requestor.taken())) == 0x1000


def test_a_data_set_is_sent_without_a_copy_and_taken_as_it_is_asked_for(pair: Any) -> None:
    read: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(64):
            read.append(number)
            yield MEGABYTE[number * 0x4000 : (number + 1) * 0x4000]

    association = pair.requestor.association
    association.send_message(3, STORE, pieces())
    first = association.data_to_send(0x8000)
    assert len(read) < 6
    assert any(isinstance(buffer, memoryview) for buffer in first)
    pair.acceptor.receive(b"".join(first))
    pair.exchange()
    assert pair.acceptor.data_sets == [MEGABYTE]


@pytest.mark.parametrize("data_set", [b"", [], [b""], [b"ab", b"", b"cd"], bytearray(b"abc"), [b"ab", b"c"]])
def test_small_and_odd_data_sets_end_once(pair: Any, data_set: Any) -> None:
    pair.requestor.association.send_message(3, STORE, data_set)
    pair.requestor.association.send_message(1, ECHO)
    pair.exchange()
    assert pair.acceptor.data_sets == [b"".join([data_set] if isinstance(data_set, bytes | bytearray) else data_set)]
    assert pair.acceptor.last() == CommandReceived(1, ECHO, False)


def test_an_odd_piece_that_is_not_the_last_is_our_fault(pair: Any) -> None:
    pair.requestor.association.send_message(3, STORE, [b"abc", b"d"])
    with pytest.raises(LocalProtocolError):
        pair.requestor.taken()
    pair.requestor.association.abort()
    assert pdus_of(pair.requestor.taken()) == [Abort(0, 0)]


def test_pending_answers_a_cancel_and_the_final_answer_pass(pair: Any) -> None:
    find = CFindRequest(message_id=5, affected_sop_class_uid="1.2.840.10008.5.1.4.1.2.2.1")
    pair.requestor.association.send_message(3, find, b"identifier")
    pair.exchange()
    for status, data_set in ((0xFF00, b"match1"), (0xFE00, None)):
        pair.acceptor.association.send_message(3, CFindResponse(message_id_being_responded_to=5, status=status), data_set)
    pair.requestor.association.send_message(3, CCancelRequest(message_id_being_responded_to=5))
    pair.exchange()
    assert [event.command.status for event in pair.requestor.events[1:]] == [0xFF00, 0xFE00]
    assert pair.requestor.data_sets == [b"match1"]
    assert pair.acceptor.last() == CommandReceived(3, CCancelRequest(message_id_being_responded_to=5), False)


def test_the_acceptor_may_send_requests_too(pair: Any) -> None:
    report = NEventReportRequest(message_id=9, affected_sop_class_uid="1.2", affected_sop_instance_uid="1.3", event_type_id=1)
    pair.acceptor.association.send_message(1, report, b"ab")
    pair.exchange()
    assert pair.requestor.last() == CommandReceived(1, report, True)
    assert pair.requestor.data_sets == [b"ab"]


def test_a_release_is_asked_for_and_confirmed(pair: Any) -> None:
    pair.requestor.association.release()
    pair.exchange()
    assert pair.acceptor.last() == ReleaseRequested(is_collision=False)
    assert pair.acceptor.association.may_answer_release
    pair.acceptor.association.answer_release()
    pair.exchange()
    assert pair.requestor.last() == ReleaseConfirmed()
    assert (pair.requestor.association.state, pair.requestor.association.must_close) == ("Sta1", True)
    pair.acceptor.association.connection_lost()
    assert pair.acceptor.association.state == "Sta1"


def test_data_that_cross_a_release_request_still_arrive(pair: Any) -> None:
    pair.requestor.association.release()
    pair.acceptor.association.send_message(1, ECHO)
    pair.requestor.receive(pair.acceptor.taken())
    assert pair.requestor.last() == CommandReceived(1, ECHO, False)
    pair.exchange()
    pair.acceptor.association.send_message(1, ECHO)  # AR-7: answers to what was asked before may still be sent
    pair.exchange()
    assert pair.requestor.association.state == "Sta7"


def test_a_release_collision_ends_as_the_standard_draws_it(pair: Any) -> None:
    requestor, acceptor = pair.requestor.association, pair.acceptor.association
    requestor.release()
    acceptor.release()
    pair.exchange()
    assert pair.requestor.last() == pair.acceptor.last() == ReleaseRequested(is_collision=True)
    assert (requestor.state, acceptor.state) == ("Sta9", "Sta10")
    assert (requestor.may_answer_release, acceptor.may_answer_release) == (True, False)
    requestor.answer_release()
    pair.exchange()
    assert pair.acceptor.last() == ReleaseConfirmed()
    assert (requestor.state, acceptor.state) == ("Sta11", "Sta12")
    acceptor.answer_release()
    pair.exchange()
    assert pair.requestor.last() == ReleaseConfirmed()
    assert (requestor.state, acceptor.state) == ("Sta1", "Sta13")
    assert requestor.must_close


def test_a_rejection_says_why_and_closes(make_pair: Callable[..., Any]) -> None:
    pair = make_pair()
    pair.connect()
    pair.acceptor.association.reject(1, 1, 7)
    pair.exchange()
    assert pair.requestor.last() == AssociateRejected(1, 1, 7)
    assert (pair.requestor.association.state, pair.requestor.association.must_close) == ("Sta1", True)
    assert (pair.acceptor.association.state, pair.acceptor.association.must_close) == ("Sta13", False)


def conversation(pair: Any) -> Iterator[str]:
    """A whole association, step by step."""
    requestor, acceptor = pair.requestor.association, pair.acceptor.association
    pair.connect()
    yield "requested"
    pair.establish_answer()
    yield "accepted"
    requestor.send_message(1, ECHO)
    yield "echo queued"
    pair.exchange()
    yield "echo received"
    acceptor.send_message(1, CEchoResponse(message_id_being_responded_to=1, status=0))
    pair.exchange()
    yield "echo answered"
    requestor.send_message(3, STORE, MEGABYTE[:100_000])
    yield "store queued"
    pair.acceptor.receive(b"".join(requestor.data_to_send(40_000)))
    yield "store half sent"
    pair.exchange()
    yield "store received"
    acceptor.send_message(3, CStoreResponse(message_id_being_responded_to=2, status=0))
    yield "store answer queued"
    pair.exchange()
    requestor.release()
    yield "release queued"
    pair.exchange()
    yield "release received"


STEPS = 11


@pytest.mark.parametrize("step", range(STEPS))
@pytest.mark.parametrize("who", ["requestor", "acceptor"])
def test_either_side_may_abort_at_every_point(who: str, step: int, make_pair: Callable[..., Any]) -> None:
    pair = make_pair()
    for count, _ in enumerate(conversation(pair)):
        if count == step:
            break
    aborting, other = getattr(pair, who), pair.acceptor if who == "requestor" else pair.requestor
    assert aborting.association.may_abort
    aborting.association.abort()
    pair.exchange()
    assert aborting.association.state == "Sta13"
    assert aborting.association.deadline.awaited is Awaited.ARTIM
    assert Aborted(0, 0) in other.events
    assert (other.association.state, other.association.must_close) == ("Sta1", True)
    aborting.association.timed_out()
    assert (aborting.association.state, aborting.association.must_close) == ("Sta1", True)


@pytest.mark.parametrize("step", range(STEPS))
@pytest.mark.parametrize("who", ["requestor", "acceptor"])
def test_a_lost_connection_is_noticed_at_every_point(who: str, step: int, make_pair: Callable[..., Any]) -> None:
    pair = make_pair()
    for count, _ in enumerate(conversation(pair)):
        if count == step:
            break
    side = getattr(pair, who)
    side.association.connection_lost()
    side.read()
    assert side.last() == ConnectionLost()
    assert side.association.state == "Sta1"


def test_an_abort_keeps_answers_and_drops_the_rest_of_a_data_set(pair: Any) -> None:
    requestor = pair.requestor.association
    requestor.send_message(3, STORE, MEGABYTE)
    requestor.data_to_send(20_000)
    requestor.send_message(1, CEchoResponse(message_id_being_responded_to=8, status=0))
    requestor.abort(2, 0)
    assert [type(pdu) for pdu in pdus_of(pair.requestor.taken())] == [PDataTF, Abort]


FAULTS = {
    "an unknown context": (data_value(b"\0\0", context_id=99), 2, 6),
    "data without a command": (data_value(b"\0\0", is_command=False), 2, 5),
    "another context inside a message": (data_value(b"\0\0", is_last=False) + data_value(b"\0\0", context_id=3), 2, 5),
    "an unreadable command": (data_value(b"\0\0"), 0, 0),
    "too long a command": (data_value(bytes(0x4002), is_last=False), 2, 6),
    "no such PDU": (b"GET / HTTP/1.1\r\n\r\n", 2, 1),
    "a PDU that may not come": (ReleaseResponse().encode(), 2, 2),
    "a second request": (b"", 2, 2),
}


@pytest.mark.parametrize(("octets", "source", "reason"), FAULTS.values(), ids=FAULTS)
def test_a_fault_of_the_peer_is_raised_once_and_answered_with_an_abort(
    octets: bytes, source: int, reason: int, pair: Any, make_request: Callable[..., AssociateRequest]
) -> None:
    with pytest.raises(PeerProtocolError) as caught:
        pair.acceptor.receive(octets or make_request().encode())
    assert (caught.value.abort_source, caught.value.abort_reason) == (source, reason)
    assert pdus_of(pair.acceptor.taken()) == [Abort(source, reason)]
    assert pair.acceptor.association.state == "Sta13"
    for _ in range(3):
        pair.acceptor.receive(b"whatever comes then" * 1000)
    # PS3.8 AA-7: an invalid PDU after our A-ABORT gets another one, and what follows cannot be told apart any more
    assert len(pair.acceptor.taken()) <= len(Abort(2, 1).encode())


def test_a_command_inside_a_data_set_is_the_peers_fault(pair: Any) -> None:
    pair.requestor.association.send_message(3, STORE, MEGABYTE)
    pair.acceptor.receive(b"".join(pair.requestor.association.data_to_send(0x4000)))
    with pytest.raises(PeerProtocolError) as caught:
        pair.acceptor.receive(data_value(b"\0\0", context_id=3))
    assert caught.value.abort_reason == 5


def test_a_peer_that_sends_on_after_our_abort_is_ignored_even_inside_a_pdu(pair: Any) -> None:
    pair.requestor.association.send_message(3, STORE, MEGABYTE)
    octets = pair.requestor.taken()
    pair.acceptor.receive(octets[:1000])
    pair.acceptor.association.abort()
    pair.acceptor.taken()
    said = len(pair.acceptor.events)
    pair.acceptor.receive(octets[1000:])
    assert (len(pair.acceptor.events), pair.acceptor.data_sets) == (said, [])
    assert not pair.acceptor.association.has_data_to_send


@pytest.mark.parametrize(
    "result", [PresentationContextResult(9, 0, "1.2.840.10008.1.2"), PresentationContextResult(1, 0, "1.2.840.10008.1.2.5")]
)
def test_an_acceptance_of_what_was_not_proposed_is_the_peers_fault(
    result: PresentationContextResult, make_pair: Callable[..., Any]
) -> None:
    pair = make_pair()
    pair.connect()
    accept = AssociateAccept(called_ae_title="", calling_ae_title="", presentation_contexts=(result,))
    with pytest.raises(PeerProtocolError) as caught:
        pair.requestor.receive(accept.encode())
    assert caught.value.abort_reason == 6
    assert pair.requestor.association.state == "Sta13"


@pytest.mark.parametrize("maximum_length", [1, 7])
def test_a_maximum_length_without_room_for_a_fragment_is_the_peers_fault(
    maximum_length: int, make_request: Callable[..., AssociateRequest], make_side: Callable[..., Any]
) -> None:
    side = make_side(Association(Role.ACCEPTOR))
    side.association.connection_opened()
    with pytest.raises(PeerProtocolError):
        side.receive(make_request(maximum_length=maximum_length).encode())


def test_a_message_in_a_context_that_is_not_accepted_is_our_fault(make_pair: Callable[..., Any], make_request: Callable[..., Any]) -> None:
    rejected = PresentationContextProposed(5, "1.2.840.10008.5.1.4.1.2.2.1", ("1.2.840.10008.1.2",))
    pair = make_pair(make_request(rejected)).establish()
    assert pair.requestor.association.contexts == {}
    with pytest.raises(LocalProtocolError):
        pair.requestor.association.send_message(5, ECHO)


def test_accepting_before_anybody_asked_is_our_fault(make_pair: Callable[..., Any]) -> None:
    pair = make_pair()
    pair.connect()
    assert isinstance(pair.acceptor.last(), AssociateRequested)
    pair.establish_answer()
    with pytest.raises(LocalProtocolError):
        pair.establish_answer()
