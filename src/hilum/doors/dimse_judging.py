"""What a C-STORE is refused for: by its command, by its data set, by what went wrong while it was stored."""

import logging
from typing import NamedTuple

from hilum.dicom.headers import Header
from hilum.dicom.part10 import (
    EXPLICIT_VR_BIG_ENDIAN,
    GE_PRIVATE_IMPLICIT_VR_BIG_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    Recognition,
    UnreadableError,
    read_leading_uids,
)
from hilum.dicom.scanner import DEFLATED, Source, Wanted, scan, scan_prefix
from hilum.dicom.uids import is_valid_uid
from hilum.dicom.upperlayer import CommandReceived, PresentationContext
from hilum.dicom.upperlayer.messages import CStoreRequest
from hilum.doors.dimse_statuses import Refusal, Status
from hilum.model.errors import ForbiddenError, HilumError, NotFoundError, StorageFullError

_LOG = logging.getLogger(__name__)

SHORT_HEAD = 2048  # where the UIDs stand in nearly every object
_ELEMENT_HEADER = 8  # PS3.5 7.1.2 and 7.1.3
_IDENTIFIERS = ("SOPClassUID", "SOPInstanceUID")
_WANTED = Wanted(*_IDENTIFIERS)


def refuse_command(event: CommandReceived, context: PresentationContext) -> Refusal | None:
    """Why the object that a C-STORE-RQ announces cannot be taken, as far as the command shows."""
    command = event.command
    if event.faults or not isinstance(command, CStoreRequest):
        return Refusal(Status.INVALID_ATTRIBUTE_VALUE, " ".join(event.faults))
    # PS3.7 9.1.1.1.3 and PS3.8 9.3.2.2: the context was negotiated for one SOP class
    if command.affected_sop_class_uid != context.abstract_syntax:
        return Refusal(Status.SOP_CLASS_NOT_SUPPORTED, "The SOP class is not that of the presentation context.")
    if not is_valid_uid(command.affected_sop_instance_uid):
        return Refusal(Status.INVALID_SOP_INSTANCE, "The Affected SOP Instance UID is no valid UID.")
    return None


class Judged(NamedTuple):
    """A data set was looked at, and this is why it is refused, if it is."""

    refusal: Refusal | None


_AS_ANNOUNCED = Judged(None)
# PS3.5 A: in all others the elements are little endian and not deflated, whatever their pixel data are.
_NOT_PLAIN = DEFLATED | {EXPLICIT_VR_BIG_ENDIAN, GE_PRIVATE_IMPLICIT_VR_BIG_ENDIAN}


def judge_head(view: memoryview, offset: int, transfer_syntax: str, command: CStoreRequest) -> Judged | None:
    """As `judge_data_set` where the first bytes show it, as they nearly always do; None: they do not. Quick, whatever the bytes are."""
    head = view[:SHORT_HEAD]
    if transfer_syntax not in _NOT_PLAIN:
        uids = read_leading_uids(bytes(head), offset, explicit=transfer_syntax != IMPLICIT_VR_LITTLE_ENDIAN)
        if uids == (command.affected_sop_class_uid, command.affected_sop_instance_uid):
            return _AS_ANNOUNCED
    recognition = Recognition(transfer_syntax, offset, has_preamble=True, has_meta=True)
    uid = command.affected_sop_instance_uid.encode("latin-1")
    # Behind the announced UID nothing need be walked but the tag that shows that it is past. PS3.5 9.1: an odd length is padded.
    end = bytes(head).find(uid, offset) + len(uid) + len(uid) % 2 + _ELEMENT_HEADER
    try:
        header = scan_prefix(head[:end], _WANTED, recognition) or scan_prefix(head, _WANTED, recognition)
    except UnreadableError as error:
        return Judged(Refusal(Status.CANNOT_UNDERSTAND, str(error)))
    return None if header is None else Judged(_compare(header, command))


def judge_data_set(view: memoryview, offset: int, transfer_syntax: str, command: CStoreRequest, *, is_whole: bool) -> Refusal | None:
    """Whether a data set is the one that the command announced.

    Args:
        view: a member's bytes, or the first of them.
        offset: where the data set begins in it.
        is_whole: whether these are all bytes.
    """
    judged = judge_head(view, offset, transfer_syntax, command)
    if judged is not None:
        return judged.refusal
    recognition = Recognition(transfer_syntax, offset, has_preamble=True, has_meta=True)
    try:
        header = scan_prefix(view, _WANTED, recognition) if len(view) > SHORT_HEAD else None
        if header is None and is_whole:
            header = scan(Source.of_bytes(view), _WANTED, recognition, to_the_end=False)
    except UnreadableError as error:
        return Refusal(Status.CANNOT_UNDERSTAND, str(error))
    return _compare(header, command)


def _compare(header: Header | None, command: CStoreRequest) -> Refusal | None:
    announced = (command.affected_sop_class_uid, command.affected_sop_instance_uid)
    found = [(header.text(keyword) or "").strip(" \0") for keyword in _IDENTIFIERS] if header is not None else ["", ""]
    if not found[1]:
        return Refusal(Status.CANNOT_UNDERSTAND, "The data set shows no SOP Instance UID where it belongs.")
    for keyword, there, wanted in zip(_IDENTIFIERS, found, announced, strict=True):
        if there != wanted:
            return Refusal(Status.DATA_SET_DOES_NOT_MATCH, f"The data set has another {keyword} than the command.")
    return None


def refusal_of(error: Exception) -> Refusal:
    """What a sender is told about an object that could not be stored; nothing of it is kept."""
    match error:
        case StorageFullError():
            return Refusal(Status.OUT_OF_RESOURCES, "The disk has no room.")
        case NotFoundError() | ForbiddenError():
            return Refusal(Status.NOT_AUTHORIZED, "The project is not there any more.")
        case HilumError():
            _LOG.warning("an object could not be stored: %s", error)
            return Refusal(Status.DISK_FAILED, "It could not be stored.")
    _LOG.error("an object could not be stored: %s", type(error).__name__, exc_info=error)
    return Refusal(Status.PROCESSING_FAILURE, "It could not be stored.")
