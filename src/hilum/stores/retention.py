"""Retention: a project may say for how many days it keeps a study; older ones are deleted as a person would delete them."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import select

from hilum.model.errors import ConflictError, NotFoundError
from hilum.model.identity import SYSTEM
from hilum.stores.database import Database
from hilum.stores.erasing import Eraser
from hilum.stores.schema import projects, studies, tombstones


class Retention:
    """Finds what is due and has it deleted.

    Args:
        clock: gives aware UTC times.
        eraser: deletes it.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime], eraser: Eraser) -> None:
        self.database = database
        self._clock = clock
        self._eraser = eraser

    def retire_due(self) -> int:
        """Bury studies older than their project keeps them. Returns how many."""
        with self.database.reading() as connection:
            keeping = connection.execute(
                select(projects.c.id, projects.c.retention_days).where(projects.c.retention_days.is_not(None))
            ).all()
        return sum(self._retire_due(row.id, row.retention_days) for row in keeping)

    def _retire_due(self, project_id: int, days: int) -> int:
        is_old = (studies.c.project_id == project_id) & (studies.c.last_received_at <= self._clock() - timedelta(days=days))
        with self.database.reading() as connection:
            due = list(connection.scalars(select(studies.c.id).where(is_old, studies.c.id.not_in(select(tombstones.c.study_id)))))
        retired = 0
        for study_id in due:
            # An upload of it is being imported: the next round. Or a person was quicker.
            with suppress(ConflictError, NotFoundError):
                self._eraser.delete_study(SYSTEM, study_id, f"Kept for {days} days, as its project says.")
                retired += 1
        return retired
