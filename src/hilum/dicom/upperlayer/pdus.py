"""The seven protocol data units of PS3.8 9.3 as frozen dataclasses: `encode()` and `decode_pdu` are each other's inverse.

P-DATA-TF is here for completeness and for tests: received data never become objects (`receiving`), sent data are cut in `fragments`.
"""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import ClassVar, Self, TypeAlias, TypeVar

from hilum.dicom.upperlayer.errors import LocalProtocolError, PeerProtocolError
from hilum.dicom.upperlayer.items import (
    APPLICATION_CONTEXT,
    PRESENTATION_CONTEXT_AC,
    PRESENTATION_CONTEXT_RQ,
    USER_INFORMATION,
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
    UserItem,
    decode_text,
    encode_item,
    encode_text,
    iterate_items,
)
from hilum.dicom.upperlayer.limits import Limits

A_ASSOCIATE_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, P_DATA_TF, A_RELEASE_RQ, A_RELEASE_RP, A_ABORT = range(1, 8)

# PS3.7 A.2.1: the one application context name there is
DICOM_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"

PDU_HEADER = struct.Struct(">BxI")  # PS3.8 9.3.1: type, reserved, length of what follows
PDV_HEADER = struct.Struct(">IBB")  # PS3.8 9.3.5.1 and E.2: length of what follows, context ID, message control header
PDV_OVERHEAD = 2  # the context ID and the message control header count as content of the item
# PS3.8 E.2: the message control header
IS_COMMAND = 0x01
IS_LAST = 0x02

_ASSOCIATE = struct.Struct(">H2x16s16s32x")  # PS3.8 Table 9-11: version, called and calling AE title
_ANSWER = struct.Struct(">xBBB")  # PS3.8 Tables 9-21 and 9-26

_USER_ITEMS: dict[int, type[UserItem]] = {
    item.item_type: item
    for item in (
        MaximumLength,
        ImplementationClassUID,
        AsynchronousOperationsWindow,
        RoleSelection,
        ImplementationVersionName,
        SOPClassExtendedNegotiation,
        SOPClassCommonExtendedNegotiation,
        UserIdentity,
        UserIdentityResponse,
    )
}
_Item = TypeVar("_Item", bound=UserItem)


def encode_pdu(pdu_type: int, body: bytes) -> bytes:
    """A PDU with its header."""
    return PDU_HEADER.pack(pdu_type, len(body)) + body


@dataclass(frozen=True, slots=True)
class UserInformation:
    """PS3.8 9.3.2.3: sub-items in the order they came. Of one that should occur once, the first counts."""

    items: tuple[UserItem, ...] = ()

    def first(self, kind: type[_Item]) -> _Item | None:
        return next((item for item in self.items if isinstance(item, kind)), None)

    def every(self, kind: type[_Item]) -> list[_Item]:
        return [item for item in self.items if isinstance(item, kind)]

    def encode(self) -> bytes:
        return encode_item(USER_INFORMATION, b"".join(item.encode() for item in self.items))

    @classmethod
    def decode(cls, body: memoryview, limits: Limits) -> Self:
        items: list[UserItem] = []
        for count, (item_type, value) in enumerate(iterate_items(body), 1):
            if count > limits.user_items:
                raise PeerProtocolError(f"The user information has more than {limits.user_items} sub-items.")
            kind = _USER_ITEMS.get(item_type)
            # PS3.8 D.2: acceptors "are required to ignore such unrecognized user information Sub-Items"
            if kind is not None:
                items.append(kind.decode(value, limits))
        return cls(tuple(items))


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateRequest:
    """A-ASSOCIATE-RQ, PS3.8 9.3.2."""

    pdu_type: ClassVar[int] = A_ASSOCIATE_RQ
    called_ae_title: str
    calling_ae_title: str
    presentation_contexts: tuple[PresentationContextProposed, ...]
    user_information: UserInformation = field(default_factory=UserInformation)
    application_context_name: str = DICOM_APPLICATION_CONTEXT
    protocol_version: int = 1

    def encode(self) -> bytes:
        return _encode_associate(self, self.presentation_contexts)

    @classmethod
    def decode(cls, body: memoryview, limits: Limits) -> Self:
        fields = _AssociateFields.decode(body, limits)
        contexts = fields.contexts(PRESENTATION_CONTEXT_RQ, PresentationContextProposed.decode, limits)
        # PS3.8 9.3.2: "one or more Presentation Context Items"
        if not contexts:
            raise PeerProtocolError("There is no presentation context.")
        numbers = {context.context_id for context in contexts}
        # PS3.8 7.1.1.13: a number names one context
        if len(numbers) != len(contexts):
            raise PeerProtocolError("Two presentation contexts have the same ID.")
        return cls(
            called_ae_title=fields.called_ae_title,
            calling_ae_title=fields.calling_ae_title,
            presentation_contexts=tuple(contexts),
            user_information=fields.user_information,
            application_context_name=fields.application_context_name,
            protocol_version=fields.protocol_version,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateAccept:
    """A-ASSOCIATE-AC, PS3.8 9.3.3. The AE titles repeat the request's and mean nothing."""

    pdu_type: ClassVar[int] = A_ASSOCIATE_AC
    called_ae_title: str
    calling_ae_title: str
    presentation_contexts: tuple[PresentationContextResult, ...]
    user_information: UserInformation = field(default_factory=UserInformation)
    application_context_name: str = DICOM_APPLICATION_CONTEXT
    protocol_version: int = 1

    def encode(self) -> bytes:
        return _encode_associate(self, self.presentation_contexts)

    @classmethod
    def decode(cls, body: memoryview, limits: Limits) -> Self:
        fields = _AssociateFields.decode(body, limits)
        return cls(
            called_ae_title=fields.called_ae_title,
            calling_ae_title=fields.calling_ae_title,
            presentation_contexts=tuple(fields.contexts(PRESENTATION_CONTEXT_AC, PresentationContextResult.decode, limits)),
            user_information=fields.user_information,
            application_context_name=fields.application_context_name,
            protocol_version=fields.protocol_version,
        )


@dataclass(frozen=True, slots=True)
class AssociateReject:
    """A-ASSOCIATE-RJ, PS3.8 9.3.4.

    Attributes:
        result: 1 rejected-permanent, 2 rejected-transient.
        source: 1 service-user, 2 service-provider (ACSE related), 3 service-provider (presentation related).
        reason: of source 1: 1 none given, 2 application context name not supported, 3 calling AE title not recognized,
            7 called AE title not recognized; of 2: 1 none given, 2 protocol version not supported; of 3: 1 temporary congestion,
            2 local limit exceeded.
    """

    pdu_type: ClassVar[int] = A_ASSOCIATE_RJ
    result: int
    source: int
    reason: int

    def encode(self) -> bytes:
        return encode_pdu(self.pdu_type, _ANSWER.pack(self.result, self.source, self.reason))

    @classmethod
    def decode(cls, body: memoryview, limits: Limits) -> Self:  # noqa: ARG003  (every PDU is decoded alike)
        return cls(*_ANSWER.unpack(body))


@dataclass(frozen=True, slots=True)
class PresentationDataValue:
    """PS3.8 9.3.5.1 and E.2: one fragment of a command set or data set."""

    context_id: int
    value: bytes
    is_command: bool
    is_last: bool

    def encode(self) -> bytes:
        control = IS_COMMAND * self.is_command | IS_LAST * self.is_last
        return PDV_HEADER.pack(len(self.value) + PDV_OVERHEAD, self.context_id, control) + self.value


@dataclass(frozen=True, slots=True)
class PDataTF:
    """P-DATA-TF, PS3.8 9.3.5."""

    pdu_type: ClassVar[int] = P_DATA_TF
    values: tuple[PresentationDataValue, ...]

    def encode(self) -> bytes:
        return encode_pdu(self.pdu_type, b"".join(value.encode() for value in self.values))

    @classmethod
    def decode(cls, body: memoryview, limits: Limits) -> Self:  # noqa: ARG003
        values = []
        while body:
            if len(body) < PDV_HEADER.size:
                raise PeerProtocolError("A presentation data value's header is cut off.")
            length, context_id, control = PDV_HEADER.unpack_from(body)
            end = PDV_HEADER.size - PDV_OVERHEAD + length
            if length < PDV_OVERHEAD or end > len(body):
                raise PeerProtocolError("A presentation data value does not fit its PDU.")
            value = bytes(body[PDV_HEADER.size : end])
            values.append(PresentationDataValue(context_id, value, bool(control & IS_COMMAND), bool(control & IS_LAST)))
            body = body[end:]
        return cls(tuple(values))


@dataclass(frozen=True, slots=True)
class _Release:
    """PS3.8 Tables 9-24 and 9-25: four reserved bytes, sent as 0 and not tested."""

    pdu_type: ClassVar[int]

    def encode(self) -> bytes:
        return encode_pdu(self.pdu_type, bytes(4))

    @classmethod
    def decode(cls, body: memoryview, limits: Limits) -> Self:  # noqa: ARG003
        return cls()


@dataclass(frozen=True, slots=True)
class ReleaseRequest(_Release):
    """A-RELEASE-RQ, PS3.8 9.3.6."""

    pdu_type: ClassVar[int] = A_RELEASE_RQ


@dataclass(frozen=True, slots=True)
class ReleaseResponse(_Release):
    """A-RELEASE-RP, PS3.8 9.3.7."""

    pdu_type: ClassVar[int] = A_RELEASE_RP


@dataclass(frozen=True, slots=True)
class Abort:
    """A-ABORT, PS3.8 9.3.8: `errors.AbortSource` and `errors.AbortReason`."""

    pdu_type: ClassVar[int] = A_ABORT
    source: int
    reason: int

    def encode(self) -> bytes:
        return encode_pdu(self.pdu_type, _ANSWER.pack(0, self.source, self.reason))

    @classmethod
    def decode(cls, body: memoryview, limits: Limits) -> Self:  # noqa: ARG003
        _, source, reason = _ANSWER.unpack(body)
        return cls(source, reason)


PDU: TypeAlias = AssociateRequest | AssociateAccept | AssociateReject | PDataTF | ReleaseRequest | ReleaseResponse | Abort
_PDUS: dict[int, type[PDU]] = {
    kind.pdu_type: kind for kind in (AssociateRequest, AssociateAccept, AssociateReject, PDataTF, ReleaseRequest, ReleaseResponse, Abort)
}


def lengths_of(pdu_type: int, limits: Limits) -> tuple[int, int] | None:
    """The least and the greatest length a PDU of this type may have; None: there is no such type."""
    match pdu_type:
        case 1 | 2:  # A-ASSOCIATE-RQ, A-ASSOCIATE-AC
            return _ASSOCIATE.size, limits.associate_length
        case 4:  # P-DATA-TF. PS3.8 9.3.5: "one or more Presentation-Data-Value Items"
            return PDV_HEADER.size, limits.pdu_length
        case 3 | 5 | 6 | 7:  # A-ASSOCIATE-RJ, A-RELEASE-RQ, A-RELEASE-RP, A-ABORT
            return 4, 4
    return None


def decode_pdu(pdu_type: int, body: memoryview, limits: Limits) -> PDU:
    """The PDU of a type that exists and whose body has one of its lengths (`lengths_of`).

    Raises:
        PeerProtocolError: the body breaks the standard or a limit.
    """
    return _PDUS[pdu_type].decode(body, limits)


def _encode_associate(
    pdu: AssociateRequest | AssociateAccept, contexts: Iterable[PresentationContextProposed | PresentationContextResult]
) -> bytes:
    fixed = _ASSOCIATE.pack(pdu.protocol_version, _encode_ae_title(pdu.called_ae_title), _encode_ae_title(pdu.calling_ae_title))
    name = encode_item(APPLICATION_CONTEXT, encode_text(pdu.application_context_name))
    items = b"".join(context.encode() for context in contexts)
    return encode_pdu(pdu.pdu_type, fixed + name + items + pdu.user_information.encode())


def _encode_ae_title(title: str) -> bytes:
    """PS3.8 9.3.2: 16 characters, padded with spaces."""
    encoded = encode_text(title)
    if len(encoded) > 16:
        raise LocalProtocolError("An AE title has more than 16 characters.")
    return encoded.ljust(16)


def _decode_ae_title(field: bytes) -> str:
    """PS3.8 9.3.2: leading and trailing spaces do not count; NULs are what some peers pad with."""
    return field.decode("latin-1").strip(" \0")


_Context = TypeVar("_Context", PresentationContextProposed, PresentationContextResult)


@dataclass(frozen=True, slots=True)
class _AssociateFields:
    """What A-ASSOCIATE-RQ and A-ASSOCIATE-AC have in common (PS3.8 Tables 9-11 and 9-17)."""

    protocol_version: int
    called_ae_title: str
    calling_ae_title: str
    application_context_name: str
    user_information: UserInformation
    items: tuple[tuple[int, memoryview], ...]

    @classmethod
    def decode(cls, body: memoryview, limits: Limits) -> Self:
        version, called, calling = _ASSOCIATE.unpack_from(body)
        items = tuple(islice(iterate_items(body[_ASSOCIATE.size :]), limits.items + 1))
        if len(items) > limits.items:
            raise PeerProtocolError(f"There are more than {limits.items} items.")
        # PS3.8 9.3.1: items of unrecognized types are ignored; the first of one that should occur once counts
        firsts = dict(reversed(items))
        name, user = firsts.get(APPLICATION_CONTEXT), firsts.get(USER_INFORMATION)
        if name is None:
            raise PeerProtocolError("The application context item is missing.")
        return cls(
            protocol_version=version,
            called_ae_title=_decode_ae_title(called),
            calling_ae_title=_decode_ae_title(calling),
            application_context_name=decode_text(name, limits),
            user_information=UserInformation() if user is None else UserInformation.decode(user, limits),
            items=items,
        )

    def contexts(self, wanted: int, decode: Callable[[memoryview, Limits], _Context], limits: Limits) -> list[_Context]:
        """The presentation contexts of the type that belongs to this PDU."""
        found = [value for item_type, value in self.items if item_type == wanted]
        if len(found) > limits.presentation_contexts:
            raise PeerProtocolError(f"There are {len(found)} presentation contexts; {limits.presentation_contexts} are taken.")
        return [decode(value, limits) for value in found]
