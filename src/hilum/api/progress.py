"""An upload as its sender sees it."""

from pydantic import BaseModel

from hilum.api.shapes import StudyShape, Time, group_by_study, shape_name, shape_study
from hilum.model.identity import Scope
from hilum.model.progress import StudyStanding, progress_of
from hilum.model.records import SetAsideMember
from hilum.runtime.assembling import Application

MOST_ERRORS = 100


class HeldShape(BaseModel):
    study: str | None
    workitem: str | None
    sentence: str


class CountsShape(BaseModel):
    received: int
    imported: int
    already_held: int
    set_aside: int
    conflicts: int
    skipped: int


class UploadShape(BaseModel):
    id: str
    project: str
    report_type: str | None
    dataset: str | None
    force_reprocessing: bool
    started_at: Time
    completed_at: Time | None
    expected_files: int | None
    step: str
    outcome: str | None
    held: list[HeldShape]
    counts: CountsShape
    errors: list[str]
    studies: list[StudyShape]


def shape_upload(app: Application, scope: Scope, upload_id: str) -> UploadShape:
    """Where an upload stands; NotFoundError outside the scope. Read in the order of travel, so that nothing is missed on its way."""
    intake = app.intakes.find(scope, upload_id)
    item = app.ledger.find(scope, upload_id)
    studies = app.catalogue.studies_of_intake(scope, upload_id)
    workitems = group_by_study(app.catalogue.workitems_of_studies(scope, [study.id for study in studies]))
    progress = progress_of(intake, item, [StudyStanding(study, workitems.get(study.id, [])) for study in studies])
    answering = group_by_study(progress.workitems)
    asked = [intake.report_type] if intake.report_type else []
    return UploadShape(
        id=intake.id,
        project=intake.project,
        report_type=intake.report_type or None,
        dataset=intake.dataset or None,
        force_reprocessing=intake.force_reprocessing,
        started_at=intake.started_at,
        completed_at=intake.completed_at,
        expected_files=intake.expected_files,
        step=progress.step,
        outcome=progress.outcome,
        held=[HeldShape(study=one.study_id or None, workitem=one.workitem_id or None, sentence=one.sentence) for one in progress.held],
        counts=CountsShape(**app.intakes.counts(scope, upload_id)),
        errors=[*progress.errors, *_set_aside_sentences(scope, app.catalogue.set_aside_of_intake(scope, upload_id, MOST_ERRORS + 1))],
        studies=[shape_study(scope, study, answering.get(study.id, []), asked) for study in studies],
    )


def _set_aside_sentences(scope: Scope, members: list[SetAsideMember]) -> list[str]:
    sentences = [f"{shape_name(scope, member.file_name, member.stored.sha256)}: {member.reason}" for member in members[:MOST_ERRORS]]
    if len(members) > MOST_ERRORS:
        sentences.append("More files were set aside: look at GET /set-aside.")
    return sentences
