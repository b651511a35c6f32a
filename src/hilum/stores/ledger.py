"""Where every item stands and why."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select, update

from hilum.model.identity import ADMIN_PROJECT, Scope
from hilum.model.lifecycle import Item, Kind, Stage, Status
from hilum.model.outcomes import VERB_OF, Defer, Outcome
from hilum.model.records import Move
from hilum.stores import changes
from hilum.stores.database import Database
from hilum.stores.following import COMMITTED, Cursor, cursor_now, told_after
from hilum.stores.moving import ITEM_ROWS, find_item, item_of, lock_item, move_item
from hilum.stores.schema import items, moves, projects
from hilum.stores.scoping import in_scope


@dataclass(frozen=True, slots=True)
class Backoff:
    """When a stage that raised is tried again: after `first`, doubled each time, until `attempts` are used up."""

    first: timedelta = timedelta(seconds=2)
    attempts: int = 5

    def delay_after(self, attempt: int) -> timedelta:
        return timedelta(seconds=self.first.total_seconds() * 2 ** (attempt - 1))


@dataclass(frozen=True, slots=True)
class MoveFilter:
    """What a list of moves is narrowed to; an empty field narrows nothing. `stage` and `status` are those moved to."""

    project: str = ""
    item: str = ""
    kind: str = ""
    stage: str = ""
    status: str = ""
    verb: str = ""
    who: str = ""
    text: str = ""


class Ledger:
    """Items and their moves.

    Args:
        clock: gives aware UTC times.
        wake: called after a commit that may have made work ready.
        backoff: when a stage that raised is tried again.
    """

    def __init__(
        self, database: Database, clock: Callable[[], datetime], wake: Callable[[], None] = lambda: None, backoff: Backoff | None = None
    ) -> None:
        self.database = database
        self._clock = clock
        self._wake = wake
        self._backoff = backoff or Backoff()

    def find(self, scope: Scope, item_id: str) -> Item:
        """The item, or NotFoundError."""
        with self.database.reading() as connection:
            return find_item(connection, scope, item_id)

    def history(self, scope: Scope, item_ids: Iterable[str]) -> list[Move]:
        """All moves of some items, oldest first."""
        query = select(moves).where(moves.c.item_id.in_(list(item_ids)), in_scope(scope, moves.c.project_id)).order_by(moves.c.id)
        with self.database.reading() as connection:
            return [_move_of(row) for row in connection.execute(query)]

    def list_moves(self, scope: Scope, wanted: MoveFilter, *, before: int | None = None, limit: int = 100) -> list[Move]:
        """Moves of all items, newest first, from the one before `before`."""
        query = select(moves).where(in_scope(scope, moves.c.project_id), *_wanted_moves(wanted)).limit(limit)
        if before is not None:
            query = query.where(moves.c.id < before)
        with self.database.reading() as connection:
            return [_move_of(row) for row in connection.execute(query.order_by(moves.c.id.desc()))]

    def listen(self) -> Cursor:
        """Where somebody begins who wants the moves from now on."""
        with self.database.reading() as connection:
            return cursor_now(connection)

    def follow(self, scope: Scope, wanted: MoveFilter, cursor: Cursor, limit: int = 100) -> list[tuple[Cursor, Move]]:
        """Moves behind `cursor` in the order of their commits, each with the cursor behind it: every one once."""
        query = select(moves).where(in_scope(scope, moves.c.project_id), *_wanted_moves(wanted)).order_by(*COMMITTED).limit(limit)
        with self.database.reading() as connection:
            rows = connection.execute(query.where(*told_after(connection, cursor)))
            return [(Cursor(row.transaction_id, row.id), _move_of(row)) for row in rows]

    def next_due_at(self, scope: Scope) -> datetime | None:
        """When the next deferred item wakes or the next lease runs out."""
        query = select(func.min(items.c.not_before_at), func.min(items.c.lease_until_at)).where(
            items.c.status.in_([Status.DEFERRED, Status.CLAIMED]), in_scope(scope, items.c.project_id)
        )
        with self.database.reading() as connection:
            times = [at for at in connection.execute(query).one() if at is not None]
        return min(times, default=None)

    # --- a worker's moves ---------------------------------------------------------------------------------------------

    def claim(self, scope: Scope, worker: str, lease: timedelta, kinds: Collection[Kind] = tuple(Kind)) -> Item | None:
        """Take the most urgent ready item of some kinds, for `lease`; None when nothing is ready."""
        ready = (
            ITEM_ROWS.where(items.c.status == Status.READY, items.c.kind.in_(kinds), in_scope(scope, items.c.project_id))
            .order_by(items.c.priority, items.c.since_at)
            .limit(1)
        )
        with self.database.reading() as connection:
            if connection.execute(ready).first() is None:
                return None
        with self.database.writing("lazy") as connection:
            row = connection.execute(ready.with_for_update(skip_locked=True, of=items)).first()
            if row is None:
                return None
            item, now = item_of(row), self._clock()
            return move_item(
                connection,
                item,
                "claim",
                worker,
                item.why,
                now,
                lease_until_at=now + lease,
                claimed_by=worker[-64:],
                attempt=item.attempt + 1,
            )

    def renew(self, scope: Scope, item: Item, lease: timedelta) -> bool:
        """Keep a claimed item for another `lease`; False when it is no longer ours."""
        statement = (
            update(items)
            .where(items.c.id == item.id, items.c.version == item.version, in_scope(scope, items.c.project_id))
            .values(lease_until_at=self._clock() + lease)
        )
        with self.database.writing("lazy") as connection:
            return connection.execute(statement).rowcount == 1

    def finish(self, scope: Scope, item: Item, outcome: Outcome) -> Item:
        """Write a stage's answer: the move and its changes, all or nothing. LeaseLostError when somebody else moved the item."""
        until = outcome.until if isinstance(outcome, Defer) else None
        now = self._clock()
        with self.database.writing() as connection:
            moved = move_item(connection, item, VERB_OF[type(outcome)], scope.who, outcome.why, now, not_before_at=until)
            context = changes.Context(connection, now, scope)
            for change in outcome.changes:
                changes.apply(context, change)
        self._wake()
        return moved

    def fail(self, scope: Scope, item: Item, why: str, traceback: str) -> Item:
        """A stage raised: try again later, or give up when the attempts are used up."""
        now = self._clock()
        with self.database.writing() as connection:
            if item.attempt >= self._backoff.attempts:
                why = f"{why} (given up after {item.attempt} attempts)"
                return move_item(connection, item, "fail", scope.who, why, now, attempt=item.attempt, traceback=traceback)
            until = now + self._backoff.delay_after(item.attempt)
            return move_item(connection, item, "defer", scope.who, why, now, not_before_at=until, attempt=item.attempt, traceback=traceback)

    def give_back(self, scope: Scope, item: Item, why: str) -> None:
        """The worker stops: the item is ready for another one, and the attempt does not count."""
        with self.database.writing() as connection:
            move_item(connection, item, "give-back", scope.who, why, self._clock(), attempt=max(item.attempt - 1, 0))
        self._wake()

    # --- housekeeping's moves -------------------------------------------------------------------------------------------

    def wake_due(self, scope: Scope) -> int:
        """Deferred items whose time has come, and claimed ones whose lease ran out, become ready. Returns how many."""
        now = self._clock()
        due = ITEM_ROWS.where(
            in_scope(scope, items.c.project_id),
            ((items.c.status == Status.DEFERRED) & (items.c.not_before_at <= now))
            | ((items.c.status == Status.CLAIMED) & (items.c.lease_until_at <= now)),
        ).limit(500)
        with self.database.reading() as connection:
            if connection.execute(due.limit(1)).first() is None:
                return 0
        with self.database.writing() as connection:
            found = [item_of(row) for row in connection.execute(due.with_for_update(skip_locked=True, of=items))]
            for item in found:
                verb, why = (
                    ("wake", item.why) if item.status is Status.DEFERRED else ("give-back", "Its worker went silent; it starts again.")
                )
                move_item(connection, item, verb, scope.who, why, now, attempt=item.attempt)
        self._wake()
        return len(found)

    # --- anybody's moves -----------------------------------------------------------------------------------------------

    def move(self, scope: Scope, item_id: str, verb: str, why: str, to_stage: Stage | None = None) -> Item:
        """Move an item by a verb of `lifecycle.MOVES`. ConflictError when it does not stand where the verb needs it."""
        with self.database.writing() as connection:
            moved = move_item(connection, lock_item(connection, scope, item_id), verb, scope.who, why, self._clock(), to_stage=to_stage)
        self._wake()
        return moved


def _wanted_moves(wanted: MoveFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.project and wanted.project != ADMIN_PROJECT:
        yield moves.c.project_id.in_(select(projects.c.id).where(projects.c.name == wanted.project))
    exact = (
        (moves.c.item_id, wanted.item),
        (moves.c.kind, wanted.kind),
        (moves.c.to_stage, wanted.stage),
        (moves.c.to_status, wanted.status),
        (moves.c.verb, wanted.verb),
        (moves.c.who, wanted.who),
    )
    for column, value in exact:
        if value:
            yield column == value
    if wanted.text:
        yield moves.c.why.icontains(wanted.text, autoescape=True)


def _move_of(row: Row[Any]) -> Move:
    return Move(
        id=row.id,
        item_id=row.item_id,
        kind=Kind(row.kind),
        at=row.at,
        who=row.who,
        verb=row.verb,
        from_stage=Stage(row.from_stage),
        from_status=Status(row.from_status),
        to_stage=Stage(row.to_stage),
        to_status=Status(row.to_status),
        why=row.why,
        attempt=row.attempt,
    )
