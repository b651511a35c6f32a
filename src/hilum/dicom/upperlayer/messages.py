"""DIMSE messages: the command sets of PS3.7 9.3 and 10.3 as frozen dataclasses; `commandsets` encodes and decodes them.

Fields are the keywords of PS3.7 E.1 in snake case. Whether a data set follows is not a field: it belongs to the sending.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar

_PENDING = (0xFF00, 0xFF01)  # PS3.7 C.2

MEDIUM, HIGH, LOW = 0x0000, 0x0001, 0x0002  # PS3.7 E.1, Priority


class DataSet(Enum):
    """Whether PS3.7 9.3 and 10.3 let a data set follow."""

    NONE = auto()
    OPTIONAL = auto()
    REQUIRED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A command set. A field without default is one that PS3.7 requires."""

    command_field: ClassVar[int]
    data_set: ClassVar[DataSet] = DataSet.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Message):
    """A request: it is owed a response."""

    message_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Response(Message):
    """A response. PS3.7 C: offending elements are tags, the comment is cut at 64 characters of ISO 646."""

    message_id_being_responded_to: int
    status: int
    affected_sop_class_uid: str | None = None
    offending_element: tuple[int, ...] | None = None
    error_comment: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether no other response to the same request follows (PS3.7 C.2)."""
        return self.status not in _PENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class CEchoRequest(Request):
    """PS3.7 9.3.5.1."""

    command_field: ClassVar[int] = 0x0030
    affected_sop_class_uid: str = "1.2.840.10008.1.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class CEchoResponse(Response):
    """PS3.7 9.3.5.2."""

    command_field: ClassVar[int] = 0x8030


@dataclass(frozen=True, slots=True, kw_only=True)
class CStoreRequest(Request):
    """PS3.7 9.3.1.1."""

    command_field: ClassVar[int] = 0x0001
    data_set: ClassVar[DataSet] = DataSet.REQUIRED
    affected_sop_class_uid: str
    affected_sop_instance_uid: str
    priority: int = MEDIUM
    move_originator_application_entity_title: str | None = None
    move_originator_message_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CStoreResponse(Response):
    """PS3.7 9.3.1.2."""

    command_field: ClassVar[int] = 0x8001
    affected_sop_instance_uid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CFindRequest(Request):
    """PS3.7 9.3.2.1."""

    command_field: ClassVar[int] = 0x0020
    data_set: ClassVar[DataSet] = DataSet.REQUIRED
    affected_sop_class_uid: str
    priority: int = MEDIUM


@dataclass(frozen=True, slots=True, kw_only=True)
class CFindResponse(Response):
    """PS3.7 9.3.2.2."""

    command_field: ClassVar[int] = 0x8020
    data_set: ClassVar[DataSet] = DataSet.OPTIONAL


@dataclass(frozen=True, slots=True, kw_only=True)
class _SuboperationsResponse(Response):
    data_set: ClassVar[DataSet] = DataSet.OPTIONAL
    number_of_remaining_suboperations: int | None = None
    number_of_completed_suboperations: int | None = None
    number_of_failed_suboperations: int | None = None
    number_of_warning_suboperations: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CGetRequest(Request):
    """PS3.7 9.3.3.1."""

    command_field: ClassVar[int] = 0x0010
    data_set: ClassVar[DataSet] = DataSet.REQUIRED
    affected_sop_class_uid: str
    priority: int = MEDIUM


@dataclass(frozen=True, slots=True, kw_only=True)
class CGetResponse(_SuboperationsResponse):
    """PS3.7 9.3.3.2."""

    command_field: ClassVar[int] = 0x8010


@dataclass(frozen=True, slots=True, kw_only=True)
class CMoveRequest(Request):
    """PS3.7 9.3.4.1."""

    command_field: ClassVar[int] = 0x0021
    data_set: ClassVar[DataSet] = DataSet.REQUIRED
    affected_sop_class_uid: str
    move_destination: str
    priority: int = MEDIUM


@dataclass(frozen=True, slots=True, kw_only=True)
class CMoveResponse(_SuboperationsResponse):
    """PS3.7 9.3.4.2."""

    command_field: ClassVar[int] = 0x8021


@dataclass(frozen=True, slots=True, kw_only=True)
class CCancelRequest(Message):
    """PS3.7 9.3.2.3, 9.3.3.3 and 9.3.4.3: it has no number of its own and no response."""

    command_field: ClassVar[int] = 0x0FFF
    message_id_being_responded_to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _NResponse(Response):
    data_set: ClassVar[DataSet] = DataSet.OPTIONAL
    affected_sop_instance_uid: str | None = None
    error_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NEventReportRequest(Request):
    """PS3.7 10.3.1.1."""

    command_field: ClassVar[int] = 0x0100
    data_set: ClassVar[DataSet] = DataSet.OPTIONAL
    affected_sop_class_uid: str
    affected_sop_instance_uid: str
    event_type_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NEventReportResponse(_NResponse):
    """PS3.7 10.3.1.2."""

    command_field: ClassVar[int] = 0x8100
    event_type_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NGetRequest(Request):
    """PS3.7 10.3.2.1; `attribute_identifier_list` are tags."""

    command_field: ClassVar[int] = 0x0110
    requested_sop_class_uid: str
    requested_sop_instance_uid: str
    attribute_identifier_list: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NGetResponse(_NResponse):
    """PS3.7 10.3.2.2."""

    command_field: ClassVar[int] = 0x8110


@dataclass(frozen=True, slots=True, kw_only=True)
class NSetRequest(Request):
    """PS3.7 10.3.3.1."""

    command_field: ClassVar[int] = 0x0120
    data_set: ClassVar[DataSet] = DataSet.REQUIRED
    requested_sop_class_uid: str
    requested_sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NSetResponse(_NResponse):
    """PS3.7 10.3.3.2."""

    command_field: ClassVar[int] = 0x8120
    attribute_identifier_list: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NActionRequest(Request):
    """PS3.7 10.3.4.1."""

    command_field: ClassVar[int] = 0x0130
    data_set: ClassVar[DataSet] = DataSet.OPTIONAL
    requested_sop_class_uid: str
    requested_sop_instance_uid: str
    action_type_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NActionResponse(_NResponse):
    """PS3.7 10.3.4.2."""

    command_field: ClassVar[int] = 0x8130
    action_type_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NCreateRequest(Request):
    """PS3.7 10.3.5.1."""

    command_field: ClassVar[int] = 0x0140
    data_set: ClassVar[DataSet] = DataSet.OPTIONAL
    affected_sop_class_uid: str
    affected_sop_instance_uid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NCreateResponse(_NResponse):
    """PS3.7 10.3.5.2."""

    command_field: ClassVar[int] = 0x8140


@dataclass(frozen=True, slots=True, kw_only=True)
class NDeleteRequest(Request):
    """PS3.7 10.3.6.1."""

    command_field: ClassVar[int] = 0x0150
    requested_sop_class_uid: str
    requested_sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NDeleteResponse(_NResponse):
    """PS3.7 10.3.6.2."""

    command_field: ClassVar[int] = 0x8150
    data_set: ClassVar[DataSet] = DataSet.NONE


MESSAGES: dict[int, type[Message]] = {
    kind.command_field: kind
    for kind in (
        *(CEchoRequest, CEchoResponse, CStoreRequest, CStoreResponse, CFindRequest, CFindResponse, CGetRequest, CGetResponse),
        *(CMoveRequest, CMoveResponse, CCancelRequest, NEventReportRequest, NEventReportResponse, NGetRequest, NGetResponse),
        *(NSetRequest, NSetResponse, NActionRequest, NActionResponse, NCreateRequest, NCreateResponse, NDeleteRequest, NDeleteResponse),
    )
}


def make_response(request: Request, status: int) -> Response:
    """The response to a request, with nothing but a status (PS3.7 E.1: its Command Field is the request's with the highest bit set)."""
    kind = MESSAGES[request.command_field | 0x8000]
    assert issubclass(kind, Response)  # noqa: S101 every request has its response
    return kind(message_id_being_responded_to=request.message_id, status=status)
