import sys
from dataclasses import replace

import pytest

from hilum.dicom.upperlayer import Agreement, AssociateReject, Association, Limits, PeerProtocolError, Policy, Repeated, Role, negotiate
from hilum.dicom.upperlayer import repeating as module
from hilum.dicom.upperlayer.events import AssociateRequested
from hilum.dicom.upperlayer.items import MaximumLength, PresentationContextProposed, UserIdentity
from hilum.dicom.upperlayer.negotiation import VERIFICATION, agree
from hilum.dicom.upperlayer.pdus import A_ASSOCIATE_RQ, A_RELEASE_RQ, AssociateRequest, ReleaseRequest, UserInformation, decode_pdu

POLICY = Policy(implementation_class_uid="2.25.1", implementation_version_name="EXAMPLE")
CT = "1.2.840.10008.5.1.4.1.1.2"


def make_request(calling: str = "SCANNER", contexts: int = 1) -> AssociateRequest:
    return AssociateRequest(
        called_ae_title="HILUM",
        calling_ae_title=calling,
        presentation_contexts=tuple(
            PresentationContextProposed(2 * number + 1, CT if number else VERIFICATION, ("1.2.840.10008.1.2",))
            for number in range(contexts)
        ),
        user_information=UserInformation((MaximumLength(16384),)),
    )


def body_of(request: AssociateRequest) -> memoryview:
    return memoryview(request.encode())[6:]


def decode(repeated: Repeated, request: AssociateRequest) -> AssociateRequest:
    decoded = repeated.decode_pdu(A_ASSOCIATE_RQ, body_of(request))
    assert isinstance(decoded, AssociateRequest)
    return decoded


def test_a_request_that_comes_again_is_decoded_and_answered_once() -> None:
    repeated = Repeated(Limits(), POLICY)
    first, second = decode(repeated, make_request()), decode(repeated, make_request())
    assert first is second == make_request()
    assert repeated.answer(first) is repeated.answer(second)


@pytest.mark.parametrize("contexts", [1, 128])
def test_the_answer_is_the_one_that_is_negotiated_without_a_memory(contexts: int) -> None:
    request = make_request(contexts=contexts)
    repeated = Repeated(Limits(), POLICY)
    negotiated = negotiate(request, POLICY)
    assert not isinstance(negotiated, AssociateReject)
    for _ in range(2):
        assert repeated.answer(decode(repeated, request)) == agree(request, negotiated)


def test_requests_that_differ_in_one_byte_are_two() -> None:
    repeated = Repeated(Limits(), POLICY)
    one, other = decode(repeated, make_request("SCANNER1")), decode(repeated, make_request("SCANNER2"))
    assert (one.calling_ae_title, other.calling_ae_title) == ("SCANNER1", "SCANNER2")
    answers = [repeated.answer(one), repeated.answer(other)]
    assert [answer.response[26:34] for answer in answers if isinstance(answer, Agreement)] == [b"SCANNER1", b"SCANNER2"]


def test_a_request_that_breaks_a_limit_breaks_it_each_time() -> None:
    repeated = Repeated(Limits(presentation_contexts=1), POLICY)
    for _ in range(2):
        with pytest.raises(PeerProtocolError):
            decode(repeated, make_request(contexts=2))


def test_a_rejection_is_remembered_as_well() -> None:
    repeated = Repeated(Limits(), POLICY)
    request = decode(repeated, replace(make_request(), application_context_name="1.2.3"))
    assert repeated.answer(request) == AssociateReject(1, 1, 2)
    assert repeated.answer(request) is repeated.answer(request)


def test_the_request_that_was_not_asked_for_longest_is_forgotten_first() -> None:
    repeated = Repeated(Limits(), POLICY, most=2)
    first, second = decode(repeated, make_request("A")), decode(repeated, make_request("B"))
    assert decode(repeated, make_request("A")) is first
    decode(repeated, make_request("C"))
    assert decode(repeated, make_request("A")) is first
    assert decode(repeated, make_request("B")) is not second
    # What is forgotten is answered all the same.
    assert repeated.answer(second) == repeated.answer(decode(repeated, make_request("B")))


def test_its_memory_has_a_limit_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    longest = len(body_of(make_request()))
    monkeypatch.setattr(module, "_MOST_BYTES", 2 * longest)
    monkeypatch.setattr(module, "_LONGEST_BYTES", longest)
    repeated = Repeated(Limits(), POLICY)
    first = decode(repeated, make_request("A"))
    decode(repeated, make_request("B"))
    assert decode(repeated, make_request("A")) is first
    decode(repeated, make_request("C"))
    decode(repeated, make_request("D"))
    assert decode(repeated, make_request("A")) is not first
    long = make_request(contexts=2)
    assert decode(repeated, long) is not decode(repeated, long)


def test_a_request_with_a_password_is_not_kept() -> None:
    repeated = Repeated(Limits(), POLICY)
    secret = b"a password that nobody keeps"
    items = (MaximumLength(16384), UserIdentity(2, False, b"user", secret))
    request = replace(make_request(), user_information=UserInformation(items))
    assert decode(repeated, request) is not decode(repeated, request)


def test_what_was_decoded_does_not_lie_in_the_receive_buffer() -> None:
    repeated = Repeated(Limits(), POLICY)
    body = memoryview(bytearray(body_of(make_request())))
    first = repeated.decode_pdu(A_ASSOCIATE_RQ, body)
    body[:] = bytes(len(body))
    assert first == decode(repeated, make_request())
    assert sys.getrefcount(body) == 2


def test_other_pdus_are_decoded_as_ever() -> None:
    release = memoryview(ReleaseRequest().encode())[6:]
    assert Repeated(Limits(), POLICY).decode_pdu(A_RELEASE_RQ, release) == decode_pdu(A_RELEASE_RQ, release, Limits())


def test_associations_that_come_one_after_another_do_not_share_their_contexts() -> None:
    repeated = Repeated(Limits(), POLICY)
    associations = [Association(Role.ACCEPTOR, Limits(), repeated=repeated) for _ in range(2)]
    for association in associations:
        association.connection_opened()
        pdu = make_request().encode()
        association.get_buffer()[: len(pdu)] = pdu
        association.buffer_updated(len(pdu))
        event = association.next_event()
        assert isinstance(event, AssociateRequested)
        answer = repeated.answer(event.request)
        assert isinstance(answer, Agreement)
        association.accept(answer)
        assert b"".join(association.data_to_send()) == answer.response
    one, other = associations
    assert one.contexts == other.contexts
    one.contexts.clear()
    assert other.contexts
