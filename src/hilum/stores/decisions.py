"""What a person decides: verdicts on workitems, letting held ones through, choosing a template by hand."""

from collections.abc import Callable
from datetime import datetime

from hilum.model.assigning import Assigned, Choice
from hilum.model.errors import ConflictError
from hilum.model.identity import Right, Scope
from hilum.model.lifecycle import Item, Kind, Stage, Status
from hilum.stores.assigning import assign_series
from hilum.stores.changes import Context, release_study
from hilum.stores.database import Database
from hilum.stores.moving import ITEM_ROWS, find_item, item_of, lock_item, move_item
from hilum.stores.schema import items, workitems
from hilum.stores.scoping import require
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

    def assign(self, scope: Scope, choice: Choice) -> list[Assigned]:
        """Send series to a template by hand; one answer a series. ConflictError when none of them can be sent."""
        with self.database.writing() as connection:
            answers = assign_series(Context(connection, self._clock(), scope), choice)
        self._wake()
        return answers


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
