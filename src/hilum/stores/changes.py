"""The facts that a stage leaves, written in the transaction of its item's move: one function a kind of fact, one table that names them."""

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from hilum.model.identity import Scope
from hilum.model.lifecycle import Item, Kind, Stage, Status
from hilum.model.outcomes import (
    ArtifactsMade,
    Change,
    Deidentified,
    Delivered,
    FindingsRecorded,
    Matched,
    NewWorkitem,
    StoredBytes,
    StudiesTouched,
    TicketTaken,
)
from hilum.stores.moving import ITEM_ROWS, create_item, find_item, item_of, move_item
from hilum.stores.schema import (
    artifacts,
    derivatives,
    findings,
    intake_studies,
    intakes,
    items,
    matches,
    receipts,
    studies,
    workitems,
)


@dataclass(frozen=True, slots=True)
class Context:
    """The transaction, the time and the caller of one move."""

    connection: Connection
    now: datetime
    scope: Scope


def apply(context: Context, change: Change) -> None:
    """Write one fact."""
    WRITERS[type(change)](context, change)


# --- importing is through: studies are made ready, reopened, or asked again ---------------------------------------------------


def _touch_studies(context: Context, change: StudiesTouched) -> None:
    connection = context.connection
    connection.execute(update(intakes).where(intakes.c.id == change.intake_id).values(imported=True))
    rows = connection.execute(
        select(
            intake_studies.c.intake_id,
            intake_studies.c.study_id,
            intake_studies.c.new_instances,
            studies.c.project_id,
            intakes.c.report_type,
            intakes.c.force_reprocessing,
        )
        .join(studies, studies.c.id == intake_studies.c.study_id)
        .join(intakes, intakes.c.id == intake_studies.c.intake_id)
        .where(intake_studies.c.intake_id == change.intake_id)
        .order_by(intake_studies.c.study_id)
    ).all()
    for row in rows:
        standing = connection.execute(ITEM_ROWS.where(items.c.id == row.study_id)).first()
        if standing is None:
            why = f"{row.new_instances} instances arrived."
            create_item(
                connection, row.project_id, row.study_id, Kind.STUDY, Stage.GATHERING, Status.READY, why, context.scope.who, context.now
            )
        elif row.new_instances:
            _gather_again(context, item_of(standing), row.new_instances)
        else:
            _ask_again(context, item_of(standing), row)


def _gather_again(context: Context, item: Item, new_instances: int) -> None:
    """Late instances: a study that was past gathering gets a new revision, and its open workitems are superseded."""
    if item.stage is not Stage.GATHERING:
        revision = context.connection.scalar(
            update(studies).where(studies.c.id == item.id).values(revision=studies.c.revision + 1).returning(studies.c.revision)
        )
        _supersede_workitems(context, item.id, f"Superseded by revision {revision}.")
    why = f"{new_instances} more instances arrived."
    move_item(context.connection, item, "reopen", context.scope.who, why, context.now, to_stage=Stage.GATHERING)


def _ask_again(context: Context, item: Item, request: Any) -> None:
    """Only duplicates arrived: the study stays as it is, unless its sender asks for something that was not done on this revision."""
    if item.stage is Stage.GATHERING:
        return
    done = context.connection.scalar(
        select(func.count())
        .select_from(workitems.join(studies, (studies.c.id == workitems.c.study_id) & (studies.c.revision == workitems.c.revision)))
        .where(workitems.c.study_id == item.id, workitems.c.template == request.report_type)
    )
    if request.report_type and (request.force_reprocessing or not done):
        why = f"Asked for {request.report_type} on what is held already."
        move_item(context.connection, item, "reopen", context.scope.who, why, context.now, to_stage=Stage.CHECKING)
    elif request.force_reprocessing:
        move_item(context.connection, item, "reopen", context.scope.who, "Asked to process it again.", context.now, to_stage=Stage.CHECKING)
    else:
        context.connection.execute(
            update(intake_studies)
            .where(intake_studies.c.study_id == item.id, intake_studies.c.intake_id == request.intake_id)
            .values(answered=True)
        )


def _supersede_workitems(context: Context, study_id: str, why: str) -> None:
    """Ready, deferred, held and failed ones are cancelled; a claimed one finishes, and delivering sees that it is outdated."""
    open_items = ITEM_ROWS.join(workitems, workitems.c.id == items.c.id).where(
        workitems.c.study_id == study_id, items.c.status.in_([Status.READY, Status.DEFERRED, Status.HELD, Status.FAILED])
    )
    for row in context.connection.execute(open_items).all():
        move_item(context.connection, item_of(row), "supersede", context.scope.who, why, context.now)


# --- checking and matching -----------------------------------------------------------------------------------------------------


def _record_findings(context: Context, change: FindingsRecorded) -> None:
    connection = context.connection
    connection.execute(delete(findings).where(findings.c.study_id == change.study_id, findings.c.revision == change.revision))
    rows = [
        asdict(finding) | {"study_id": change.study_id, "revision": change.revision, "instances": list(finding.instances)}
        for finding in change.findings
    ]
    if rows:
        connection.execute(insert(findings), rows)


def _record_matches(context: Context, change: Matched) -> None:
    connection = context.connection
    connection.execute(delete(matches).where(matches.c.study_id == change.study_id, matches.c.revision == change.revision))
    verdicts = [
        asdict(verdict)
        | {"study_id": change.study_id, "revision": change.revision, "at": context.now, "explanation": dict(verdict.explanation)}
        for verdict in change.verdicts
    ]
    if verdicts:
        connection.execute(insert(matches), verdicts)
    for new in change.workitems:
        make_workitem(context, change.study_id, change.revision, new)
    if change.answers:
        connection.execute(
            update(intake_studies)
            .where(intake_studies.c.study_id == change.study_id, intake_studies.c.intake_id.in_(change.answers))
            .values(answered=True)
        )


def make_workitem(context: Context, study_id: str, revision: int, new: NewWorkitem, supersedes: str = "") -> str:
    """A new workitem with its item; it supersedes the newest one of the same template and inputs. Returns its id."""
    connection = context.connection
    workitem_id = str(uuid.uuid4())
    project_id = connection.execute(select(studies.c.project_id).where(studies.c.id == study_id)).scalar_one()
    inputs = [asdict(given) for given in new.inputs]
    connection.execute(
        insert(workitems).values(
            id=workitem_id,
            project_id=project_id,
            study_id=study_id,
            revision=revision,
            template=new.template,
            template_version=new.template_version,
            inputs=inputs,
            supersedes=supersedes or _newest_before(connection, study_id, new),
            ticket={},
            provenance={},
            created_at=context.now,
        )
    )
    status, why = (Status.HELD, new.held) if new.held else (Status.READY, f"Matched to {new.template}.")
    who = context.scope.who
    create_item(connection, project_id, workitem_id, Kind.WORKITEM, Stage.DEIDENTIFYING, status, why, who, context.now)
    return workitem_id


def _newest_before(connection: Connection, study_id: str, new: NewWorkitem) -> str | None:
    series = {given.series_id for given in new.inputs}
    earlier = connection.execute(
        select(workitems.c.id, workitems.c.inputs)
        .where(workitems.c.study_id == study_id, workitems.c.template == new.template)
        .order_by(workitems.c.created_at.desc())
    )
    for row in earlier:
        if series & {given["series_id"] for given in row.inputs}:
            return str(row.id)
    return None


# --- workitems ---------------------------------------------------------------------------------------------------------------------


def _place(stored: StoredBytes) -> dict[str, Any]:
    return {"pack_id": stored.pack_id, "offset": stored.offset, "size": stored.size, "sha256": stored.sha256}


def _record_deidentified(context: Context, change: Deidentified) -> None:
    connection = context.connection
    connection.execute(delete(derivatives).where(derivatives.c.workitem_id == change.workitem_id))
    rows = [
        {"workitem_id": change.workitem_id, "series_id": copy.series_id, "sop_instance_uid": copy.sop_instance_uid} | _place(copy.stored)
        for copy in change.copies
    ]
    if rows:
        connection.execute(insert(derivatives), rows)
    connection.execute(
        update(workitems).where(workitems.c.id == change.workitem_id).values(provenance={"deidentification": dict(change.record)})
    )


def _record_ticket(context: Context, change: TicketTaken) -> None:
    context.connection.execute(update(workitems).where(workitems.c.id == change.workitem_id).values(ticket=dict(change.ticket)))


def _record_artifacts(context: Context, change: ArtifactsMade) -> None:
    connection = context.connection
    connection.execute(delete(artifacts).where(artifacts.c.workitem_id == change.workitem_id))
    rows = [
        {"id": str(uuid.uuid4()), "workitem_id": change.workitem_id, "name": made.name, "media_type": made.media_type} | _place(made.stored)
        for made in change.artifacts
    ]
    if rows:
        connection.execute(insert(artifacts), rows)
    known = connection.scalar(select(workitems.c.provenance).where(workitems.c.id == change.workitem_id)) or {}
    connection.execute(
        update(workitems).where(workitems.c.id == change.workitem_id).values(ticket={}, provenance=known | dict(change.provenance))
    )


def _record_delivery(context: Context, change: Delivered) -> None:
    context.connection.execute(
        insert(receipts).values(
            workitem_id=change.workitem_id, destination=change.destination, receipt=dict(change.receipt), at=context.now
        )
    )


def release_study(context: Context, workitem_id: str, why: str) -> None:
    """A person let a held workitem through: a study that was held only because of it is finished with matching."""
    study_id = context.connection.execute(select(workitems.c.study_id).where(workitems.c.id == workitem_id)).scalar_one()
    study = find_item(context.connection, context.scope, study_id)
    if (study.stage, study.status) == (Stage.MATCHING, Status.HELD):
        move_item(context.connection, study, "release", context.scope.who, why, context.now)


WRITERS: dict[type, Callable[[Context, Any], None]] = {
    StudiesTouched: _touch_studies,
    FindingsRecorded: _record_findings,
    Matched: _record_matches,
    Deidentified: _record_deidentified,
    TicketTaken: _record_ticket,
    ArtifactsMade: _record_artifacts,
    Delivered: _record_delivery,
}
