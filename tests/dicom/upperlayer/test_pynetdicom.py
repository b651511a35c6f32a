"""pynetdicom as oracle, over bytes only: what it encodes we read, what we encode it reads, and both give the same bytes."""

from io import BytesIO
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import build_context, build_role
from pynetdicom.dimse_messages import C_FIND_RSP, C_MOVE_RQ, C_STORE_RQ, N_ACTION_RQ, N_EVENT_REPORT_RSP, N_GET_RQ
from pynetdicom.dimse_primitives import C_FIND, C_MOVE, C_STORE, N_ACTION, N_EVENT_REPORT, N_GET
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ, A_RELEASE_RP, A_RELEASE_RQ, P_DATA_TF
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)

from hilum.dicom.upperlayer import Limits
from hilum.dicom.upperlayer import items as ours
from hilum.dicom.upperlayer.commandsets import decode_command_set, encode_command_set
from hilum.dicom.upperlayer.messages import (
    CFindResponse,
    CMoveRequest,
    CStoreRequest,
    Message,
    NActionRequest,
    NEventReportResponse,
    NGetRequest,
)
from hilum.dicom.upperlayer.pdus import (
    PDU,
    Abort,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    PDataTF,
    PresentationDataValue,
    ReleaseRequest,
    ReleaseResponse,
    UserInformation,
    decode_pdu,
)

CT, IMPLICIT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"


def decoded(octets: bytes) -> PDU:
    return decode_pdu(octets[0], memoryview(octets)[6:], Limits())


def user_information() -> list[Any]:
    length, uid, name = MaximumLengthNotification(), ImplementationClassUIDNotification(), ImplementationVersionNameNotification()
    length.maximum_length_received, uid.implementation_class_uid, name.implementation_version_name = 16382, "1.2.3.4", "PYNET"
    window, extended, common = AsynchronousOperationsWindowNegotiation(), SOPClassExtendedNegotiation(), SOPClassCommonExtendedNegotiation()
    window.maximum_number_operations_invoked, window.maximum_number_operations_performed = 5, 2
    extended.sop_class_uid, extended.service_class_application_information = CT, b"\x02\x00\x03\x00"
    common.sop_class_uid, common.service_class_uid = CT, "1.2.840.10008.4.2"
    common.related_general_sop_class_identification = ["1.2.840.10008.5.1.4.1.1.88.22"]
    identity = UserIdentityNegotiation()
    identity.user_identity_type, identity.positive_response_requested = 2, True
    identity.primary_field, identity.secondary_field = b"user", b"pass"
    return [length, uid, name, window, build_role(CT, scu_role=True, scp_role=True), extended, common, identity]


OUR_USER_INFORMATION = UserInformation(
    (
        ours.MaximumLength(16382),
        ours.ImplementationClassUID("1.2.3.4"),
        ours.ImplementationVersionName("PYNET"),
        ours.AsynchronousOperationsWindow(5, 2),
        ours.RoleSelection(CT, True, True),
        ours.SOPClassExtendedNegotiation(CT, b"\x02\x00\x03\x00"),
        ours.SOPClassCommonExtendedNegotiation(CT, "1.2.840.10008.4.2", ("1.2.840.10008.5.1.4.1.1.88.22",)),
        ours.UserIdentity(2, True, b"user", b"pass"),
    )
)


def a_primitive() -> A_ASSOCIATE:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = "CALLING", "CALLED"
    context = build_context(CT, [EXPLICIT, IMPLICIT])
    context.context_id = 3
    primitive.presentation_context_definition_list = [context]
    primitive.user_information = user_information()
    return primitive


def test_a_request_of_pynetdicom_is_read_and_written_alike() -> None:
    theirs = A_ASSOCIATE_RQ()
    theirs.from_primitive(a_primitive())
    request = AssociateRequest(
        called_ae_title="CALLED",
        calling_ae_title="CALLING",
        presentation_contexts=(ours.PresentationContextProposed(3, CT, (EXPLICIT, IMPLICIT)),),
        user_information=OUR_USER_INFORMATION,
    )
    assert decoded(theirs.encode()) == request
    assert request.encode() == theirs.encode()


def test_an_acceptance_of_ours_is_read_and_written_alike() -> None:
    accept = AssociateAccept(
        called_ae_title="CALLED",
        calling_ae_title="CALLING",
        presentation_contexts=(ours.PresentationContextResult(1, 0, IMPLICIT), ours.PresentationContextResult(3, 4, EXPLICIT)),
        user_information=UserInformation(
            (ours.MaximumLength(0x40000), ours.ImplementationClassUID("1.2"), ours.UserIdentityResponse(b"ok"))
        ),
    )
    theirs = A_ASSOCIATE_AC()
    theirs.decode(accept.encode())
    assert [(context.context_id, context.result, context.transfer_syntax) for context in theirs.presentation_context] == [
        (1, 0, IMPLICIT),
        (3, 4, EXPLICIT),
    ]
    assert theirs.user_information.maximum_length == 0x40000
    assert decoded(theirs.encode()) == accept


@pytest.mark.parametrize(
    ("pdu", "kind"),
    [
        (AssociateReject(1, 1, 7), A_ASSOCIATE_RJ),
        (AssociateReject(2, 3, 2), A_ASSOCIATE_RJ),
        (ReleaseRequest(), A_RELEASE_RQ),
        (ReleaseResponse(), A_RELEASE_RP),
        (Abort(0, 0), A_ABORT_RQ),
        (Abort(2, 6), A_ABORT_RQ),
        (PDataTF((PresentationDataValue(3, b"abcd", True, False), PresentationDataValue(3, b"ef", False, True))), P_DATA_TF),
    ],
)
def test_every_other_pdu_is_read_and_written_alike(pdu: PDU, kind: type[Any]) -> None:
    theirs = kind()
    theirs.decode(pdu.encode())
    assert theirs.encode() == pdu.encode()
    assert decoded(theirs.encode()) == pdu


def data_set() -> BytesIO:
    return BytesIO(b"\x10\x00\x20\x00\x02\x00\x00\x00AB")


def primitive(kind: type[Any], **values: Any) -> Any:
    made = kind()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


MESSAGES: list[tuple[Any, Any, Message, bool]] = [
    (
        C_STORE_RQ,
        primitive(
            C_STORE,
            MessageID=7,
            AffectedSOPClassUID=CT,
            AffectedSOPInstanceUID="1.2.3",
            Priority=2,
            MoveOriginatorApplicationEntityTitle="MOVER",
            MoveOriginatorMessageID=9,
            DataSet=data_set(),
        ),
        CStoreRequest(
            message_id=7,
            affected_sop_class_uid=CT,
            affected_sop_instance_uid="1.2.3",
            priority=2,
            move_originator_application_entity_title="MOVER",
            move_originator_message_id=9,
        ),
        True,
    ),
    (
        C_FIND_RSP,
        primitive(
            C_FIND, MessageIDBeingRespondedTo=7, AffectedSOPClassUID=CT, Status=0xA900, ErrorComment="no", OffendingElement=[0x00100020]
        ),
        CFindResponse(
            message_id_being_responded_to=7, affected_sop_class_uid=CT, status=0xA900, error_comment="no", offending_element=(0x00100020,)
        ),
        False,
    ),
    (
        C_MOVE_RQ,
        primitive(C_MOVE, MessageID=8, AffectedSOPClassUID="1.2", Priority=0, MoveDestination="THERE", Identifier=data_set()),
        CMoveRequest(message_id=8, affected_sop_class_uid="1.2", move_destination="THERE"),
        True,
    ),
    (
        N_ACTION_RQ,
        primitive(
            N_ACTION,
            MessageID=1,
            RequestedSOPClassUID="1.2.840.10008.1.20.1",
            RequestedSOPInstanceUID="1.2.840.10008.1.20.1.1",
            ActionTypeID=1,
            ActionInformation=data_set(),
        ),
        NActionRequest(
            message_id=1,
            requested_sop_class_uid="1.2.840.10008.1.20.1",
            requested_sop_instance_uid="1.2.840.10008.1.20.1.1",
            action_type_id=1,
        ),
        True,
    ),
    (
        N_EVENT_REPORT_RSP,
        primitive(
            N_EVENT_REPORT, MessageIDBeingRespondedTo=3, AffectedSOPClassUID="1.2", AffectedSOPInstanceUID="1.3", EventTypeID=2, Status=0
        ),
        NEventReportResponse(
            message_id_being_responded_to=3, affected_sop_class_uid="1.2", affected_sop_instance_uid="1.3", event_type_id=2, status=0
        ),
        False,
    ),
    (
        N_GET_RQ,
        primitive(
            N_GET,
            MessageID=4,
            RequestedSOPClassUID="1.2",
            RequestedSOPInstanceUID="1.3",
            AttributeIdentifierList=[0x00100010, 0x7FE00010],
        ),
        NGetRequest(
            message_id=4,
            requested_sop_class_uid="1.2",
            requested_sop_instance_uid="1.3",
            attribute_identifier_list=(0x00100010, 0x7FE00010),
        ),
        False,
    ),
]


@pytest.mark.parametrize(("kind", "theirs", "message", "has_data_set"), MESSAGES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_message_of_pynetdicom_is_read_and_read_back(kind: type[Any], theirs: Any, message: Message, has_data_set: bool) -> None:
    made = kind()
    made.primitive_to_message(theirs)
    # pynetdicom cuts a message into P-DATA primitives; the first value of each command fragment is its control header
    command_set = b"".join(
        value[1:] for pdata in made.encode_msg(3, 16382) for _, value in pdata.presentation_data_value_list if value[0] & 1
    )
    assert decode_command_set(command_set, Limits()) == (message, has_data_set, ())
    assert as_elements(encode_command_set(message, has_data_set=has_data_set)) == as_elements(command_set)


def as_elements(command_set: bytes) -> dict[int, Any]:
    """The elements as pydicom reads them, without the type of data set (any value but 0101H says that there is one)."""
    from pydicom.filereader import read_dataset

    read: Dataset = read_dataset(BytesIO(command_set), is_implicit_VR=True, is_little_endian=True)
    return {element.tag: element.value for element in read if element.tag != 0x00000800}
