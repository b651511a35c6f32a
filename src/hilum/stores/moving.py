"""The one mover: each change of stage or status is a compare-and-set on the version, with a history row in the same transaction."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from hilum.model.errors import LeaseLostError, NotFoundError
from hilum.model.identity import Scope
from hilum.model.lifecycle import Item, Kind, Stage, Status, check_move, place_after
from hilum.stores.following import transaction_id
from hilum.stores.schema import items, moves, projects, workitems
from hilum.stores.scoping import in_scope

ITEM_COLUMNS = (*items.c, projects.c.name.label("project"))
ITEM_ROWS = select(*ITEM_COLUMNS).join(projects, projects.c.id == items.c.project_id)


def find_item(connection: Connection, scope: Scope, item_id: str) -> Item:
    """The item, or NotFoundError."""
    row = connection.execute(ITEM_ROWS.where(items.c.id == item_id, in_scope(scope, items.c.project_id))).first()
    if row is None:
        raise NotFoundError(f"There is no item {item_id}.", "Look at `hilum status` for the ids.")
    return item_of(row)


def lock_item(connection: Connection, scope: Scope, item_id: str) -> Item:
    """The item as it stands until this transaction ends, or NotFoundError. A study is locked before its workitems: by everybody."""
    study_id = connection.scalar(select(workitems.c.study_id).where(workitems.c.id == item_id))
    if study_id is not None:
        connection.execute(select(items.c.id).where(items.c.id == study_id).with_for_update())
    connection.execute(select(items.c.id).where(items.c.id == item_id).with_for_update())
    return find_item(connection, scope, item_id)


def item_of(row: Any) -> Item:
    """A row of `ITEM_ROWS` as a record."""
    return Item(
        id=row.id,
        kind=Kind(row.kind),
        project=row.project,
        stage=Stage(row.stage),
        status=Status(row.status),
        why=row.why,
        version=row.version,
        attempt=row.attempt,
        since_at=row.since_at,
        not_before_at=row.not_before_at,
        lease_until_at=row.lease_until_at,
        priority=row.priority,
    )


def create_item(
    connection: Connection,
    project_id: int,
    item_id: str,
    kind: Kind,
    stage: Stage,
    status: Status,
    why: str,
    who: str,
    now: datetime,
    *,
    not_before_at: datetime | None = None,
    priority: int = 0,
) -> None:
    """A new item, with the first row of its history."""
    connection.execute(
        insert(items).values(
            id=item_id,
            kind=kind,
            project_id=project_id,
            stage=stage,
            status=status,
            why=why,
            version=1,
            attempt=0,
            priority=priority,
            since_at=now,
            not_before_at=not_before_at,
        )
    )
    _record(connection, project_id, item_id, kind, (stage, status), (stage, status), "create", who, why, 0, now, None)


def move_item(
    connection: Connection,
    item: Item,
    verb: str,
    who: str,
    why: str,
    now: datetime,
    *,
    to_stage: Stage | None = None,
    not_before_at: datetime | None = None,
    lease_until_at: datetime | None = None,
    claimed_by: str | None = None,
    attempt: int = 0,
    traceback: str | None = None,
) -> Item:
    """Move `item` by a verb of `lifecycle.MOVES`.

    Raises:
        ConflictError: the verb does not fit where the item stands.
        LeaseLostError: the item was moved since it was read; nothing is written.
    """
    check_move(item, verb)
    stage, status = place_after(item.kind, item.stage, verb, to_stage)
    moved = replace(
        item,
        stage=stage,
        status=status,
        why=why,
        version=item.version + 1,
        attempt=attempt,
        since_at=now,
        not_before_at=not_before_at,
        lease_until_at=lease_until_at,
    )
    written = connection.execute(
        update(items)
        .where(items.c.id == item.id, items.c.version == item.version)
        .values(
            stage=stage,
            status=status,
            why=why,
            version=moved.version,
            attempt=attempt,
            since_at=now,
            not_before_at=not_before_at,
            lease_until_at=lease_until_at,
            claimed_by=claimed_by,
        )
        .returning(items.c.project_id)
    ).scalar()
    if written is None:
        raise LeaseLostError(f"The {item.kind} {item.id} was moved by somebody else.", "Its newer state stands; nothing needs mending.")
    before, after = (item.stage, item.status), (stage, status)
    _record(connection, written, item.id, item.kind, before, after, verb, who, why, attempt, now, traceback)
    return moved


def _record(
    connection: Connection,
    project_id: int,
    item_id: str,
    kind: Kind,
    before: tuple[Stage, Status],
    after: tuple[Stage, Status],
    verb: str,
    who: str,
    why: str,
    attempt: int,
    now: datetime,
    traceback: str | None,
) -> None:
    connection.execute(
        insert(moves).values(
            item_id=item_id,
            project_id=project_id,
            kind=kind,
            at=now,
            who=who,
            verb=verb,
            from_stage=before[0],
            from_status=before[1],
            to_stage=after[0],
            to_status=after[1],
            why=why,
            attempt=attempt,
            traceback=traceback,
            transaction_id=transaction_id(connection),
        )
    )
