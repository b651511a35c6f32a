"""The items of A-ASSOCIATE-RQ and A-ASSOCIATE-AC: PS3.8 9.3.2, 9.3.3 and D.1, PS3.7 D.3.3.

Each is a frozen dataclass with `encode()`, and `decode(body, limits)` for what follows the item's header; decoding what was encoded
gives the same value. UIDs and names are text of one character a byte (ISO 646, read as Latin-1, so that an odd peer's are given
back as they came). What a peer sends wrong raises PeerProtocolError.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

from hilum.dicom.upperlayer.errors import LocalProtocolError, PeerProtocolError
from hilum.dicom.upperlayer.limits import Limits

APPLICATION_CONTEXT = 0x10
PRESENTATION_CONTEXT_RQ = 0x20
PRESENTATION_CONTEXT_AC = 0x21
ABSTRACT_SYNTAX = 0x30
TRANSFER_SYNTAX = 0x40
USER_INFORMATION = 0x50

_HEADER = struct.Struct(">BBH")  # type, reserved (or the version of 57H), length of what follows
_LENGTH = struct.Struct(">H")


def encode_item(item_type: int, body: bytes, second: int = 0) -> bytes:
    """An item with its header.

    Raises:
        LocalProtocolError: the body is longer than 16 bits can say.
    """
    if len(body) > 0xFFFF:
        raise LocalProtocolError(f"An item of type {item_type:02X}H would have {len(body)} bytes; 65535 are the most.")
    return _HEADER.pack(item_type, second, len(body)) + body


def iterate_items(body: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Each item's type and body, in order.

    Raises:
        PeerProtocolError: an item ends after what holds it.
    """
    offset = 0
    while offset < len(body):
        if offset + _HEADER.size > len(body):
            raise PeerProtocolError("An item's header is cut off.")
        item_type, _, length = _HEADER.unpack_from(body, offset)
        offset += _HEADER.size
        if offset + length > len(body):
            raise PeerProtocolError(f"An item of type {item_type:02X}H ends after what holds it.")
        yield item_type, body[offset : offset + length]
        offset += length


def encode_text(text: str) -> bytes:
    """The bytes of a UID or name.

    Raises:
        LocalProtocolError: a character needs more than a byte.
    """
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise LocalProtocolError("A UID or name has a character outside ISO 646.") from error


def decode_text(value: memoryview, limits: Limits) -> str:
    """A UID or name without padding: PS3.8 F.1 has none, and peers pad all the same."""
    uid = bytes(value).rstrip(b"\0 ")
    if len(uid) > limits.uid_length:
        raise PeerProtocolError(f"A UID or name has {len(uid)} characters; {limits.uid_length} are taken.")
    return uid.decode("latin-1")


def _encode_counted(value: bytes) -> bytes:
    if len(value) > 0xFFFF:
        raise LocalProtocolError(f"A field of an item would have {len(value)} bytes; 65535 are the most.")
    return _LENGTH.pack(len(value)) + value


def _split_counted(body: memoryview) -> tuple[memoryview, memoryview]:
    """A field after its length of 16 bits, and the rest."""
    if len(body) < _LENGTH.size:
        raise PeerProtocolError("A field's length is cut off.")
    end = _LENGTH.size + _LENGTH.unpack_from(body)[0]
    if end > len(body):
        raise PeerProtocolError("A field ends after its item.")
    return body[_LENGTH.size : end], body[end:]


def _unpack(layout: struct.Struct, body: memoryview, name: str) -> tuple[int, ...]:
    """The numbers an item begins with; what follows them is for later editions of the standard."""
    if len(body) < layout.size:
        raise PeerProtocolError(f"{name} is cut off.")
    return layout.unpack_from(body)


@dataclass(frozen=True, slots=True)
class PresentationContextProposed:
    """PS3.8 9.3.2.2: what the requestor offers under one number.

    Raises:
        LocalProtocolError: on encoding, the number is not an odd one from 1 to 255.
    """

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]

    def encode(self) -> bytes:
        syntaxes = b"".join(encode_item(TRANSFER_SYNTAX, encode_text(uid)) for uid in self.transfer_syntaxes)
        abstract = encode_item(ABSTRACT_SYNTAX, encode_text(self.abstract_syntax))
        return encode_item(PRESENTATION_CONTEXT_RQ, _encode_context(self.context_id, 0) + abstract + syntaxes)

    @classmethod
    def decode(cls, body: memoryview, limits: Limits) -> Self:
        context_id, _ = _decode_context(body)
        abstract, syntaxes = _decode_syntaxes(body[4:], limits)
        # PS3.8 9.3.2.2: one Abstract Syntax Sub-Item and one or more Transfer Syntax Sub-Items
        if len(abstract) != 1 or not syntaxes:
            raise PeerProtocolError("A proposed presentation context has not one abstract syntax and some transfer syntax.")
        return cls(context_id, abstract[0], tuple(syntaxes))


@dataclass(frozen=True, slots=True)
class PresentationContextResult:
    """PS3.8 9.3.3.2: the acceptor's answer to one number. `transfer_syntax` means something only where `result` is 0."""

    context_id: int
    result: int
    transfer_syntax: str

    def encode(self) -> bytes:
        syntax = encode_item(TRANSFER_SYNTAX, encode_text(self.transfer_syntax))
        return encode_item(PRESENTATION_CONTEXT_AC, _encode_context(self.context_id, self.result) + syntax)

    @classmethod
    def decode(cls, body: memoryview, limits: Limits) -> Self:
        context_id, result = _decode_context(body)
        _, syntaxes = _decode_syntaxes(body[4:], limits)
        # PS3.8 9.3.3.2: one Transfer Syntax Sub-Item, not to be looked at where the context is not accepted
        if result == 0 and len(syntaxes) != 1:
            raise PeerProtocolError("An accepted presentation context has not one transfer syntax.")
        return cls(context_id, result, syntaxes[0] if syntaxes else "")


def _encode_context(context_id: int, result: int) -> bytes:
    if not (context_id & 1 and 0 < context_id < 256):
        raise LocalProtocolError(f"{context_id} is no presentation context ID: they are odd numbers from 1 to 255.")
    return bytes((context_id, 0, result, 0))


def _decode_context(body: memoryview) -> tuple[int, int]:
    """Presentation-context-ID and Result/Reason."""
    if len(body) < 4:
        raise PeerProtocolError("A presentation context item is cut off.")
    # PS3.8 9.3.2.2: "Presentation-context-ID values shall be odd integers between 1 and 255"
    if not body[0] & 1:
        raise PeerProtocolError(f"{body[0]} is no presentation context ID: they are odd numbers from 1 to 255.")
    return body[0], body[2]


def _decode_syntaxes(body: memoryview, limits: Limits) -> tuple[list[str], list[str]]:
    found: dict[int, list[str]] = {ABSTRACT_SYNTAX: [], TRANSFER_SYNTAX: []}
    for item_type, value in iterate_items(body):
        if item_type in found:
            found[item_type].append(decode_text(value, limits))
        if len(found[TRANSFER_SYNTAX]) > limits.transfer_syntaxes:
            raise PeerProtocolError(f"A presentation context has more than {limits.transfer_syntaxes} transfer syntaxes.")
    return found[ABSTRACT_SYNTAX], found[TRANSFER_SYNTAX]


class UserItem(Protocol):
    """A sub-item of the user information item."""

    item_type: ClassVar[int]

    def encode(self) -> bytes: ...

    @classmethod
    def decode(cls, body: memoryview, limits: Limits) -> Self: ...


@dataclass(frozen=True, slots=True)
class MaximumLength:
    """PS3.8 D.1.1: the longest P-DATA-TF variable field its sender will *receive*, in bytes; 0: no limit."""

    item_type: ClassVar[int] = 0x51
    maximum_length: int

    def encode(self) -> bytes:
        return encode_item(self.item_type, struct.pack(">I", self.maximum_length))

    @classmethod
    def decode(cls, body: memoryview, limits: Limits) -> Self:  # noqa: ARG003  (every item is decoded alike)
        return cls(*_unpack(struct.Struct(">I"), body, "A maximum length sub-item"))


@dataclass(frozen=True, slots=True)
class ImplementationClassUID:
    """PS3.7 D.3.3.2.1."""

    item_type: ClassVar[int] = 0x52
    uid: str

    def encode(self) -> bytes:
        return encode_item(self.item_type, encode_text(self.uid))

    @classmethod
    def decode(cls, body: memoryview, limits: Limits) -> Self:
        return cls(decode_text(body, limits))


@dataclass(frozen=True, slots=True)
class AsynchronousOperationsWindow:
    """PS3.7 D.3.3.3.1: how many operations may be outstanding; 0: no limit. Without this item it is 1 and 1."""

    item_type: ClassVar[int] = 0x53
    maximum_number_operations_invoked: int
    maximum_number_operations_performed: int

    def encode(self) -> bytes:
        body = struct.pack(">HH", self.maximum_number_operations_invoked, self.maximum_number_operations_performed)
        return encode_item(self.item_type, body)

    @classmethod
    def decode(cls, body: memoryview, limits: Limits) -> Self:  # noqa: ARG003
        return cls(*_unpack(struct.Struct(">HH"), body, "An asynchronous operations window"))


@dataclass(frozen=True, slots=True)
class RoleSelection:
    """PS3.7 D.3.3.4.1: the requestor's roles for a SOP class, proposed in the RQ, agreed to in the AC."""

    item_type: ClassVar[int] = 0x54
    sop_class_uid: str
    scu_role: bool
    scp_role: bool

    def encode(self) -> bytes:
        body = _encode_counted(encode_text(self.sop_class_uid)) + bytes((self.scu_role, self.scp_role))
        return encode_item(self.item_type, body)

    @classmethod
    def decode(cls, body: memoryview, limits: Limits) -> Self:
        uid, roles = _split_counted(body)
        if len(roles) < 2:
            raise PeerProtocolError("A role selection is cut off.")
        return cls(decode_text(uid, limits), roles[0] == 1, roles[1] == 1)


@dataclass(frozen=True, slots=True)
class ImplementationVersionName:
    """PS3.7 D.3.3.2.3: 1 to 16 characters."""

    item_type: ClassVar[int] = 0x55
    name: str

    def encode(self) -> bytes:
        return encode_item(self.item_type, encode_text(self.name))

    @classmethod
    def decode(cls, body: memoryview, limits: Limits) -> Self:
        return cls(decode_text(body, limits))


@dataclass(frozen=True, slots=True)
class SOPClassExtendedNegotiation:
    """PS3.7 D.3.3.5.1: what a service class says about a SOP class; the bytes are that service's own."""

    item_type: ClassVar[int] = 0x56
    sop_class_uid: str
    service_class_application_information: bytes

    def encode(self) -> bytes:
        body = _encode_counted(encode_text(self.sop_class_uid)) + self.service_class_application_information
        return encode_item(self.item_type, body)

    @classmethod
    def decode(cls, body: memoryview, limits: Limits) -> Self:
        uid, information = _split_counted(body)
        return cls(decode_text(uid, limits), bytes(information))


@dataclass(frozen=True, slots=True)
class SOPClassCommonExtendedNegotiation:
    """PS3.7 D.3.3.6.1: the service class of a SOP class, and the general SOP classes it is a kind of. Only in the RQ."""

    item_type: ClassVar[int] = 0x57
    sop_class_uid: str
    service_class_uid: str
    related_general_sop_class_uids: tuple[str, ...] = ()

    def encode(self) -> bytes:
        related = b"".join(_encode_counted(encode_text(uid)) for uid in self.related_general_sop_class_uids)
        uids = _encode_counted(encode_text(self.sop_class_uid)) + _encode_counted(encode_text(self.service_class_uid))
        # PS3.7 D.3.3.6.1: the second byte is the version of this sub-item, 00H
        return encode_item(self.item_type, uids + _encode_counted(related))

    @classmethod
    def decode(cls, body: memoryview, limits: Limits) -> Self:
        sop_class_uid, rest = _split_counted(body)
        service_class_uid, rest = _split_counted(rest)
        related, _ = _split_counted(rest)
        uids = []
        while related:
            uid, related = _split_counted(related)
            uids.append(decode_text(uid, limits))
        return cls(decode_text(sop_class_uid, limits), decode_text(service_class_uid, limits), tuple(uids))


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """PS3.7 D.3.3.7.1: who the requestor's user is. Never to be logged: the fields are passwords, tickets and tokens.

    `identity_type`: 1 user name, 2 user name and passcode, 3 Kerberos ticket, 4 SAML assertion, 5 JSON Web Token.
    """

    item_type: ClassVar[int] = 0x58
    identity_type: int
    positive_response_requested: bool
    primary_field: bytes
    secondary_field: bytes = b""

    def encode(self) -> bytes:
        fields = _encode_counted(self.primary_field) + _encode_counted(self.secondary_field)
        return encode_item(self.item_type, bytes((self.identity_type, self.positive_response_requested)) + fields)

    @classmethod
    def decode(cls, body: memoryview, limits: Limits) -> Self:
        if len(body) < 2 or len(body) > limits.user_identity_length:
            raise PeerProtocolError("A user identity is cut off or too long.")
        primary, rest = _split_counted(body[2:])
        secondary, _ = _split_counted(rest)
        return cls(body[0], body[1] == 1, bytes(primary), bytes(secondary))

    def __repr__(self) -> str:
        return f"UserIdentity(identity_type={self.identity_type}, ...)"


@dataclass(frozen=True, slots=True)
class UserIdentityResponse:
    """PS3.7 D.3.3.7.2: the acceptor's proof of its own identity; empty for types 1 and 2."""

    item_type: ClassVar[int] = 0x59
    server_response: bytes = b""

    def encode(self) -> bytes:
        return encode_item(self.item_type, _encode_counted(self.server_response))

    @classmethod
    def decode(cls, body: memoryview, limits: Limits) -> Self:
        response, _ = _split_counted(body)
        if len(response) > limits.user_identity_length:
            raise PeerProtocolError("A user identity response is too long.")
        return cls(bytes(response))

    def __repr__(self) -> str:
        return "UserIdentityResponse(...)"
