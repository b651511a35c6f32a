"""PDUs and items against bytes written by hand from the tables of PS3.8 9.3 and PS3.7 D.3.3, and against what DCMTK sends."""

from typing import Any

import pytest

from hilum.dicom.upperlayer import Limits, LocalProtocolError, PeerProtocolError, UserInformation
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
    decode_pdu,
    lengths_of,
)

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"

# Sent by DCMTK 3.6.7's echoscu, captured from its socket.
DCMTK_ASSOCIATE_RQ = bytes.fromhex(
    "01 00 000000cd"  # A-ASSOCIATE-RQ, 205 bytes follow
    "0001 0000"  # protocol version 1
    "414e592d534350202020202020202020"  # called AE title "ANY-SCP"
    "4543484f534355202020202020202020"  # calling AE title "ECHOSCU"
    + 32
    * "00"
    + "10 00 0015 312e322e3834302e31303030382e332e312e312e31"  # application context
    "20 00 002e 01 00 ff 00"  # presentation context 1; DCMTK fills a reserved byte with FFH
    "30 00 0011 312e322e3834302e31303030382e312e31"
    "40 00 0011 312e322e3834302e31303030382e312e32"
    "50 00 003a"
    "51 00 0004 00004000"
    "52 00 001b 312e322e3237362e302e373233303031302e332e302e332e362e37"
    "55 00 000f 4f464649535f44434d544b5f333637"
)
ASSOCIATE_AC = bytes.fromhex(
    "02 00 000000b8"
    "0001 0000"
    "414e592d534350202020202020202020"
    "4543484f534355202020202020202020" + 32 * "00" + "10 00 0015 312e322e3834302e31303030382e332e312e312e31"
    "21 00 0019 01 00 00 00"
    "40 00 0011 312e322e3834302e31303030382e312e32"
    "50 00 003a"
    "51 00 0004 00004000"
    "52 00 001b 312e322e3237362e302e373233303031302e332e302e332e362e37"
    "55 00 000f 4f464649535f44434d544b5f333637"
)
USER_INFORMATION = UserInformation(
    (MaximumLength(0x4000), ImplementationClassUID("1.2.276.0.7230010.3.0.3.6.7"), ImplementationVersionName("OFFIS_DCMTK_367"))
)
GOLDEN: list[tuple[PDU, bytes]] = [
    (
        AssociateAccept(
            called_ae_title="ANY-SCP",
            calling_ae_title="ECHOSCU",
            presentation_contexts=(PresentationContextResult(1, 0, IMPLICIT),),
            user_information=USER_INFORMATION,
        ),
        ASSOCIATE_AC,
    ),
    (AssociateReject(1, 1, 7), bytes.fromhex("03 00 00000004 00 01 01 07")),
    (AssociateReject(2, 3, 2), bytes.fromhex("03 00 00000004 00 02 03 02")),
    (
        PDataTF(
            (PresentationDataValue(1, b"ab", is_command=True, is_last=True), PresentationDataValue(1, b"", is_command=False, is_last=False))
        ),
        bytes.fromhex("04 00 0000000e 00000004 01 03 6162 00000002 01 00"),
    ),
    (ReleaseRequest(), bytes.fromhex("05 00 00000004 00000000")),
    (ReleaseResponse(), bytes.fromhex("06 00 00000004 00000000")),
    (Abort(0, 0), bytes.fromhex("07 00 00000004 00 00 00 00")),
    (Abort(2, 6), bytes.fromhex("07 00 00000004 00 00 02 06")),
]
ITEMS: list[tuple[Any, str]] = [
    (MaximumLength(0x40000), "51 00 0004 00040000"),
    (ImplementationClassUID("1.2.3"), "52 00 0005 312e322e33"),
    (AsynchronousOperationsWindow(0, 1), "53 00 0004 0000 0001"),
    (RoleSelection("1.2.3", True, False), "54 00 0009 0005 312e322e33 01 00"),
    (RoleSelection("1.2.3", False, True), "54 00 0009 0005 312e322e33 00 01"),
    (ImplementationVersionName("TEST"), "55 00 0004 54455354"),
    (SOPClassExtendedNegotiation("1.2.3", b"\x02\0\x03"), "56 00 000a 0005 312e322e33 020003"),
    (
        SOPClassCommonExtendedNegotiation("1.2.3", "1.4", ("1.5", "1.6")),
        "57 00 0018 0005 312e322e33 0003 312e34 000a 0003 312e35 0003 312e36",
    ),
    (SOPClassCommonExtendedNegotiation("1.2.3", "1.4"), "57 00 000e 0005 312e322e33 0003 312e34 0000"),
    (UserIdentity(2, True, b"user", b"pass"), "58 00 000e 02 01 0004 75736572 0004 70617373"),
    (UserIdentity(1, False, b"user"), "58 00 000a 01 00 0004 75736572 0000"),
    (UserIdentityResponse(b"ok"), "59 00 0004 0002 6f6b"),
    (UserIdentityResponse(), "59 00 0002 0000"),
]


def decoded(octets: bytes, limits: Limits | None = None) -> PDU:
    return decode_pdu(octets[0], memoryview(octets)[6:], limits or Limits())


def request_with(*items: bytes) -> bytes:
    """An A-ASSOCIATE-RQ with these items after the fixed fields."""
    body = DCMTK_ASSOCIATE_RQ[6:74] + b"".join(items)
    return b"\x01\0" + len(body).to_bytes(4, "big") + body


def item(item_type: int, body: bytes) -> bytes:
    return bytes((item_type, 0)) + len(body).to_bytes(2, "big") + body


APPLICATION_CONTEXT = item(0x10, b"1.2.840.10008.3.1.1.1")
CONTEXT = item(0x20, b"\1\0\0\0" + item(0x30, b"1.2") + item(0x40, b"1.3"))


def test_the_request_of_dcmtk_is_read() -> None:
    assert decoded(DCMTK_ASSOCIATE_RQ) == AssociateRequest(
        called_ae_title="ANY-SCP",
        calling_ae_title="ECHOSCU",
        presentation_contexts=(PresentationContextProposed(1, VERIFICATION, (IMPLICIT,)),),
        user_information=USER_INFORMATION,
    )


def test_our_request_differs_from_dcmtks_in_the_reserved_byte_only() -> None:
    ours = decoded(DCMTK_ASSOCIATE_RQ).encode()
    assert [offset for offset, (a, b) in enumerate(zip(ours, DCMTK_ASSOCIATE_RQ, strict=True)) if a != b] == [105]


@pytest.mark.parametrize(("pdu", "octets"), GOLDEN, ids=lambda value: type(value).__name__)
def test_a_pdu_is_encoded_and_decoded_as_the_standard_writes_it(pdu: PDU, octets: bytes) -> None:
    assert pdu.encode() == octets
    assert decoded(octets) == pdu
    least, greatest = lengths_of(pdu.pdu_type, Limits()) or (0, 0)
    assert least <= len(octets) - 6 <= greatest


@pytest.mark.parametrize(("value", "octets"), ITEMS, ids=lambda value: type(value).__name__)
def test_an_item_is_encoded_and_decoded_as_the_standard_writes_it(value: Any, octets: str) -> None:
    encoded = bytes.fromhex(octets)
    assert value.encode() == encoded
    assert type(value).decode(memoryview(encoded)[4:], Limits()) == value
    request = decoded(request_with(APPLICATION_CONTEXT, CONTEXT, item(0x50, encoded)))
    assert isinstance(request, AssociateRequest)
    assert request.user_information.items == (value,)


@pytest.mark.parametrize(("value", "octets"), ITEMS, ids=lambda value: type(value).__name__)
def test_an_item_that_is_cut_off_anywhere_is_the_peers_fault_or_a_shorter_value(value: Any, octets: str) -> None:
    body = bytes.fromhex(octets)[4:]
    for end in range(len(body)):
        try:
            assert type(value).decode(memoryview(body)[:end], Limits()) != value
        except PeerProtocolError as error:
            assert (error.abort_source, error.abort_reason) == (2, 6)


def test_items_and_sub_items_of_unknown_types_are_ignored() -> None:
    unknown = item(0x7F, b"whatever")
    user = item(0x50, unknown + MaximumLength(7).encode() + item(0xFF, b""))
    context = item(0x20, b"\1\0\0\0" + unknown + item(0x30, b"1.2") + item(0x40, b"1.3") + unknown)
    request = decoded(request_with(unknown, APPLICATION_CONTEXT, context, unknown, user))
    assert isinstance(request, AssociateRequest)
    assert request.presentation_contexts == (PresentationContextProposed(1, "1.2", ("1.3",)),)
    assert request.user_information == UserInformation((MaximumLength(7),))


def test_ae_titles_and_uids_are_read_without_the_padding_peers_add() -> None:
    octets = bytearray(
        request_with(item(0x10, b"1.2.840.10008.3.1.1.1\0"), item(0x20, b"\1\0\0\0" + item(0x30, b"1.2 ") + item(0x40, b"1.3\0")))
    )
    octets[10:26] = b"  ANY SCP\0\0\0\0\0\0\0"
    request = decoded(bytes(octets))
    assert isinstance(request, AssociateRequest)
    assert (request.called_ae_title, request.application_context_name) == ("ANY SCP", "1.2.840.10008.3.1.1.1")
    assert request.presentation_contexts[0] == PresentationContextProposed(1, "1.2", ("1.3",))


BROKEN = {
    "no application context": request_with(CONTEXT),
    "no presentation context": request_with(APPLICATION_CONTEXT),
    "an item beyond the end": request_with(APPLICATION_CONTEXT, b"\x20\0\xff\xff"),
    "half an item header": request_with(APPLICATION_CONTEXT, b"\x20\0"),
    "an even context ID": request_with(APPLICATION_CONTEXT, item(0x20, b"\2\0\0\0" + item(0x30, b"1.2") + item(0x40, b"1.3"))),
    "context ID 0": request_with(APPLICATION_CONTEXT, item(0x20, b"\0\0\0\0" + item(0x30, b"1.2") + item(0x40, b"1.3"))),
    "the same context ID twice": request_with(APPLICATION_CONTEXT, CONTEXT, CONTEXT),
    "no abstract syntax": request_with(APPLICATION_CONTEXT, item(0x20, b"\1\0\0\0" + item(0x40, b"1.3"))),
    "two abstract syntaxes": request_with(APPLICATION_CONTEXT, item(0x20, b"\1\0\0\0" + 2 * item(0x30, b"1.2") + item(0x40, b"1.3"))),
    "no transfer syntax": request_with(APPLICATION_CONTEXT, item(0x20, b"\1\0\0\0" + item(0x30, b"1.2"))),
    "half a context": request_with(APPLICATION_CONTEXT, item(0x20, b"\1\0")),
    "a UID of 65 characters": request_with(APPLICATION_CONTEXT, item(0x20, b"\1\0\0\0" + item(0x30, b"1" * 65) + item(0x40, b"1.3"))),
}


@pytest.mark.parametrize("octets", BROKEN.values(), ids=BROKEN)
def test_a_broken_request_is_the_peers_fault(octets: bytes) -> None:
    with pytest.raises(PeerProtocolError) as caught:
        decoded(octets)
    assert (caught.value.abort_source, caught.value.abort_reason) == (2, 6)


FEW = Limits(items=4, presentation_contexts=2, transfer_syntaxes=2, user_items=2, user_identity_length=8)
TOO_MUCH = {
    "items": request_with(APPLICATION_CONTEXT, CONTEXT, *[item(0x7F, b"")] * 4),
    "contexts": request_with(
        APPLICATION_CONTEXT, *[item(0x20, bytes((n, 0, 0, 0)) + item(0x30, b"1") + item(0x40, b"1")) for n in (1, 3, 5)]
    ),
    "transfer syntaxes": request_with(APPLICATION_CONTEXT, item(0x20, b"\1\0\0\0" + item(0x30, b"1") + 3 * item(0x40, b"1"))),
    "user items": request_with(APPLICATION_CONTEXT, CONTEXT, item(0x50, 3 * item(0x7F, b""))),
    "user identity": request_with(APPLICATION_CONTEXT, CONTEXT, item(0x50, UserIdentity(1, False, b"a long name").encode())),
    "user identity response": request_with(APPLICATION_CONTEXT, CONTEXT, item(0x50, UserIdentityResponse(b"a long answer").encode())),
}


@pytest.mark.parametrize("octets", TOO_MUCH.values(), ids=TOO_MUCH)
def test_more_than_the_limits_is_the_peers_fault(octets: bytes) -> None:
    assert decoded(octets)
    with pytest.raises(PeerProtocolError):
        decoded(octets, FEW)


@pytest.mark.parametrize("body", ["00", "0000000a 01 03", "00000001 01", "00000003 01 03"], ids=["header", "length", "short", "cut"])
def test_a_presentation_data_value_that_does_not_fit_is_the_peers_fault(body: str) -> None:
    with pytest.raises(PeerProtocolError):
        decode_pdu(4, memoryview(bytes.fromhex(body)), Limits())


@pytest.mark.parametrize(
    "value",
    [
        AssociateRequest(called_ae_title="x" * 17, calling_ae_title="y", presentation_contexts=()),
        AssociateRequest(called_ae_title="日本", calling_ae_title="y", presentation_contexts=()),
        PresentationContextProposed(2, "1.2", ("1.3",)),
        PresentationContextProposed(257, "1.2", ("1.3",)),
        ImplementationClassUID("1" * 0x10000),
        UserIdentity(1, False, b"u" * 0x10000),
    ],
    ids=["AE title", "characters", "even ID", "ID", "item", "field"],
)
def test_what_cannot_be_said_in_a_pdu_is_our_fault(value: Any) -> None:
    with pytest.raises(LocalProtocolError):
        value.encode()


def test_a_password_does_not_show_in_a_representation() -> None:
    information = UserInformation((UserIdentity(2, True, b"user", b"secret"), UserIdentityResponse(b"secret")))
    assert "secret" not in repr(information)
    assert "user\\" not in repr(information)
