"""Records as the JSON that scripts rely on (docs/interfaces.md). Who may not see identities gets null for them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, PlainSerializer

from hilum.model.identity import Scope
from hilum.model.lifecycle import Item, Step
from hilum.model.records import Artifact, Move, Project, Series, SetAsideMember, Study, Workitem
from hilum.model.series_status import SeriesStanding, SeriesState, SeriesStatus


def rfc3339(at: datetime) -> str:
    """UTC, to the millisecond (RFC 3339)."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]


class ProjectShape(BaseModel):
    name: str
    description: str
    ae_title: str | None
    accepts: dict[str, Any]
    quiet_seconds: float
    retention_days: int | None
    reidentification: str
    created_at: Time


class ItemShape(BaseModel):
    """Anything that moves along the stages."""

    id: str
    kind: str
    project: str
    stage: str
    status: str
    why: str
    since_at: Time
    attempt: int
    not_before_at: Time | None


class InputShape(BaseModel):
    series: str
    role: str


class WorkitemShape(BaseModel):
    id: str
    project: str
    study: str
    revision: int
    template: str
    template_version: int
    inputs: list[InputShape]
    supersedes: str | None
    stage: str
    status: str
    why: str
    since_at: Time
    created_at: Time
    provenance: dict[str, Any]


class WorkitemBrief(BaseModel):
    """A workitem within its study."""

    id: str
    template: str
    revision: int
    supersedes: str | None
    stage: str
    status: str
    why: str


class StudyShape(BaseModel):
    id: str
    project: str
    dataset: str | None
    datasets: list[str]
    revision: int
    study_instance_uid: str
    patient_id: str | None
    patient_name: str | None
    accession_number: str | None
    study_date: str
    description: str
    stage: str
    status: str
    why: str
    since_at: Time
    created_at: Time
    last_received_at: Time
    number_of_series: int
    number_of_instances: int
    report_types: list[str]
    workitems: list[WorkitemBrief]


class SeriesShape(BaseModel):
    id: str
    study: str
    project: str
    series_instance_uid: str
    modality: str
    description: str
    number_of_instances: int
    series_status: SeriesStatus
    series_state: SeriesState
    series_status_meaning: str
    step: Step


class ArtifactShape(BaseModel):
    id: str
    workitem: str
    name: str
    media_type: str
    size: int
    sha256: str


class MoveShape(BaseModel):
    """One row of history."""

    id: int
    item: str
    kind: str
    at: Time
    who: str
    verb: str
    from_stage: str
    from_status: str
    to_stage: str
    to_status: str
    why: str
    attempt: int


class SetAsideShape(BaseModel):
    id: int
    project: str
    upload: str
    file_name: str
    reason: str
    state: str
    size: int
    sha256: str


def shape_project(project: Project) -> ProjectShape:
    return ProjectShape(
        name=project.name,
        description=project.description,
        ae_title=project.ae_title or None,
        accepts=dict(project.accepts),
        quiet_seconds=project.quiet_seconds,
        retention_days=project.retention_days,
        reidentification=project.reidentification,
        created_at=project.created_at,
    )


def shape_item(item: Item) -> ItemShape:
    return ItemShape(
        id=item.id,
        kind=item.kind,
        project=item.project,
        stage=item.stage,
        status=item.status,
        why=item.why,
        since_at=item.since_at,
        attempt=item.attempt,
        not_before_at=item.not_before_at,
    )


def shape_workitem(workitem: Workitem) -> WorkitemShape:
    return WorkitemShape(
        id=workitem.id,
        project=workitem.project,
        study=workitem.study_id,
        revision=workitem.revision,
        template=workitem.template,
        template_version=workitem.template_version,
        inputs=[InputShape(series=given.series_id, role=given.role) for given in workitem.inputs],
        supersedes=workitem.supersedes or None,
        stage=workitem.item.stage,
        status=workitem.item.status,
        why=workitem.item.why,
        since_at=workitem.item.since_at,
        created_at=workitem.created_at,
        provenance=dict(workitem.provenance),
    )


def shape_study(scope: Scope, study: Study, workitems: Iterable[Workitem], asked: Iterable[str] = ()) -> StudyShape:
    """A study with its workitems; `asked` are the report types that senders asked for by name."""
    mine = list(workitems)
    sees = scope.may_see_identity
    return StudyShape(
        id=study.id,
        project=study.project,
        dataset=study.datasets[0] if study.datasets else None,
        datasets=list(study.datasets),
        revision=study.revision,
        study_instance_uid=study.study_instance_uid,
        patient_id=study.patient_id if sees else None,
        patient_name=study.patient_name if sees else None,
        accession_number=study.accession_number if sees else None,
        study_date=study.study_date,
        description=study.description,
        stage=study.item.stage,
        status=study.item.status,
        why=study.item.why,
        since_at=study.item.since_at,
        created_at=study.created_at,
        last_received_at=study.last_received_at,
        number_of_series=study.number_of_series,
        number_of_instances=study.number_of_instances,
        report_types=list(dict.fromkeys([*asked, *(workitem.template for workitem in mine)])),
        workitems=[_brief(workitem) for workitem in mine],
    )


def _brief(workitem: Workitem) -> WorkitemBrief:
    return WorkitemBrief(
        id=workitem.id,
        template=workitem.template,
        revision=workitem.revision,
        supersedes=workitem.supersedes or None,
        stage=workitem.item.stage,
        status=workitem.item.status,
        why=workitem.item.why,
    )


def shape_series(one: Series, standing: SeriesStanding) -> SeriesShape:
    return SeriesShape(
        id=one.id,
        study=one.study_id,
        project=one.project,
        series_instance_uid=one.series_instance_uid,
        modality=one.modality,
        description=one.description,
        number_of_instances=one.number_of_instances,
        series_status=standing.status,
        series_state=standing.state,
        series_status_meaning=standing.meaning,
        step=standing.step,
    )


def shape_artifact(artifact: Artifact) -> ArtifactShape:
    return ArtifactShape(
        id=artifact.id,
        workitem=artifact.workitem_id,
        name=artifact.name,
        media_type=artifact.media_type,
        size=artifact.stored.size,
        sha256=artifact.stored.sha256.hex(),
    )


def shape_move(move: Move) -> MoveShape:
    return MoveShape(
        id=move.id,
        item=move.item_id,
        kind=move.kind,
        at=move.at,
        who=move.who,
        verb=move.verb,
        from_stage=move.from_stage,
        from_status=move.from_status,
        to_stage=move.to_stage,
        to_status=move.to_status,
        why=move.why,
        attempt=move.attempt,
    )


def shape_name(scope: Scope, name: str, sha256: bytes) -> str:
    """A sender's name for a file, which may name a patient: for those who may not see that, the beginning of its digest."""
    return name if scope.may_see_identity else sha256.hex()[:12]


def shape_set_aside(scope: Scope, member: SetAsideMember) -> SetAsideShape:
    return SetAsideShape(
        id=member.key,
        project=member.project,
        upload=member.intake_id,
        file_name=shape_name(scope, member.file_name, member.stored.sha256),
        reason=member.reason,
        state=member.state,
        size=member.stored.size,
        sha256=member.stored.sha256.hex(),
    )


def group_by_study(workitems: Sequence[Workitem]) -> Mapping[str, list[Workitem]]:
    """Workitems by the id of their study, in their order."""
    grouped: dict[str, list[Workitem]] = {}
    for workitem in workitems:
        grouped.setdefault(workitem.study_id, []).append(workitem)
    return grouped
