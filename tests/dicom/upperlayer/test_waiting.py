"""What an association waits for, and when the waiting begins anew; no clock is needed for that."""

from collections.abc import Callable
from typing import Any

import pytest

from hilum.dicom.upperlayer import Association, Awaited, Deadline, Limits, Role
from hilum.dicom.upperlayer.messages import CEchoRequest, CEchoResponse, CFindRequest, CFindResponse, CStoreRequest, CStoreResponse
from hilum.dicom.upperlayer.pdus import Abort

ECHO = CEchoRequest(message_id=1)
STORE = CStoreRequest(message_id=2, affected_sop_class_uid="1.2", affected_sop_instance_uid="1.2.3")
LIMITS = Limits(progress_length=1000)


def awaited(association: Association) -> Awaited | None:
    return None if association.deadline is None else association.deadline.awaited


def test_every_deadline_has_its_limit() -> None:
    assert all(getattr(Limits(), f"{kind}_seconds") > 0 for kind in Awaited)


def test_a_silent_connection_has_the_time_of_artim(make_side: Callable[..., Any]) -> None:
    association = Association(Role.ACCEPTOR, Limits(artim_seconds=7.0))
    assert association.deadline is None
    association.connection_opened()
    deadline = association.deadline
    assert deadline is not None
    assert (deadline.awaited, deadline.seconds) == (Awaited.ARTIM, 7.0)
    make_side(association).receive(b"\x01\0\0\0\1")  # half a header changes nothing
    assert association.deadline == deadline
    association.timed_out()
    assert (association.state, association.must_close, association.deadline) == ("Sta1", True, None)


def test_each_step_of_an_association_waits_for_what_comes_next(make_pair: Callable[..., Any]) -> None:
    pair = make_pair()
    requestor, acceptor = pair.requestor.association, pair.acceptor.association
    requestor.associate(pair.request)
    assert awaited(requestor) is Awaited.CONNECTION
    pair.requestor.association.connection_opened()
    assert awaited(requestor) is Awaited.ASSOCIATION
    acceptor.connection_opened()
    pair.exchange()
    assert awaited(acceptor) is None  # it is ours to answer
    pair.establish_answer()
    assert awaited(acceptor) is Awaited.FIRST_COMMAND
    requestor.send_message(1, ECHO)
    assert awaited(requestor) is Awaited.RESPONSE
    pair.exchange()
    assert awaited(acceptor) is None
    acceptor.send_message(1, CEchoResponse(message_id_being_responded_to=1, status=0))
    pair.exchange()
    assert awaited(acceptor) is Awaited.COMMAND
    requestor.release()
    assert awaited(requestor) is Awaited.RELEASE
    pair.exchange()
    assert awaited(acceptor) is None
    acceptor.answer_release()
    assert awaited(acceptor) is Awaited.ARTIM


def test_pending_responses_neither_end_the_wait_nor_stop_the_clock(pair: Any) -> None:
    pair.requestor.association.send_message(3, CFindRequest(message_id=5, affected_sop_class_uid="1.2"), b"ab")
    before = pair.requestor.association.deadline
    pair.exchange()
    pair.acceptor.association.send_message(3, CFindResponse(message_id_being_responded_to=5, status=0xFF00), b"ab")
    pair.exchange()
    after = pair.requestor.association.deadline
    assert before.awaited is after.awaited is Awaited.RESPONSE
    assert after.number > before.number
    assert pair.acceptor.association.deadline is None


def test_bytes_that_trickle_are_no_progress_until_they_are_many(make_pair: Callable[..., Any]) -> None:
    pair = make_pair(limits=LIMITS).establish()
    pair.requestor.association.send_message(3, STORE, bytes(3000))
    octets = pair.requestor.taken()
    seen: list[Deadline] = []
    for start in range(len(octets) - 1):
        pair.acceptor.receive(octets[start : start + 1])
        deadline = pair.acceptor.association.deadline
        assert deadline is not None
        if not seen or deadline != seen[-1]:
            seen.append(deadline)
    assert [deadline.awaited for deadline in seen].count(Awaited.PROGRESS) <= 5
    pair.acceptor.receive(octets[-1:])
    assert pair.acceptor.association.deadline is None
    pair.acceptor.association.send_message(3, CStoreResponse(message_id_being_responded_to=2, status=0))
    assert awaited(pair.acceptor.association) is Awaited.COMMAND


@pytest.mark.parametrize("octets", [b"", b"\x04\0\0\0", b"\x04\0\0\0\0\x50\0\0\0\x4c\1\3"])
def test_a_peer_that_says_nothing_or_begins_and_stops_is_aborted(pair: Any, octets: bytes) -> None:
    pair.acceptor.receive(octets)
    assert pair.acceptor.association.deadline is not None
    pair.acceptor.association.timed_out()
    assert pair.acceptor.taken() == Abort(0, 0).encode()
    assert awaited(pair.acceptor.association) is Awaited.ARTIM


def test_a_timeout_that_comes_too_late_does_nothing(pair: Any) -> None:
    pair.requestor.association.send_message(1, ECHO)
    pair.exchange()
    pair.acceptor.association.timed_out()
    assert pair.acceptor.association.state == "Sta6"
