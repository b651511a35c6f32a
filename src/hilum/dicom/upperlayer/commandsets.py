"""Command sets on the wire: Implicit VR Little Endian, group 0000 only (PS3.7 6.3.1 and E.1). A reader of our own, with limits.

decode_command_set(octets, limits)
encode_command_set(CStoreResponse(message_id_being_responded_to=7, status=0), has_data_set=False)
"""

import struct
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, NamedTuple

from hilum.dicom.upperlayer.errors import AbortReason, AbortSource, LocalProtocolError, PeerProtocolError
from hilum.dicom.upperlayer.limits import Limits
from hilum.dicom.upperlayer.messages import MESSAGES, DataSet, Message

# PS3.7 E.1: the elements by the fields' names, with how their values are encoded
ELEMENTS: dict[str, tuple[int, str]] = {
    "affected_sop_class_uid": (0x0002, "UI"),
    "requested_sop_class_uid": (0x0003, "UI"),
    "command_field": (0x0100, "US"),
    "message_id": (0x0110, "US"),
    "message_id_being_responded_to": (0x0120, "US"),
    "move_destination": (0x0600, "AE"),
    "priority": (0x0700, "US"),
    "command_data_set_type": (0x0800, "US"),
    "status": (0x0900, "US"),
    "offending_element": (0x0901, "AT"),
    "error_comment": (0x0902, "LO"),
    "error_id": (0x0903, "US"),
    "affected_sop_instance_uid": (0x1000, "UI"),
    "requested_sop_instance_uid": (0x1001, "UI"),
    "event_type_id": (0x1002, "US"),
    "attribute_identifier_list": (0x1005, "AT"),
    "action_type_id": (0x1008, "US"),
    "number_of_remaining_suboperations": (0x1020, "US"),
    "number_of_completed_suboperations": (0x1021, "US"),
    "number_of_failed_suboperations": (0x1022, "US"),
    "number_of_warning_suboperations": (0x1023, "US"),
    "move_originator_application_entity_title": (0x1030, "AE"),
    "move_originator_message_id": (0x1031, "US"),
}
_GROUP_LENGTH = 0x0000
_COMMAND_FIELD = ELEMENTS["command_field"][0]
_COMMAND_DATA_SET_TYPE = ELEMENTS["command_data_set_type"][0]
_NO_DATA_SET, _A_DATA_SET = 0x0101, 0x0001  # PS3.7 E.1: 0101H is "none", any other value is "some"
# Without these a message can be neither understood nor answered.
_ESSENTIAL = {"message_id", "message_id_being_responded_to", "status"}

_HEADER = struct.Struct("<HHI")  # PS3.7 6.3.1: group, element, length
_US = struct.Struct("<H")
_UL = struct.Struct("<I")
_TAG = struct.Struct("<HH")
_ERROR_COMMENT_LENGTH = 64  # PS3.5 6.2, LO

Octets = bytes | bytearray | memoryview


class CommandSet(NamedTuple):
    """A decoded command set; `faults` as in `events.CommandReceived`."""

    message: Message
    has_data_set: bool
    faults: tuple[str, ...]


class _Field(NamedTuple):
    name: str
    element: int
    vr: str
    is_required: bool


def _fields_of(kind: type[Message]) -> tuple[_Field, ...]:
    return tuple(_Field(field.name, *ELEMENTS[field.name], field.default is MISSING) for field in fields(kind))


def _layout_of(kind: type[Message]) -> tuple[tuple[str, int, str], ...]:
    names = {field.name for field in fields(kind)} | {"command_field", "command_data_set_type"}
    return tuple((name, *ELEMENTS[name]) for name in sorted(names, key=ELEMENTS.__getitem__))


_FIELDS = {kind: _fields_of(kind) for kind in MESSAGES.values()}
# PS3.7 6.3.1: elements are ordered by increasing tag
_LAYOUTS = {kind: _layout_of(kind) for kind in MESSAGES.values()}


def decode_command_set(octets: Octets, limits: Limits) -> CommandSet:
    """The message that these bytes are, all of a command set's fragments together.

    What is wrong, yet leaves the message answerable, is a fault: PS3.7 C has statuses to refuse it with. UIDs are not judged here.

    Raises:
        PeerProtocolError: it is no message that could be answered; the abort is the service-user's, DIMSE being its business.
    """
    elements, faults = _split(bytes(octets), limits)
    field = _number(elements, _COMMAND_FIELD)
    data_set_type = _number(elements, _COMMAND_DATA_SET_TYPE)
    kind = MESSAGES.get(-1 if field is None else field)
    if kind is None or data_set_type is None:
        raise _unanswerable("Its Command Field or Command Data Set Type is missing or unknown.")
    values = {}
    for name, element, vr, is_required in _FIELDS[kind]:
        value = _decode_value(elements.get(element), vr, name, faults)
        if value is not None:
            values[name] = value
        elif name in _ESSENTIAL:
            raise _unanswerable(f"{name} is missing.")
        elif is_required:
            faults.append(f"{name} is missing.")
            values[name] = _NOTHING[vr]
    has_data_set = data_set_type != _NO_DATA_SET
    _judge_data_set(kind.data_set, has_data_set, faults)
    make: Callable[..., Message] = kind
    return CommandSet(make(**values), has_data_set, tuple(faults))


def encode_command_set(message: Message, *, has_data_set: bool) -> bytes:
    """The bytes of a message's command set, with its group length.

    Raises:
        LocalProtocolError: a value cannot be encoded, or PS3.7 wants it otherwise with the data set.
    """
    wanted = message.data_set
    if (has_data_set and wanted is DataSet.NONE) or (not has_data_set and wanted is DataSet.REQUIRED):
        raise LocalProtocolError(f"{type(message).__name__} goes {'without' if has_data_set else 'with'} a data set.")
    data_set_type = _A_DATA_SET if has_data_set else _NO_DATA_SET
    body = bytearray()
    for name, element, vr in _LAYOUTS[type(message)]:
        value = data_set_type if element == _COMMAND_DATA_SET_TYPE else getattr(message, name)
        if value is not None:
            octets = _encode_value(value, vr, name)
            body += _HEADER.pack(0, element, len(octets)) + octets
    return _HEADER.pack(0, _GROUP_LENGTH, _UL.size) + _UL.pack(len(body)) + body


def _unanswerable(why: str) -> PeerProtocolError:
    return PeerProtocolError(f"A command set cannot be answered: {why}", AbortSource.SERVICE_USER, AbortReason.NOT_SPECIFIED)


def _split(octets: bytes, limits: Limits) -> tuple[dict[int, bytes], list[str]]:
    """The values of group 0000 by element; of one that comes twice the first counts."""
    elements: dict[int, bytes] = {}
    faults: list[str] = []
    offset, end = 0, len(octets)
    for _ in range(limits.command_elements):
        if offset + _HEADER.size > end:
            break
        group, element, length = _HEADER.unpack_from(octets, offset)
        offset += _HEADER.size + length
        if offset > end:
            break
        if group == 0:
            elements.setdefault(element, octets[offset - length : offset])
        else:
            faults.append("The command set has an element outside group 0000.")
    else:
        if offset < end:
            raise _unanswerable(f"It has more than {limits.command_elements} elements.")
    if offset != end:
        faults.append("The command set is cut off inside an element.")
    _judge_group_length(elements, end, faults)
    return elements, faults


def _judge_group_length(elements: dict[int, bytes], length: int, faults: list[str]) -> None:
    """PS3.7 E.1: the bytes from the end of the group length's value to the start of what follows the command set."""
    declared = elements.get(_GROUP_LENGTH)
    # A peer that leaves the element out has said nothing wrong about the rest.
    if declared is not None and declared != _UL.pack(length - _HEADER.size - _UL.size):
        faults.append("The command group length is not the length of the command set.")


def _judge_data_set(wanted: DataSet, has_data_set: bool, faults: list[str]) -> None:
    if wanted is DataSet.REQUIRED and not has_data_set:
        faults.append("The data set is missing.")
    if wanted is DataSet.NONE and has_data_set:
        faults.append("A data set is announced where none belongs.")


def _number(elements: dict[int, bytes], element: int) -> int | None:
    value = elements.get(element, b"")
    number: int | None = _US.unpack(value)[0] if len(value) == _US.size else None
    return number


_NOTHING: dict[str, Any] = {"UI": "", "AE": "", "LO": "", "US": 0, "AT": ()}


def _decode_value(value: bytes | None, vr: str, name: str, faults: list[str]) -> Any:
    """The value, or None where it is absent, empty or has an impossible length (a fault)."""
    if not value:
        return None
    decoded = _DECODERS[vr](value)
    if decoded is None:
        faults.append(f"{name} has {len(value)} bytes.")
    return decoded


# PS3.5 6.2: UI is padded with NUL, AE and LO with spaces; peers mix them up. Latin-1 gives any byte back as it came.
_DECODERS: dict[str, Callable[[bytes], Any]] = {
    "US": lambda value: _US.unpack(value)[0] if len(value) == _US.size else None,
    "AT": lambda value: _tags_of(value) if len(value) % _TAG.size == 0 else None,
    "UI": lambda value: value.decode("latin-1").rstrip("\0 "),
    "AE": lambda value: value.decode("latin-1").strip("\0 "),
    "LO": lambda value: value.decode("latin-1").strip("\0 "),
}


def _tags_of(value: bytes) -> tuple[int, ...]:
    return tuple(group << 16 | element for group, element in _TAG.iter_unpack(value))


def _encode_value(value: Any, vr: str, name: str) -> bytes:
    try:
        return _ENCODERS[vr](value)
    except (struct.error, UnicodeEncodeError) as error:
        raise LocalProtocolError(f"{name} cannot be encoded as {vr}.") from error


_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "US": _US.pack,
    "AT": lambda tags: b"".join(_TAG.pack(tag >> 16, tag & 0xFFFF) for tag in tags),
    "UI": lambda uid: _pad(uid.encode("latin-1"), b"\0"),
    "AE": lambda title: _pad(title.encode("latin-1"), b" "),
    "LO": lambda text: _pad(text.encode("ascii", "replace")[:_ERROR_COMMENT_LENGTH], b" "),
}


def _pad(value: bytes, padding: bytes) -> bytes:
    return value + padding if len(value) & 1 else value
