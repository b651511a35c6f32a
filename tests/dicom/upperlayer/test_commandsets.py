"""Command sets against bytes written by hand from PS3.7 6.3.1 and E.1, and what is wrong with those of peers."""

import struct
from dataclasses import MISSING, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.dicom.upperlayer import Limits, LocalProtocolError, PeerProtocolError
from hilum.dicom.upperlayer.commandsets import ELEMENTS, decode_command_set, encode_command_set
from hilum.dicom.upperlayer.messages import (
    MESSAGES,
    CEchoRequest,
    CEchoResponse,
    CFindResponse,
    CStoreRequest,
    CStoreResponse,
    DataSet,
    Message,
    NEventReportRequest,
    NGetRequest,
    Response,
)

LIMITS = Limits()
# Sent by DCMTK 3.6.7's echoscu, captured from its socket.
DCMTK_C_ECHO_RQ = bytes.fromhex(
    "0000 0000 04000000 38000000"  # Command Group Length 56
    "0000 0200 12000000 312e322e3834302e31303030382e312e3100"  # Affected SOP Class UID, padded
    "0000 0001 02000000 3000"  # Command Field: C-ECHO-RQ
    "0000 1001 02000000 0100"  # Message ID 1
    "0000 0008 02000000 0101"  # Command Data Set Type: none
)
C_STORE_RQ = CStoreRequest(message_id=7, affected_sop_class_uid="1.2", affected_sop_instance_uid="1.2.3")
C_STORE_RQ_OCTETS = bytes.fromhex(
    "0000 0000 04000000 42000000"
    "0000 0200 04000000 312e3200"
    "0000 0001 02000000 0100"
    "0000 1001 02000000 0700"
    "0000 0007 02000000 0000"
    "0000 0008 02000000 0100"
    "0000 0010 06000000 312e322e3300"
)


def element(number: int, value: bytes, group: int = 0) -> bytes:
    return struct.pack("<HHI", group, number, len(value)) + value


def without(octets: bytes, number: int) -> bytes:
    """A command set without one element, and with the group length that is then right."""
    offset, kept = 12, b""
    while offset < len(octets):
        _, found, length = struct.unpack_from("<HHI", octets, offset)
        if found != number:
            kept += octets[offset : offset + 8 + length]
        offset += 8 + length
    return element(0, struct.pack("<I", len(kept))) + kept


def test_the_command_of_dcmtk_is_read_and_written_as_it_is() -> None:
    assert decode_command_set(DCMTK_C_ECHO_RQ, LIMITS) == (CEchoRequest(message_id=1), False, ())
    assert encode_command_set(CEchoRequest(message_id=1), has_data_set=False) == DCMTK_C_ECHO_RQ


def test_a_store_request_is_written_as_the_standard_writes_it() -> None:
    assert encode_command_set(C_STORE_RQ, has_data_set=True) == C_STORE_RQ_OCTETS
    assert decode_command_set(bytearray(C_STORE_RQ_OCTETS), LIMITS) == (C_STORE_RQ, True, ())


def test_tags_are_two_numbers_of_16_bits() -> None:
    message = NGetRequest(
        message_id=1, requested_sop_class_uid="1.2", requested_sop_instance_uid="1.3", attribute_identifier_list=(0x00100020, 0x7FE00010)
    )
    octets = encode_command_set(message, has_data_set=False)
    assert bytes.fromhex("0000 0510 08000000 1000 2000 e07f 1000") in octets
    assert decode_command_set(octets, LIMITS).message == message


def values(kind: type[Message]) -> st.SearchStrategy[Message]:
    number = st.integers(0, 0xFFFF)
    by_vr = {
        "US": number,
        "UI": st.from_regex(r"[0-9.]{1,64}", fullmatch=True),
        "AE": st.from_regex(r"[A-Z_]{1,16}", fullmatch=True),
        "LO": st.from_regex(r"[a-z]{1,64}", fullmatch=True),
        "AT": st.lists(st.integers(0, 0xFFFFFFFF), min_size=1, max_size=8).map(tuple),
    }
    wanted = {}
    for field in fields(kind):
        strategy = by_vr[ELEMENTS[field.name][1]]
        wanted[field.name] = strategy if field.default is MISSING or field.default is not None else st.none() | strategy
    return st.builds(kind, **wanted)


@given(st.sampled_from(list(MESSAGES.values())).flatmap(values))
def test_every_message_is_read_as_it_was_written(message: Message) -> None:
    has_data_set = message.data_set is DataSet.REQUIRED
    assert decode_command_set(encode_command_set(message, has_data_set=has_data_set), LIMITS) == (message, has_data_set, ())


@pytest.mark.parametrize("kind", MESSAGES.values(), ids=lambda kind: kind.__name__)
def test_a_command_field_says_whether_it_is_a_response(kind: type[Message]) -> None:
    assert issubclass(kind, Response) is bool(kind.command_field & 0x8000)


@pytest.mark.parametrize(("status", "is_final"), [(0x0000, True), (0xB000, True), (0xFF00, False), (0xFF01, False), (0xFE00, True)])
def test_only_a_pending_response_is_not_the_last(status: int, is_final: bool) -> None:
    assert CFindResponse(message_id_being_responded_to=1, status=status).is_final is is_final


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        (without(C_STORE_RQ_OCTETS, 0x1000), "affected_sop_instance_uid is missing."),
        (without(C_STORE_RQ_OCTETS, 0x0002), "affected_sop_class_uid is missing."),
        (C_STORE_RQ_OCTETS.replace(bytes.fromhex("06000000312e322e3300"), bytes(4)), "affected_sop_instance_uid is missing."),
        (C_STORE_RQ_OCTETS.replace(b"\x42\0\0\0", b"\x40\0\0\0"), "The command group length is not the length of the command set."),
        (C_STORE_RQ_OCTETS[:-2], "The command set is cut off inside an element."),
        (C_STORE_RQ_OCTETS + b"\0\0", "The command set is cut off inside an element."),
        (C_STORE_RQ_OCTETS + element(0x0010, b"x", group=0x10), "The command set has an element outside group 0000."),
        (C_STORE_RQ_OCTETS.replace(bytes.fromhex("0008020000000100"), bytes.fromhex("0008020000000101")), "The data set is missing."),
        (without(C_STORE_RQ_OCTETS, 0x0700) + element(0x0700, b"123"), "priority has 3 bytes."),
    ],
)
def test_a_command_that_can_be_answered_comes_with_its_faults(octets: bytes, fault: str) -> None:
    message, _, faults = decode_command_set(octets, LIMITS)
    assert isinstance(message, CStoreRequest)
    assert message.message_id == 7
    assert fault in faults


def test_a_missing_uid_is_empty_and_not_made_up() -> None:
    message = decode_command_set(without(C_STORE_RQ_OCTETS, 0x1000), LIMITS).message
    assert isinstance(message, CStoreRequest)
    assert message.affected_sop_instance_uid == ""


def test_a_missing_group_length_or_priority_is_forgiven() -> None:
    bare = C_STORE_RQ_OCTETS[12:]
    assert decode_command_set(bare, LIMITS) == (C_STORE_RQ, True, ())
    assert decode_command_set(without(C_STORE_RQ_OCTETS, 0x0700), LIMITS) == (C_STORE_RQ, True, ())


def test_a_data_set_where_none_belongs_is_a_fault() -> None:
    octets = DCMTK_C_ECHO_RQ[:-2] + b"\0\0"
    assert decode_command_set(octets, LIMITS) == (CEchoRequest(message_id=1), True, ("A data set is announced where none belongs.",))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\0",
        DCMTK_C_ECHO_RQ[:40],
        without(DCMTK_C_ECHO_RQ, 0x0100),
        without(DCMTK_C_ECHO_RQ, 0x0110),
        without(DCMTK_C_ECHO_RQ, 0x0800),
        DCMTK_C_ECHO_RQ.replace(b"\x02\0\0\0\x30\0", b"\x02\0\0\0\x31\x77"),
        without(encode_command_set(CEchoResponse(message_id_being_responded_to=1, status=0), has_data_set=False), 0x0900),
        b"".join(element(0x2000 + number, b"") for number in range(65)),
        struct.pack("<HHI", 0, 0x0002, 0xFFFFFFFF) + DCMTK_C_ECHO_RQ,
    ],
    ids=["empty", "one byte", "cut", "no field", "no ID", "no type", "unknown field", "no status", "many elements", "VL FFFFFFFFH"],
)
def test_a_command_that_cannot_be_answered_is_aborted_by_the_service_user(octets: bytes) -> None:
    with pytest.raises(PeerProtocolError) as caught:
        decode_command_set(octets, LIMITS)
    assert (caught.value.abort_source, caught.value.abort_reason) == (0, 0)


def test_an_error_comment_is_cut_and_kept_to_the_default_repertoire() -> None:
    message = CStoreResponse(message_id_being_responded_to=1, status=0xA700, error_comment="é" + "x" * 100)
    octets = encode_command_set(message, has_data_set=False)
    comment = decode_command_set(octets, LIMITS).message.error_comment  # type: ignore[attr-defined]
    assert comment == "?" + "x" * 63


def test_a_uid_that_is_none_is_given_back_as_it_came() -> None:
    octets = C_STORE_RQ_OCTETS.replace(b"1.2.3\0", b"\xff/../x")
    message = decode_command_set(octets, LIMITS).message
    assert encode_command_set(message, has_data_set=True) == octets


@pytest.mark.parametrize(
    ("message", "has_data_set"),
    [
        (C_STORE_RQ, False),
        (CEchoRequest(message_id=1), True),
        (CEchoRequest(message_id=0x10000), False),
        (CEchoRequest(message_id=1, affected_sop_class_uid="日本"), False),
        (NEventReportRequest(message_id=1, affected_sop_class_uid="1", affected_sop_instance_uid="2", event_type_id=-1), False),
    ],
)
def test_what_cannot_be_said_in_a_command_set_is_our_fault(message: Message, has_data_set: bool) -> None:
    with pytest.raises(LocalProtocolError):
        encode_command_set(message, has_data_set=has_data_set)
