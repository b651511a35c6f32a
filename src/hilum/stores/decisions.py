"""What a person decides: verdicts on workitems, letting held ones through, choosing a template by hand."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from hilum.model.errors import ConflictError, NotFoundError
from hilum.model.identity import Right, Scope
from hilum.model.lifecycle import ENDED, Item, Kind, Stage, Status
from hilum.model.outcomes import NewWorkitem, SeriesInput
from hilum.stores.catalogue import STUDY_ROWS, WORKITEM_ROWS
from hilum.stores.changes import Context, make_workitem, release_study
from hilum.stores.database import Database
from hilum.stores.moving import ITEM_ROWS, find_item, item_of, lock_item, move_item
from hilum.stores.schema import items, series, studies, workitems
from hilum.stores.scoping import in_scope, require
from hilum.stores.template_shelf import newest_row
from hilum.stores.verdicts import Verdict, give_verdict


class Decisions:
    """Each decision is one transaction: the verdict, the move, and what follows from it."""

    def __init__(self, database: Database, clock: Callable[[], datetime], wake: Callable[[], None] = lambda: None) -> None:
        self.database = database
        self._clock = clock
        self._wake = wake

    def retry(self, scope: Scope, item_id: str, reason: str = "") -> Item:
        """Let a held, failed or deferred item go on at its stage. A workitem held for findings goes on in spite of them.

        A study that is held because of its workitems lets all of these go on.
        """
        with self.database.writing() as connection:
            item = lock_item(connection, scope, item_id)
            require(scope, Right.OPERATE, item.project)
            _refuse_verdict_by_retry(item)
            why = reason or f"{scope.who} lets it go on."
            context = Context(connection, self._clock(), scope)
            blocking = _blocking_workitems(context, item)
            for workitem in blocking:
                move_item(connection, workitem, "retry", scope.who, why, context.now)
            moved = move_item(connection, item, "release" if blocking else "retry", scope.who, why, context.now)
            if item.kind is Kind.WORKITEM and item.status is Status.HELD:
                release_study(context, item_id, why)
        self._wake()
        return moved

    def send_back(self, scope: Scope, item_id: str, to_stage: Stage, reason: str = "") -> Item:
        """Send an item back to an earlier stage."""
        return self._decide(scope, item_id, "send-back", reason or f"{scope.who} sent it back to {to_stage}.", to_stage)

    def cancel(self, scope: Scope, item_id: str, reason: str = "") -> Item:
        """Stop an item for good. An upload is not cancelled: what was acknowledged is in the ledger until somebody deletes it."""
        with self.database.reading() as connection:
            if find_item(connection, scope, item_id).kind is Kind.INTAKE:
                mend = "Delete the studies that it brought, or what was set aside."
                raise ConflictError("An upload cannot be cancelled: what was acknowledged stays.", mend)
        return self._decide(scope, item_id, "cancel", reason or f"{scope.who} cancelled it.")

    def _decide(self, scope: Scope, item_id: str, verb: str, why: str, to_stage: Stage | None = None) -> Item:
        with self.database.writing() as connection:
            item = lock_item(connection, scope, item_id)
            require(scope, Right.OPERATE, item.project)
            moved = move_item(connection, item, verb, scope.who, why, self._clock(), to_stage=to_stage)
        self._wake()
        return moved

    def review(self, scope: Scope, workitem_id: str, verdict: Verdict) -> Item:
        """Accept, reject or run again. ConflictError unless the workitem waits for a reviewer."""
        with self.database.writing() as connection:
            moved = give_verdict(Context(connection, self._clock(), scope), workitem_id, verdict)
        self._wake()
        return moved

    def assign(self, scope: Scope, series_ids: Sequence[str], template: str) -> dict[str, str]:
        """Send series to a template by hand: one workitem a study, or a series, as the template's unit says.

        Returns:
            series id -> workitem id. ConflictError when a series is being processed already: nothing is sent then.
        """
        with self.database.writing() as connection:
            context = Context(connection, self._clock(), scope)
            row = newest_row(connection, template)
            by_study = _series_by_study(context, series_ids)
            sent: dict[str, str] = {}
            for study_id, group in by_study.items():
                groups = [group] if row.definition["unit"] == "study" else [[one] for one in group]
                for some in groups:
                    inputs = tuple(SeriesInput(one, "") for one in some)
                    new = NewWorkitem(template, row.version, inputs, priority=row.definition["priority"])
                    revision = connection.execute(select(studies.c.revision).where(studies.c.id == study_id)).scalar_one()
                    workitem_id = make_workitem(context, study_id, revision, new)
                    release_study(context, workitem_id, f"{scope.who} chose {template}.")
                    sent |= dict.fromkeys(some, workitem_id)
        self._wake()
        return sent


def _refuse_verdict_by_retry(item: Item) -> None:
    if (item.kind, item.stage, item.status) == (Kind.WORKITEM, Stage.REVIEWING, Status.HELD):
        raise ConflictError(
            "It waits for a reviewer's verdict.", "Accept, reject or rerun it: `hilum review`, or POST /workitems/{id}/review."
        )


def _blocking_workitems(context: Context, item: Item) -> list[Item]:
    """The held workitems because of which a study is held; none for any other item."""
    if (item.kind, item.stage, item.status) != (Kind.STUDY, Stage.MATCHING, Status.HELD):
        return []
    held = ITEM_ROWS.join(workitems, workitems.c.id == items.c.id).where(
        workitems.c.study_id == item.id, items.c.stage == Stage.DEIDENTIFYING, items.c.status == Status.HELD
    )
    return [item_of(row) for row in context.connection.execute(held)]


def _series_by_study(context: Context, series_ids: Sequence[str]) -> dict[str, list[str]]:
    """The series in the order given, by study; checked that they exist, may be operated, and are not being processed."""
    connection, scope = context.connection, context.scope
    by_study: dict[str, list[str]] = {}
    for series_id in dict.fromkeys(series_ids):
        study_id = connection.scalar(select(series.c.study_id).where(series.c.id == series_id, in_scope(scope, series.c.project_id)))
        if study_id is not None and study_id not in by_study:
            lock_item(connection, scope, study_id)
        study = None if study_id is None else connection.execute(STUDY_ROWS.where(studies.c.id == study_id)).first()
        if study is None:
            raise NotFoundError(f"There is no series {series_id}.", "Look at GET /series.")
        require(scope, Right.OPERATE, study.item_project)
        _refuse_busy(context, study, series_id)
        by_study.setdefault(study.id, []).append(series_id)
    return by_study


def _refuse_busy(context: Context, study: Any, series_id: str) -> None:
    if study.item_stage != Stage.MATCHING or study.item_status not in (Status.HELD, Status.FINISHED):
        raise ConflictError(
            f"The study of series {series_id} stands at {study.item_stage} / {study.item_status}.",
            "A template can be chosen when the study is held at matching or through with it.",
        )
    rows = context.connection.execute(WORKITEM_ROWS.where(workitems.c.study_id == study.id))
    busy = [row.id for row in rows if row.item_status not in ENDED and series_id in {given["series_id"] for given in row.inputs}]
    if busy:
        raise ConflictError(f"Series {series_id} is being processed by workitem {busy[0]}.", "Cancel that one first, or wait for it.")
