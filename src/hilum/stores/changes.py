"""The facts that a stage leaves, written in the transaction of its item's move: one function a kind of fact, one table that names them."""

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

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
from hilum.model.records import MemberState
from hilum.stores.arriving import has_workitems, supersede_workitems
from hilum.stores.crosswalk import keep_rows
from hilum.stores.moving import ITEM_ROWS, create_item, item_of, lock_item, move_item
from hilum.stores.pictures import want_pictures
from hilum.stores.schema import (
    artifacts,
    deidentifications,
    derivatives,
    findings,
    intake_studies,
    intakes,
    items,
    matches,
    members,
    receipts,
    studies,
    tombstones,
    workitems,
)
from hilum.stores.scoping import lock_project


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
    imported = update(intakes).where(intakes.c.id == change.intake_id)
    imported = imported.values(imported=True, imported_until_at=change.imported_until_at).returning(intakes.c.project_id)
    lock_project(connection, connection.execute(imported).scalar_one())
    # Told once, though importing may run again: a sender's intake is imported many times.
    touched = (intake_studies.c.intake_id == change.intake_id) & ~intake_studies.c.told
    for row in connection.execute(TOUCHED_STUDIES.where(touched).order_by(intake_studies.c.study_id)).all():
        item = item_of(connection.execute(ITEM_ROWS.where(items.c.id == row.study_id).with_for_update(of=items)).one())
        if item.stage is Stage.GATHERING:
            _gather_now(context, item)
        elif not row.new_instances:
            _ask_again(context, item, row)
    connection.execute(update(intake_studies).where(touched).values(new_instances=0, told=True))
    _import_rest(context, change.intake_id)


def _import_rest(context: Context, intake_id: str) -> None:
    """What a sender's door indexed after importing had looked for the last time (`Intakes.index` leaves a claimed item alone)."""
    connection = context.connection
    item = item_of(connection.execute(ITEM_ROWS.where(items.c.id == intake_id)).one())
    rest = select(members.c.key).where(members.c.intake_id == intake_id, members.c.state == MemberState.RECEIVED).limit(1)
    if item.status in (Status.FINISHED, Status.REFUSED) and connection.scalar(rest) is not None:
        why = "More arrived while it was imported."
        move_item(connection, item, "reopen", context.scope.who, why, context.now, to_stage=Stage.IMPORTING)


def _gather_now(context: Context, item: Item) -> None:
    """A study that waited for this import waits no longer; a worker that judged it before the import was through is overruled."""
    if item.status is Status.DEFERRED:
        move_item(context.connection, item, "wake", context.scope.who, "Its upload is imported.", context.now)
    elif item.status is not Status.READY:
        _reopen(context, item, Stage.GATHERING, "Its upload is imported.")


TOUCHED_STUDIES = (
    select(
        intake_studies.c.intake_id,
        intake_studies.c.study_id,
        intake_studies.c.new_instances,
        studies.c.project_id,
        studies.c.number_of_instances,
        intakes.c.report_type,
        intakes.c.force_reprocessing,
    )
    .join(studies, studies.c.id == intake_studies.c.study_id)
    .join(intakes, intakes.c.id == intake_studies.c.intake_id)
    .where(studies.c.id.not_in(select(tombstones.c.study_id)))  # a buried study is not dug up
)


def _ask_again(context: Context, item: Item, touched: Any) -> None:
    """Nothing new arrived: the study stays as it is, unless something is to be looked at, or was not done on this revision."""
    wanted = touched.report_type
    if wanted and (touched.force_reprocessing or not has_workitems(context.connection, item.id, wanted)):
        _reopen(context, item, Stage.CHECKING, f"Asked for {wanted} on what is held already.")
    elif touched.force_reprocessing:
        _reopen(context, item, Stage.CHECKING, "Asked to process it again.")
    else:
        _answer(context, touched)
        if _has_conflicts(context.connection, touched):
            _reopen(context, item, Stage.CHECKING, "Instances arrived that clash with what is held.")


def _reopen(context: Context, item: Item, stage: Stage, why: str) -> None:
    move_item(context.connection, item, "reopen", context.scope.who, why, context.now, to_stage=stage)


def _answer(context: Context, touched: Any) -> None:
    its = (intake_studies.c.study_id == touched.study_id) & (intake_studies.c.intake_id == touched.intake_id)
    context.connection.execute(update(intake_studies).where(its).values(answered=True))


def _has_conflicts(connection: Connection, touched: Any) -> bool:
    clashing = select(members.c.key).where(
        members.c.intake_id == touched.intake_id, members.c.state == MemberState.CONFLICT, members.c.clashing_study_id == touched.study_id
    )
    return connection.scalar(clashing.limit(1)) is not None


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
    want_pictures(connection, change.study_id)


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
    for template in {new.template for new in change.workitems}:
        why = f"Matched to {template} again."
        supersede_workitems(connection, context.scope, context.now, change.study_id, why, template=template, held_at=Stage.DEIDENTIFYING)
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
    stage, priority = Stage.DEIDENTIFYING, new.priority
    create_item(connection, project_id, workitem_id, Kind.WORKITEM, stage, status, why, who, context.now, priority=priority)
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
    for table in (derivatives, deidentifications):
        connection.execute(delete(table).where(table.c.workitem_id == change.workitem_id))
    rows = [
        {"workitem_id": change.workitem_id, "series_id": copy.series_id, "sop_instance_uid": copy.sop_instance_uid} | _place(copy.stored)
        for copy in change.copies
    ]
    if rows:
        connection.execute(insert(derivatives), rows)
    report = {"workitem_id": change.workitem_id, "report": dict(change.report), "at": context.now}
    connection.execute(insert(deidentifications).values(report))
    project_id = connection.execute(select(workitems.c.project_id).where(workitems.c.id == change.workitem_id)).scalar_one()
    keep_rows(connection, project_id, change.pseudonyms)
    # What is under way elsewhere, and what earlier steps made, has other inputs: it is begun anew.
    begun_anew = {"ticket": {}, "provenance": {"deidentification": dict(change.record)}}
    connection.execute(update(workitems).where(workitems.c.id == change.workitem_id).values(begun_anew))


def _record_ticket(context: Context, change: TicketTaken) -> None:
    context.connection.execute(update(workitems).where(workitems.c.id == change.workitem_id).values(ticket=dict(change.ticket)))


def _record_artifacts(context: Context, change: ArtifactsMade) -> None:
    connection = context.connection
    # New results go to every destination, also where earlier ones of this workitem went.
    for table in (artifacts, receipts):
        connection.execute(delete(table).where(table.c.workitem_id == change.workitem_id))
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
    study = lock_item(context.connection, context.scope, study_id)
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
