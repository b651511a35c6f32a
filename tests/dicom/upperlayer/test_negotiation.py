"""What an acceptor answers: PS3.8 7.1.1 and D.1, PS3.7 D.3.3."""

from collections.abc import Callable

import pytest
from pydicom.uid import AllTransferSyntaxes
from pynetdicom.presentation import AllStoragePresentationContexts

from hilum.dicom.upperlayer import AssociateReject, AssociateRequest, Negotiated, Policy, Roles, StorageKind, negotiate
from hilum.dicom.upperlayer.items import (
    AsynchronousOperationsWindow,
    ImplementationClassUID,
    ImplementationVersionName,
    MaximumLength,
    PresentationContextProposed,
    PresentationContextResult,
    RoleSelection,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentity,
    UserIdentityResponse,
)
from hilum.dicom.upperlayer.negotiation import STORAGE_TRANSFER_SYNTAXES, PresentationContext, contexts_of, storage_kind

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
PRIVATE = "1.3.12.2.1107.5.9.1"  # Siemens CSA Non-Image Storage
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
COMMITMENT = "1.2.840.10008.1.20.1"
IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"

MakeRequest = Callable[..., AssociateRequest]
MakePolicy = Callable[..., Policy]


def answer(request: AssociateRequest, policy: Policy, server_response: bytes | None = None) -> Negotiated:
    negotiated = negotiate(request, policy, server_response)
    assert isinstance(negotiated, Negotiated)
    return negotiated


@pytest.mark.parametrize(
    ("abstract_syntax", "transfer_syntaxes", "result", "chosen"),
    [
        (VERIFICATION, (IMPLICIT,), 0, IMPLICIT),
        (VERIFICATION, (IMPLICIT, EXPLICIT), 0, EXPLICIT),
        (VERIFICATION, (JPEG_LOSSLESS,), 4, JPEG_LOSSLESS),
        (CT, (IMPLICIT, JPEG_LOSSLESS, BIG, EXPLICIT), 0, EXPLICIT),
        (CT, (JPEG_LOSSLESS,), 0, JPEG_LOSSLESS),
        (CT, ("1.2.3.4",), 4, "1.2.3.4"),
        (PRIVATE, (IMPLICIT,), 0, IMPLICIT),
        (STUDY_ROOT_FIND, (IMPLICIT,), 3, IMPLICIT),
    ],
)
def test_a_context_gets_the_result_of_the_standard(
    abstract_syntax: str, transfer_syntaxes: tuple[str, ...], result: int, chosen: str, make_request: MakeRequest, make_policy: MakePolicy
) -> None:
    request = make_request(PresentationContextProposed(5, abstract_syntax, transfer_syntaxes))
    assert answer(request, make_policy()).presentation_contexts == (PresentationContextResult(5, result, chosen),)


def test_every_storage_class_and_transfer_syntax_of_the_standard_is_accepted(make_request: MakeRequest, make_policy: MakePolicy) -> None:
    policy = make_policy()
    # SMPTE ST 2110 is for real-time communication (PS3.22), not for DIMSE
    assert {uid for uid in AllTransferSyntaxes if not uid.startswith("1.2.840.10008.1.2.7.")} <= set(STORAGE_TRANSFER_SYNTAXES)
    assert len(set(STORAGE_TRANSFER_SYNTAXES)) == len(STORAGE_TRANSFER_SYNTAXES)
    for context in AllStoragePresentationContexts:
        for syntax in STORAGE_TRANSFER_SYNTAXES:
            request = make_request(PresentationContextProposed(1, str(context.abstract_syntax), (syntax,)))
            assert answer(request, policy).presentation_contexts == (PresentationContextResult(1, 0, syntax),)


@pytest.mark.parametrize(
    ("uid", "kind"),
    [
        (CT, StorageKind.STANDARD),
        ("1.2.840.10008.5.1.4.34.7", StorageKind.STANDARD),
        ("1.2.840.10008.5.1.4.1.1.999.1", StorageKind.STANDARD),  # of an edition to come
        (PRIVATE, StorageKind.PRIVATE),
        (STUDY_ROOT_FIND, StorageKind.UNKNOWN),
        ("1.2.840.10008.5.1.4.1.1.200.4", StorageKind.UNKNOWN),
        (COMMITMENT, StorageKind.UNKNOWN),
    ],
)
def test_a_storage_class_is_known_by_its_root(uid: str, kind: StorageKind) -> None:
    assert storage_kind(uid) is kind


@pytest.mark.parametrize(
    ("kinds", "results"),
    [(set(), [3, 3, 3]), ({StorageKind.PRIVATE}, [3, 0, 3]), (set(StorageKind), [0, 0, 0]), ({StorageKind.STANDARD}, [0, 3, 3])],
)
def test_private_and_unknown_classes_are_a_setting(
    kinds: set[StorageKind], results: list[int], make_request: MakeRequest, make_policy: MakePolicy
) -> None:
    proposed = [PresentationContextProposed(2 * n + 1, uid, (IMPLICIT,)) for n, uid in enumerate((CT, PRIVATE, STUDY_ROOT_FIND))]
    negotiated = answer(make_request(*proposed), make_policy(storage=frozenset(kinds)))
    assert [context.result for context in negotiated.presentation_contexts] == results


@pytest.mark.parametrize(("service_class", "result"), [("1.2.840.10008.4.2", 0), ("1.2.840.10008.4.1", 3)])
def test_a_class_that_its_sender_says_is_storage_is_known_as_such(
    service_class: str, result: int, make_request: MakeRequest, make_policy: MakePolicy
) -> None:
    """PS3.7 D.3.3.6: SOP class common extended negotiation."""
    uid = "1.2.840.10008.999.1"
    said = SOPClassCommonExtendedNegotiation(uid, service_class)
    request = make_request(PresentationContextProposed(1, uid, (IMPLICIT,)), items=(said,))
    negotiated = answer(request, make_policy(storage=frozenset({StorageKind.STANDARD})))
    assert [context.result for context in negotiated.presentation_contexts] == [result]


def test_an_unknown_transfer_syntax_is_a_setting_for_storage_only(make_request: MakeRequest, make_policy: MakePolicy) -> None:
    request = make_request(PresentationContextProposed(1, CT, ("1.2.3", "1.2.4")), PresentationContextProposed(3, VERIFICATION, ("1.2.3",)))
    negotiated = answer(request, make_policy(any_transfer_syntax=True))
    assert negotiated.presentation_contexts == (PresentationContextResult(1, 0, "1.2.3"), PresentationContextResult(3, 4, "1.2.3"))


def test_the_answer_says_who_we_are_and_how_much_we_take(make_request: MakeRequest, make_policy: MakePolicy) -> None:
    items = answer(make_request(), make_policy(maximum_length=12345)).user_information.items
    assert items == (MaximumLength(12345), ImplementationClassUID("1.2.3.4"), ImplementationVersionName("TEST"))


@pytest.mark.parametrize(
    ("proposed", "allowed", "agreed"),
    [((5, 3), (1, 1), (1, 1)), ((0, 0), (4, 0), (4, 0)), ((2, 1), (0, 9), (2, 1)), ((0, 7), (0, 0), (0, 7))],
)
def test_a_window_is_never_wider_than_either_side_wants(
    proposed: tuple[int, int], allowed: tuple[int, int], agreed: tuple[int, int], make_request: MakeRequest, make_policy: MakePolicy
) -> None:
    request = make_request(items=(AsynchronousOperationsWindow(*proposed),))
    policy = make_policy(operations_invoked=allowed[0], operations_performed=allowed[1])
    assert answer(request, policy).user_information.first(AsynchronousOperationsWindow) == AsynchronousOperationsWindow(*agreed)


@pytest.mark.parametrize(
    ("proposed", "allowed", "agreed", "result"),
    [
        ((True, False), Roles(), (True, False), 0),
        ((True, True), Roles(), (True, False), 0),
        ((True, True), Roles(scp=True), (True, True), 0),
        ((False, True), Roles(scp=True), (False, True), 0),
        ((False, True), Roles(), (False, False), 1),
        ((True, False), Roles(scu=False, scp=True), (False, False), 1),
    ],
)
def test_roles_are_agreed_to_as_far_as_both_sides_want_them(
    proposed: tuple[bool, bool],
    allowed: Roles,
    agreed: tuple[bool, bool],
    result: int,
    make_request: MakeRequest,
    make_policy: MakePolicy,
) -> None:
    request = make_request(PresentationContextProposed(1, COMMITMENT, (IMPLICIT,)), items=(RoleSelection(COMMITMENT, *proposed),))
    negotiated = answer(request, make_policy(services={COMMITMENT: (IMPLICIT,)}, roles={COMMITMENT: allowed}))
    assert negotiated.presentation_contexts[0].result == result
    assert negotiated.user_information.every(RoleSelection) == [RoleSelection(COMMITMENT, *agreed)]
    contexts = contexts_of(request, negotiated.presentation_contexts, negotiated.user_information)
    expected = {} if result else {1: PresentationContext(1, COMMITMENT, IMPLICIT, Roles(*agreed))}
    assert contexts == expected


def test_a_role_that_was_not_proposed_is_never_given(make_request: MakeRequest, make_policy: MakePolicy) -> None:
    policy = make_policy(roles={CT: Roles(scp=True)})
    negotiated = answer(make_request(), policy)
    assert negotiated.user_information.every(RoleSelection) == []
    contexts = contexts_of(make_request(), negotiated.presentation_contexts, negotiated.user_information)
    assert contexts[3].roles == Roles(scu=True, scp=False)


@pytest.mark.parametrize(
    ("wants_response", "response", "items"),
    [(True, b"", [UserIdentityResponse(b"")]), (True, b"x", [UserIdentityResponse(b"x")]), (True, None, []), (False, b"x", [])],
)
def test_a_user_identity_is_answered_where_it_was_asked_for_and_verified(
    wants_response: bool, response: bytes | None, items: list[UserIdentityResponse], make_request: MakeRequest, make_policy: MakePolicy
) -> None:
    request = make_request(items=(UserIdentity(2, wants_response, b"user", b"pass"),))
    assert answer(request, make_policy(), response).user_information.every(UserIdentityResponse) == items


def test_extended_negotiation_is_answered_only_where_the_policy_has_an_answer(make_request: MakeRequest, make_policy: MakePolicy) -> None:
    request = make_request(items=(SOPClassExtendedNegotiation(CT, b"\2"), SOPClassExtendedNegotiation(VERIFICATION, b"\2")))
    items = answer(request, make_policy(service_class_information={CT: b"\1"})).user_information.every(SOPClassExtendedNegotiation)
    assert items == [SOPClassExtendedNegotiation(CT, b"\1")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"application_context_name": "1.2.3"}, 2),
        ({"called_ae_title": ""}, 7),
        ({"called_ae_title": "A\\B"}, 7),
        ({"calling_ae_title": ""}, 3),
        ({"calling_ae_title": "A\x07"}, 3),
        ({"calling_ae_title": "Ä"}, 3),
    ],
)
def test_what_nobody_could_accept_is_rejected_for_its_reason(
    change: dict[str, str], reason: int, make_request: MakeRequest, make_policy: MakePolicy
) -> None:
    usual = {"called_ae_title": "A", "calling_ae_title": "B", **change}
    request = AssociateRequest(presentation_contexts=make_request().presentation_contexts, **usual)  # type: ignore[arg-type]
    assert negotiate(request, make_policy()) == AssociateReject(1, 1, reason)


@pytest.mark.parametrize("result", [PresentationContextResult(7, 0, IMPLICIT), PresentationContextResult(1, 0, JPEG_LOSSLESS)])
def test_an_answer_to_what_was_not_proposed_is_found_out(result: PresentationContextResult, make_request: MakeRequest) -> None:
    request = make_request()
    with pytest.raises(ValueError, match="not proposed"):
        contexts_of(request, (result,), request.user_information)
