"""What the catalogue and the ledger know, as frozen records. `..._id` is ours (a UUID), `..._uid` is DICOM's, `..._at` is aware UTC."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

from hilum.model.lifecycle import Item, Kind, Stage, Status
from hilum.model.outcomes import SeriesInput, StoredBytes

QUARANTINE = "quarantine"
"""In the metadata of a sender's intake: the sentence with which all of it is set aside."""


class MemberState(StrEnum):
    """The one place in the ledger where a received instance is."""

    RECEIVED = "received"  # durable, waits for importing
    IMPORTED = "imported"  # an instance of the catalogue
    ALREADY_HELD = "already_held"  # same UID and data set as an imported one
    CONFLICT = "conflict"  # same UID, another data set (or another patient): set aside, nothing overwritten
    SET_ASIDE = "set_aside"  # cannot be used; kept with its reason
    SKIPPED = "skipped"  # nothing to keep: a DICOMDIR
    DELETED = "deleted"  # buried by a person; goes when its pack is written again
    ORPHANED = "orphaned"  # made by a workitem that an older ledger does not know: kept until a person looks
    MADE = "made"  # not received: a de-identified copy or a result of the workitem that stands as its intake


NEVER, ALLOWED = REIDENTIFICATION = ("never", "allowed")
"""A project's direction: whether anything of it may ever be re-identified."""


@dataclass(frozen=True, slots=True)
class Project:
    name: str
    description: str
    ae_title: str
    accepts: Mapping[str, Any]
    quiet_seconds: float
    retention_days: int | None
    reidentification: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Peer:
    """A DICOM application entity that we know.

    Args:
        name: what we call it.
        ae_title: what it calls itself.
        our_ae_title: what we call ourselves towards it; empty: the setting's.
        retrieve: how images are got from it: c-move, c-get or wado.
    """

    name: str
    ae_title: str
    host: str
    port: int
    our_ae_title: str = ""
    tls: bool = False
    retrieve: str = "c-move"
    dicomweb_url: str = ""


class FailureReason(IntEnum):
    """PS3.3 C.14.1.1, Failure Reason (0008,1197)."""

    PROCESSING_FAILURE = 0x0110
    NO_SUCH_OBJECT_INSTANCE = 0x0112
    CLASS_INSTANCE_CONFLICT = 0x0119


class FailedReference(NamedTuple):
    """An instance that is not committed."""

    sop_class_uid: str
    sop_instance_uid: str
    reason: int = FailureReason.NO_SUCH_OBJECT_INSTANCE  # reports that were owed before others were told name none


@dataclass(frozen=True, slots=True)
class Commitment:
    """The answer to a request for storage commitment (PS3.4 J.3): (SOP class UID, SOP instance UID) of what is held, and what is not."""

    transaction_uid: str
    committed: tuple[tuple[str, str], ...]
    failed: tuple[FailedReference, ...] = ()


@dataclass(frozen=True, slots=True)
class OwedReport:
    """A commitment that its peer has not confirmed to have heard of.

    Args:
        calling_ae_title, called_ae_title, address: of the association that asked.
        attempt: how often it was told in vain on an association of our own.
    """

    key: int
    calling_ae_title: str
    called_ae_title: str
    address: str
    commitment: Commitment
    attempt: int
    owed_at: datetime


@dataclass(frozen=True, slots=True)
class Intake:
    """One delivery through one door.

    Args:
        sender: who goes on with it; empty where the sender itself says when it is complete.
        interrupted: a sender broke off; what was acknowledged stays.
    """

    id: str
    project: str
    door: str
    report_type: str
    dataset: str
    force_reprocessing: bool
    metadata: Mapping[str, Any]
    started_at: datetime
    completed_at: datetime | None
    expected_files: int | None
    who: str
    sender: str = ""
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class ReceivedMember:
    """A member of a pack that waits for importing."""

    key: int
    intake_id: str
    file_name: str
    stored: StoredBytes


@dataclass(frozen=True, slots=True)
class ScannedInstance:
    """What importing read from one member.

    Args:
        attributes: DICOM keyword -> value, those that geometry, search and active templates name.
        header: the whole header without bulk values (PS3.18 F.2 JSON); read for the first instance of a series only.
    """

    member: ReceivedMember
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SetAside:
    """A member that cannot be used, with the sentence for the sender; `state` is set_aside or skipped."""

    member: ReceivedMember
    reason: str
    state: MemberState = MemberState.SET_ASIDE


@dataclass(frozen=True, slots=True)
class Request:
    """What an intake asks of a study it touched.

    Args:
        waiting: it holds members that are not imported yet, perhaps of this study.
        imported_until_at: all that was indexed by then is imported; None where nothing is.
    """

    intake_id: str
    report_type: str
    force_reprocessing: bool
    completed: bool  # the sender said that this is all
    imported: bool  # importing is through with it
    answered: bool  # matching has acted on it; it stands for later revisions all the same
    pending: bool = False  # it is being imported, or will be by itself: more may come of it
    waiting: bool = False
    imported_until_at: datetime | None = None
    ended: bool = False  # the associations of its sender are over
    expected: Mapping[str, int] = field(default_factory=dict)  # UID of a study or series -> how many instances it has at the sender's


@dataclass(frozen=True, slots=True)
class Study:
    id: str
    project: str
    study_instance_uid: str
    patient_id: str
    patient_name: str
    accession_number: str
    study_date: str
    description: str
    revision: int
    datasets: tuple[str, ...]
    number_of_series: int
    number_of_instances: int
    created_at: datetime
    last_received_at: datetime
    item: Item


@dataclass(frozen=True, slots=True)
class Series:
    """A series.

    Args:
        attributes: the kept attributes of its first instance; "" for one that is there and empty.
        header: its whole header, where asked for.
        others: of the attributes asked for, the values of other instances that differ from the first's (None: it lacks the attribute),
            each with the number of instances; None where nobody asked.
        unread: attributes that are kept now, and were not when it came: they are read from the packs afterwards.
        unreadable: why these cannot be read, as a sentence; empty where nothing speaks against it.
    """

    id: str
    key: int
    study_id: str
    project: str
    series_instance_uid: str
    modality: str
    description: str
    number_of_instances: int
    attributes: Mapping[str, Any]
    header: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Sequence[tuple[Any, int]]] | None = None
    unread: Collection[str] = ()
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Instance:
    sop_instance_uid: str
    attributes: Mapping[str, Any]
    stored: StoredBytes


@dataclass(frozen=True, slots=True)
class Workitem:
    id: str
    project: str
    study_id: str
    revision: int
    template: str
    template_version: int
    inputs: tuple[SeriesInput, ...]
    supersedes: str
    ticket: Mapping[str, Any]
    provenance: Mapping[str, Any]
    created_at: datetime
    item: Item

    @property
    def shows_identity(self) -> bool:
        """Whether its copies are the originals; where nobody recorded it, it counts as what must show nobody."""
        return self.provenance.get("deidentification", {}).get("changed") is False


@dataclass(frozen=True, slots=True)
class Artifact:
    id: str
    workitem_id: str
    name: str
    media_type: str
    stored: StoredBytes


@dataclass(frozen=True, slots=True)
class Move:
    """One row of history; `id` grows with time."""

    id: int
    item_id: str
    kind: Kind
    at: datetime
    who: str
    verb: str
    from_stage: Stage
    from_status: Status
    to_stage: Stage
    to_status: Status
    why: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Review:
    """A person's verdict on a workitem: accept, reject or rerun."""

    verdict: str
    reason: str
    who: str
    at: datetime
    ratings: Mapping[str, Any]
    key: int = 0
    workitem_id: str = ""
    project: str = ""
    template: str = ""
    template_version: int = 0


@dataclass(frozen=True, slots=True)
class SetAsideMember:
    """What a sender gave and we cannot use, with its bytes and the reason."""

    key: int
    project: str
    intake_id: str
    file_name: str
    reason: str
    state: MemberState
    stored: StoredBytes
