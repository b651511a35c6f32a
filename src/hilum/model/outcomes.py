"""What a stage answers: `Outcome = Done | Defer | Hold | Refuse`, each with a sentence for the person who must act.

A stage never writes: it returns `changes`, plain facts that the ledger writes in the transaction of the item's move, so that
a stage that is killed and runs again leaves its results once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from hilum.model.crosswalk import SealedRow


class Severity(StrEnum):
    """error holds, warning passes (and may ask for a review), info is for the record."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check saw.

    Args:
        check: the check's kind, e.g. "missing-slices".
        severity: as the check (or the template) judges it.
        sentence: for the person who must act: what is wrong, and what to do.
        template: the template it was judged for; empty for checks that need none.
        series_id: our id of the series; empty when it concerns the study.
        instances: SOP Instance UIDs it is about.
        accepted: by whom and why it was accepted; then it weighs nothing, whatever its severity.
        statements: the troubles that the sentence tells, each as a sentence of its own, where it tells several; not kept.
    """

    check: str
    severity: Severity
    sentence: str
    template: str = ""
    series_id: str = ""
    instances: tuple[str, ...] = ()
    accepted: str = ""
    statements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesInput:
    """A series as input of a workitem, in a role of its template ("t1", "flair", or "" where the template names none)."""

    series_id: str
    role: str


@dataclass(frozen=True, slots=True)
class NewWorkitem:
    """A workitem to be made by matching; `held` is the reason where it starts held, `priority` its template's."""

    template: str
    template_version: int
    inputs: tuple[SeriesInput, ...]
    held: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class StoredBytes:
    """Where bytes lie in the vault: `size` bytes at `offset` of a pack, with their SHA-256."""

    pack_id: str
    offset: int
    size: int
    sha256: bytes


# --- the facts a stage leaves -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StudiesTouched:
    """Importing is through with this intake: its studies are made ready, reopened, or asked again.

    Args:
        imported_until_at: all that was indexed by then is imported.
    """

    intake_id: str
    imported_until_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FindingsRecorded:
    """All findings of checking at this revision; they replace those of an earlier run at it."""

    study_id: str
    revision: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class TemplateVerdict:
    """Why a template matched a study or series, or did not. `explanation` is the tree of conditions with actual values."""

    template: str
    template_version: int
    matched: bool
    why: str
    explanation: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Matched:
    """Matching's verdicts and the workitems that follow. `answers` are the intakes whose request was answered."""

    study_id: str
    revision: int
    verdicts: tuple[TemplateVerdict, ...]
    workitems: tuple[NewWorkitem, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeidentifiedInstance:
    """The de-identified copy of one instance; `sop_instance_uid` is the copy's own."""

    series_id: str
    sop_instance_uid: str
    stored: StoredBytes


@dataclass(frozen=True, slots=True)
class Deidentified:
    """All copies of a workitem, none where it is held; replaces those of an earlier run.

    Args:
        record: by what it was done; goes into every result's provenance.
        report: what was done to each attribute, without values.
        pseudonyms: what they stand for, sealed; what is in the crosswalk already stays there.
    """

    workitem_id: str
    copies: tuple[DeidentifiedInstance, ...]
    record: Mapping[str, Any]
    report: Mapping[str, Any] = field(default_factory=dict)
    pseudonyms: tuple[SealedRow, ...] = ()


@dataclass(frozen=True, slots=True)
class TicketTaken:
    """A processor elsewhere has the order; the ticket lets us ask for it."""

    workitem_id: str
    ticket: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NewArtifact:
    """One result file."""

    name: str
    media_type: str
    stored: StoredBytes


@dataclass(frozen=True, slots=True)
class ArtifactsMade:
    """All results of a workitem; replaces those of an earlier run."""

    workitem_id: str
    artifacts: tuple[NewArtifact, ...]
    provenance: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delivered:
    """A destination took a workitem's results; the pair is unique, so nothing is delivered twice."""

    workitem_id: str
    destination: str
    receipt: Mapping[str, Any]


Change = StudiesTouched | FindingsRecorded | Matched | Deidentified | TicketTaken | ArtifactsMade | Delivered

# --- the answers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Done:
    """The item goes on."""

    why: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Defer:
    """Try again at `until`."""

    until: datetime
    why: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """A person must look."""

    why: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Refuse:
    """It will never go on; the sender is told why."""

    why: str
    changes: tuple[Change, ...] = ()


Outcome = Done | Defer | Hold | Refuse

VERB_OF: dict[type[Done] | type[Defer] | type[Hold] | type[Refuse], str] = {Done: "advance", Defer: "defer", Hold: "hold", Refuse: "refuse"}
"""The move in `lifecycle.MOVES` that each answer asks for."""
