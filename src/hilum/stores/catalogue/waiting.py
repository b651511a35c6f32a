"""What needs a person, and what was refused: items of every kind with what people call them by."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select

from hilum.model.identity import ADMIN_PROJECT, Scope
from hilum.model.lifecycle import Kind, Stage, Status
from hilum.model.waiting import WaitingItem
from hilum.stores.catalogue.paging import Page
from hilum.stores.catalogue.rows import ERASED
from hilum.stores.database import Database
from hilum.stores.moving import ITEM_COLUMNS, item_of
from hilum.stores.schema import items, projects, studies, workitems
from hilum.stores.scoping import in_scope

_STUDY_ID = func.coalesce(workitems.c.study_id, studies.c.id)
_of_workitem = studies.alias("of_workitem")
_ROWS = (
    select(
        *ITEM_COLUMNS,
        _STUDY_ID.label("study_id"),
        func.coalesce(_of_workitem.c.study_instance_uid, studies.c.study_instance_uid, "").label("study_instance_uid"),
        func.coalesce(_of_workitem.c.accession_number, studies.c.accession_number, "").label("accession_number"),
        func.coalesce(workitems.c.template, "").label("template"),
    )
    .join(projects, projects.c.id == items.c.project_id)
    .outerjoin(workitems, workitems.c.id == items.c.id)
    .outerjoin(studies, studies.c.id == items.c.id)
    .outerjoin(_of_workitem, _of_workitem.c.id == workitems.c.study_id)
    .where(_STUDY_ID.is_(None) | _STUDY_ID.not_in(ERASED))
)
_held = items.alias("held")
_IS_HELD_BY_WORKITEMS = and_(
    items.c.kind == Kind.STUDY,
    items.c.stage == Stage.MATCHING,
    items.c.status == Status.HELD,
    select(workitems.c.id)
    .join(_held, _held.c.id == workitems.c.id)
    .where(workitems.c.study_id == items.c.id, _held.c.stage == Stage.DEIDENTIFYING, _held.c.status == Status.HELD)
    .correlate(items)
    .exists(),
)


class WaitingQueries:
    """Lists for those who operate."""

    database: Database

    def waiting(self, scope: Scope, project: str = "", page: Page | None = None) -> list[WaitingItem]:
        """Held and failed items, the longest waiting first. A study that is held only because of its workitems is told by them."""
        query = _of_project(scope, project).where(items.c.status.in_((Status.HELD, Status.FAILED)), ~_IS_HELD_BY_WORKITEMS)
        if page is not None:
            query = query.limit(page.limit)
            if page.after:
                query = query.where(_comes_after(page.after))
        return self._waiting(query.order_by(items.c.since_at, items.c.id))

    def count_waiting(self, scope: Scope, project: str = "") -> int:
        """How many `waiting` would list."""
        query = _of_project(scope, project).where(items.c.status.in_((Status.HELD, Status.FAILED)), ~_IS_HELD_BY_WORKITEMS)
        with self.database.reading() as connection:
            return int(connection.scalar(select(func.count()).select_from(query.subquery())) or 0)

    def refused_uploads(self, scope: Scope, since: datetime, project: str = "", limit: int = 100) -> list[WaitingItem]:
        """Uploads that were refused since a moment, the newest first."""
        refused = (items.c.kind == Kind.INTAKE) & (items.c.status == Status.REFUSED) & (items.c.since_at >= since)
        return self._waiting(_of_project(scope, project).where(refused).order_by(items.c.since_at.desc(), items.c.id).limit(limit))

    def _waiting(self, query: Select[Any]) -> list[WaitingItem]:
        with self.database.reading() as connection:
            return [_waiting_item(row) for row in connection.execute(query)]


def _of_project(scope: Scope, project: str) -> Select[Any]:
    query = _ROWS.where(in_scope(scope, items.c.project_id))
    return query.where(projects.c.name == project) if project not in ("", ADMIN_PROJECT) else query


def _comes_after(place: str) -> ColumnElement[bool]:
    at, _, item_id = place.partition(" ")
    moment = datetime.fromisoformat(at)
    return or_(items.c.since_at > moment, and_(items.c.since_at == moment, items.c.id > item_id))


def _waiting_item(row: Row[Any]) -> WaitingItem:
    return WaitingItem(item_of(row), row.study_id or "", row.study_instance_uid, row.accession_number, row.template)
