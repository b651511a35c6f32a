"""Senders that never say they are through: what one of them brings within its project's quiet time is one intake."""

import uuid
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select, update

from hilum.model.identity import ADMIN_PROJECT, SYSTEM, Role, Scope
from hilum.model.lifecycle import Status
from hilum.stores.database import Database
from hilum.stores.intakes import Intakes, NewIntake
from hilum.stores.moving import ITEM_ROWS, item_of, move_item
from hilum.stores.schema import intakes, items, projects


class Senders:
    """Finds the intake that a sender's next object belongs to.

    Args:
        wake: called after a commit that made work ready.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime], intakes: Intakes, wake: Callable[[], None]) -> None:
        self.database = database
        self._clock = clock
        self._intakes = intakes
        self._wake = wake

    def join(self, project: str, door: str, sender: str, dataset: str = "", metadata: Mapping[str, Any] | None = None) -> str:
        """The id of the intake of `sender` that was still being received a quiet time ago, or of a new one.

        A power cut may take a new intake's row; its members' notes then make it anew (`rebuilding`).

        Raises:
            NotFoundError: the project is gone.
        """
        with self.database.writing("lazy") as connection:
            return self._join(connection, NewIntake(project, door, dataset=dataset, metadata=metadata, sender=sender))

    def rehearse(self) -> None:
        """`join` once, and take it back: making its statements takes longer than running them, and a first image need not wait for it."""
        with suppress(_TakenBack), self.database.writing("lazy") as connection:
            self._join(connection, NewIntake(ADMIN_PROJECT, "rehearsal", sender="rehearsal"))
            raise _TakenBack

    def _join(self, connection: Connection, new: NewIntake) -> str:
        now = self._clock()
        last = func.coalesce(intakes.c.last_received_at, intakes.c.started_at)
        newest = (
            select(intakes.c.id, last.label("last"), projects.c.quiet_seconds)
            .join(projects, projects.c.id == intakes.c.project_id)
            .where(intakes.c.sender == new.sender, intakes.c.door == new.door, projects.c.name == new.project)
            .where(intakes.c.dataset == new.dataset, intakes.c.completed_at.is_(None))
            .order_by(last.desc())
            .limit(1)
        )
        row = connection.execute(newest).first()
        if row is not None and row.last + timedelta(seconds=row.quiet_seconds) >= now:
            connection.execute(update(intakes).where(intakes.c.id == row.id).values(last_received_at=now))
            return str(row.id)
        intake_id = str(uuid.uuid4())
        self._intakes.create(connection, Scope(new.sender, {new.project: Role.OPERATOR}), new, intake_id)
        return intake_id

    def hasten(self, intake_ids: Collection[str]) -> set[str]:
        """Their associations have ended: import them now, if not yet complete. Returns those that a worker has just claimed."""
        if not intake_ids:
            return set()
        query = ITEM_ROWS.where(items.c.id.in_(sorted(intake_ids))).order_by(items.c.id).with_for_update(of=items)
        ended = update(intakes).where(intakes.c.id.in_(sorted(intake_ids))).values(ended_at=self._clock())
        with self.database.writing("lazy") as connection:
            connection.execute(ended)
            found = [item_of(row) for row in connection.execute(query)]
            for item in found:
                if item.status is Status.DEFERRED:
                    move_item(connection, item, "seal", SYSTEM.who, "The association ended.", self._clock())
        self._wake()
        return {item.id for item in found if item.status is Status.CLAIMED}

    def interrupt(self, intake_id: str) -> None:
        """A sender of it broke off."""
        with self.database.writing("lazy") as connection:
            connection.execute(update(intakes).where(intakes.c.id == intake_id).values(interrupted=True))


class _TakenBack(Exception):  # noqa: N818 - no error: it ends a transaction without a commit
    """Nothing of this transaction is to stay."""
