"""New instances move their study, in the transaction that adds them: it comes into being at gathering, or goes back there.

So no stage ever sees instances that its study's revision does not count.
"""

from datetime import datetime

from sqlalchemy import Connection, select, update

from hilum.model.identity import Scope
from hilum.model.lifecycle import MOVES, Kind, Stage, Status
from hilum.model.words import count
from hilum.stores.moving import ITEM_ROWS, create_item, item_of, move_item
from hilum.stores.schema import items, studies, workitems


def arrive(connection: Connection, scope: Scope, now: datetime, project_id: int, study_id: str, number: int) -> None:
    """`number` new instances of a study: past gathering it gets a new revision, and its open workitems are superseded."""
    row = connection.execute(ITEM_ROWS.where(items.c.id == study_id).with_for_update(of=items)).first()
    if row is None:
        why = "Its first instances arrived."
        create_item(connection, project_id, study_id, Kind.STUDY, Stage.GATHERING, Status.READY, why, scope.who, now)
        return
    item = item_of(row)
    is_new_revision = item.stage is not Stage.GATHERING or has_workitems(connection, study_id)
    if not is_new_revision and item.status in (Status.READY, Status.DEFERRED):
        return
    if is_new_revision:
        revision = connection.scalar(
            update(studies).where(studies.c.id == study_id).values(revision=studies.c.revision + 1).returning(studies.c.revision)
        )
        supersede_workitems(connection, scope, now, study_id, f"Superseded by revision {revision}.")
    why = f"{count(number, 'more instance')} arrived."
    move_item(connection, item, "reopen", scope.who, why, now, to_stage=Stage.GATHERING)


def has_workitems(connection: Connection, study_id: str, template: str = "") -> bool:
    """Whether the study's present revision has workitems that were not cancelled, of a template where one is named."""
    query = (
        select(workitems.c.id)
        .join(studies, (studies.c.id == workitems.c.study_id) & (studies.c.revision == workitems.c.revision))
        .join(items, items.c.id == workitems.c.id)
        .where(workitems.c.study_id == study_id, items.c.status != Status.CANCELLED)
    )
    if template:
        query = query.where(workitems.c.template == template)
    return connection.scalar(query.limit(1)) is not None


def supersede_workitems(
    connection: Connection, scope: Scope, now: datetime, study_id: str, why: str, *, template: str = "", held_at: Stage | None = None
) -> None:
    """Ready, deferred, held and failed ones are cancelled; a claimed one finishes, and delivering sees that it is outdated.

    Args:
        template: only those of this template.
        held_at: only those that are held at this stage.
    """
    open_items = (
        ITEM_ROWS.join(workitems, workitems.c.id == items.c.id)
        .where(workitems.c.study_id == study_id, items.c.status.in_(MOVES["supersede"].before))
        .order_by(items.c.id)
        .with_for_update(of=items)
    )
    if template:
        open_items = open_items.where(workitems.c.template == template)
    if held_at is not None:
        open_items = open_items.where(items.c.stage == held_at, items.c.status == Status.HELD)
    for row in connection.execute(open_items).all():
        move_item(connection, item_of(row), "supersede", scope.who, why, now)
