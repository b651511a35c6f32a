"""What the API's answers look like.

Members that the server adds later are kept (`extra="allow"`) and can be read as attributes; members that it leaves out of
a short form are None or empty. Identifiers are the server's UUIDs, except those called `..._uid`, which are DICOM UIDs.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Shape(BaseModel):
    """One answer of the API, or a part of one."""

    model_config = ConfigDict(extra="allow", frozen=True)


def _as_sentence(value: object) -> object:
    """The sentence of an error, which the API gives as it is or as a member of an object."""
    if isinstance(value, dict):
        return value.get("sentence") or value.get("detail") or str(value)
    return value


Sentence = Annotated[str, BeforeValidator(_as_sentence)]
Step = Literal["Uploading", "Importing", "Processing", "QualityControl", "Finished"]
Outcome = Literal["succeeded", "partly", "failed", "held"]
Verdict = Literal["accept", "reject", "rerun"]


class Page(Shape):
    """One page of a list: `next` is the cursor of the page after it, None on the last."""

    items: list[Any]
    next: str | None = None


class Project(Shape):
    """A project and what it accepts."""

    name: str
    id: str | None = None
    description: str | None = None
    accepts: dict[str, Any] | None = None


class SkippedFile(Shape):
    """A file or folder that was not sent, and why; the name is relative to the uploaded folder."""

    name: str
    reason: str


class UploadedFile(Shape):
    """One file of an upload: its size in bytes and its SHA-256 in hexadecimal."""

    name: str
    size: int
    sha256: str


class Offer(Shape):
    """The names among those offered whose bytes the server does not hold."""

    wanted: list[str]


class Held(Shape):
    """What holds an upload: a study or one of its workitems, with the reason."""

    sentence: str
    study: str | None = None
    workitem: str | None = None


class UploadCounts(Shape):
    """How many files of an upload came to which end."""

    received: int = 0
    imported: int = 0
    already_held: int = 0
    set_aside: int = 0
    conflicts: int = 0


class Study(Shape):
    """A study as a project holds it; in an upload's list only `id` is sure to be there."""

    id: str
    project: str | None = None
    dataset: str | None = None
    datasets: list[str] = Field(default_factory=list)
    revision: int | None = None
    study_instance_uid: str | None = None
    patient_id: str | None = None
    accession_number: str | None = None
    stage: str | None = None
    status: str | None = None
    why: str | None = None
    number_of_series: int | None = None
    number_of_instances: int | None = None
    report_types: list[str] = Field(default_factory=list)
    workitems: list[Any] = Field(default_factory=list)


class Upload(Shape):
    """An upload: where it stands (`step`), how it ended (`outcome`, None while under way) and why.

    `skipped` is filled by `upload_folder`: what this machine did not send.
    """

    id: str
    step: Step
    outcome: Outcome | None = None
    held: list[Held] = Field(default_factory=list)
    counts: UploadCounts = UploadCounts()
    errors: list[Sentence] = Field(default_factory=list)
    studies: list[Study] = Field(default_factory=list)
    skipped: list[SkippedFile] = Field(default_factory=list)

    @property
    def sentences(self) -> list[str]:
        """Every reason that the server gives: its errors, then what holds it."""
        return [*self.errors, *(held.sentence for held in self.held)]


class Series(Shape):
    """A series of a study."""

    id: str
    study: str | None = None
    series_instance_uid: str | None = None
    modality: str | None = None
    description: str | None = None
    number_of_instances: int | None = None
    series_status: str | None = None
    series_state: str | None = None
    series_status_meaning: str | None = None
    step: str | None = None


class Finding(Shape):
    """What a check found; an error holds the study, a warning does not."""

    check: str
    severity: Literal["error", "warning", "info"]
    sentence: str
    meaning: str = ""
    mend: str = ""
    series: Any = None
    instances: Any = None


class SliceCounts(Shape):
    """Slices that an error names are invalid, those that a warning names doubtful, the others valid."""

    instances: int
    valid: int
    doubtful: int
    invalid: int


class FindingsReport(Shape):
    """Everything that the checks found in a study."""

    counts: SliceCounts
    items: list[Finding]


class Move(Shape):
    """One move of an item, one row of the timeline."""

    why: str | None = None


class Why(Shape):
    """Where a study stands and what it waits for."""

    stage: str | None = None
    status: str | None = None
    why: str | None = None


class Explanation(Shape):
    """Why each rule matched a series or did not."""


class Assigned(Shape):
    """What became of a series that was sent by hand; without a workitem it was not sent, and the sentence says why."""

    series: str
    sentence: str
    workitem: str | None = None


class Item(Shape):
    """Anything that moves along the stages."""

    id: str
    stage: str | None = None
    status: str | None = None
    why: str | None = None


class Way(Shape):
    """One thing that a person can do about an item, and the command that does it."""

    does: str
    command: str


class WaitingItem(Item):
    """An item that needs a person, or was refused; an upload has no study."""

    kind: str
    project: str
    since_at: str
    study: str | None = None
    study_instance_uid: str | None = None
    accession_number: str | None = None
    template: str | None = None
    ways: list[Way] = Field(default_factory=list)


class ItemCount(Shape):
    """How many items of a kind stand at a stage in a status."""

    kind: str
    stage: str
    status: str
    number: int


class Standing(Shape):
    """How much stands where, what has waited longest for a person, and what was refused in the last day."""

    items: list[ItemCount] = Field(default_factory=list)
    need_a_person: int = 0
    oldest: WaitingItem | None = None
    refused: list[WaitingItem] = Field(default_factory=list)


class WorkitemInput(Shape):
    """A series that a workitem works on, and its role in the template."""

    series: str
    role: str | None = None


class Workitem(Item):
    """One processing of one revision of a study by one version of a template."""

    study: str | None = None
    revision: int | None = None
    template: str | None = None
    template_version: int | str | None = None
    inputs: list[WorkitemInput] = Field(default_factory=list)
    supersedes: str | None = None


class Deidentification(Shape):
    """What was done to a workitem's inputs when they were de-identified; `held` and `dropped` are reasons with the number of instances."""

    profile: str
    profile_version: int
    profile_digest: str
    changed: bool
    instances: int = 0
    actions: dict[str, int] = Field(default_factory=dict)
    attributes: list[dict[str, Any]] = Field(default_factory=list)
    held: dict[str, int] = Field(default_factory=dict)
    dropped: dict[str, int] = Field(default_factory=dict)


class DeidentificationPreview(Shape):
    """What a profile would do to one instance; values of `elements` are None for those who may not see identities."""

    series: str
    profile: str
    outcome: Literal["rewritten", "held", "dropped"]
    why: str = ""
    elements: list[dict[str, Any]] = Field(default_factory=list)


class Artifact(Shape):
    """One file of a workitem's results: its size in bytes and its SHA-256 in hexadecimal."""

    id: str
    name: str
    size: int
    sha256: str
    media_type: str | None = None


class Template(Shape):
    """A report type: its required series, rules and processing."""

    name: str
    version: int | str | None = None


class DryRun(Shape):
    """What a template's rules would have matched."""
