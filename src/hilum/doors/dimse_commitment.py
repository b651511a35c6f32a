"""Storage Commitment Push Model (PS3.4 J): the request of an N-ACTION read, its answer made, both as bytes."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hilum.dicom.part10 import IMPLICIT_VR_LITTLE_ENDIAN, Recognition, UnreadableError
from hilum.dicom.scanner import Source, Wanted, scan
from hilum.dicom.uids import is_valid_uid
from hilum.dicom.upperlayer.messages import NEventReportRequest
from hilum.model.records import Commitment, FailedReference, FailureReason

STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"  # PS3.4 J.3.5
STORAGE_COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"  # the well-known one
REQUEST_STORAGE_COMMITMENT = 1  # PS3.4 J.3.2: the only action type
MOST_BYTES = 16 << 20  # of a request's data set

_SUCCESSFUL, _FAILURES_EXIST = 1, 2  # PS3.4 Table J.3-2, event types
_CLASS, _INSTANCE = "ReferencedSOPSequence[*].ReferencedSOPClassUID", "ReferencedSOPSequence[*].ReferencedSOPInstanceUID"
_WANTED = Wanted("TransactionUID", _CLASS, _INSTANCE)


@dataclass(frozen=True, slots=True)
class CommitmentRequest:
    """What is asked for: `references` are (SOP class UID, SOP instance UID)."""

    transaction_uid: str
    references: tuple[tuple[str, str], ...]


def read_request(data_set: bytes | bytearray, transfer_syntax: str) -> CommitmentRequest | None:
    """The request in an N-ACTION's data set; None where it is none."""
    try:
        header = scan(Source.of_bytes(data_set), _WANTED, Recognition(transfer_syntax, 0), to_the_end=False)
    except UnreadableError:
        return None
    classes, instances = header.each(_CLASS), header.each(_INSTANCE)
    transaction_uid = header.text("TransactionUID") or ""
    if header.trouble or not is_valid_uid(transaction_uid) or not instances:
        return None
    references = tuple((str(one[0]), str(two[0])) for one, two in zip(classes, instances, strict=True) if one and two)
    return CommitmentRequest(transaction_uid, references) if len(references) == len(instances) else None


@dataclass(frozen=True, slots=True)
class Held:
    """What is known of an instance with its bytes on stable storage, of all its copies together.

    Args:
        sop_classes: UIDs that the bytes of a copy name; several where copies, or places within one, contradict each other.
        has_untold: the bytes of a copy do not tell its SOP class.
        has_unread: the bytes of a copy could not be read.
    """

    sop_classes: frozenset[str]
    has_untold: bool = False
    has_unread: bool = False


def judge(request: CommitmentRequest, held: Mapping[str, Held]) -> Commitment:
    """What is committed, and what is not.

    Args:
        held: by SOP Instance UID.
    """
    committed, failed = [], []
    for sop_class_uid, sop_instance_uid in request.references:
        reason = _why_not(sop_class_uid, held.get(sop_instance_uid))
        if reason is None:
            committed.append((sop_class_uid, sop_instance_uid))
        else:
            failed.append(FailedReference(sop_class_uid, sop_instance_uid, reason))
    return Commitment(request.transaction_uid, tuple(committed), tuple(failed))


def _why_not(sop_class_uid: str, held: Held | None) -> FailureReason | None:
    """PS3.3 C.14.1.1; None: it is committed. A copy whose SOP class is not told may be the one that is meant."""
    if held is None:
        return FailureReason.NO_SUCH_OBJECT_INSTANCE
    if sop_class_uid in held.sop_classes or held.has_untold:
        return None
    return FailureReason.PROCESSING_FAILURE if held.has_unread else FailureReason.CLASS_INSTANCE_CONFLICT


def make_report(commitment: Commitment, message_id: int) -> NEventReportRequest:
    """The N-EVENT-REPORT-RQ that `encode_report` is the data set of."""
    return NEventReportRequest(
        message_id=message_id,
        affected_sop_class_uid=STORAGE_COMMITMENT,
        affected_sop_instance_uid=STORAGE_COMMITMENT_INSTANCE,
        event_type_id=_FAILURES_EXIST if commitment.failed else _SUCCESSFUL,
    )


def encode_report(commitment: Commitment, transfer_syntax: str) -> bytes:
    """The data set of a report, in explicit or implicit VR little endian (PS3.4 Table J.3-4)."""
    encoder = _Encoder(is_implicit=transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN)
    failed = [encoder.reference(*one) for one in commitment.failed]
    committed = [encoder.reference(*one) for one in commitment.committed]
    return b"".join(
        (
            encoder.element(0x0008, 0x1195, "UI", _uid(commitment.transaction_uid)),
            encoder.sequence(0x0008, 0x1198, failed) if failed else b"",
            encoder.sequence(0x0008, 0x1199, committed) if committed else b"",
        )
    )


@dataclass(frozen=True, slots=True)
class _Encoder:
    """PS3.5 7.1.2, 7.1.3 and 7.5, little endian, all lengths explicit."""

    is_implicit: bool

    def element(self, group: int, number: int, vr: str, value: bytes) -> bytes:
        if self.is_implicit:
            return struct.pack("<HHI", group, number, len(value)) + value
        if vr == "SQ":
            return struct.pack("<HH2sxxI", group, number, b"SQ", len(value)) + value
        return struct.pack("<HH2sH", group, number, vr.encode(), len(value)) + value

    def sequence(self, group: int, number: int, items: Sequence[bytes]) -> bytes:
        return self.element(group, number, "SQ", b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in items))

    def reference(self, sop_class_uid: str, sop_instance_uid: str, reason: int | None = None) -> bytes:
        named = self.element(0x0008, 0x1150, "UI", _uid(sop_class_uid)) + self.element(0x0008, 0x1155, "UI", _uid(sop_instance_uid))
        return named if reason is None else named + self.element(0x0008, 0x1197, "US", struct.pack("<H", reason))


def _uid(text: str) -> bytes:
    return text.encode("ascii", "replace") + b"\0" * (len(text) % 2)
