"""The white list: findings that a person accepts for a project or one of its series, and findings that are cleared."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select

from hilum.model.acceptances import Acceptance
from hilum.model.errors import InvalidError, NotFoundError
from hilum.model.identity import Right, Scope
from hilum.stores.database import Database
from hilum.stores.schema import acceptances, findings, projects, series, studies
from hilum.stores.scoping import in_scope, project_id_of, require


class Acceptances:
    """What is accepted counts from the next run of the checks on.

    Args:
        clock: gives aware UTC times.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self.database = database
        self._clock = clock

    def accept(self, scope: Scope, project: str, wanted: Acceptance) -> Acceptance:
        """Accept findings of a check. A series may be named by our id or its Series Instance UID; a reason is needed."""
        if not wanted.reason.strip():
            raise InvalidError("Accepting a finding needs a reason.", "Say why it does no harm.")
        with self.database.writing() as connection:
            project_id = project_id_of(connection, scope, project)
            require(scope, Right.OPERATE, project)
            uid = wanted.series_instance_uid
            if uid:
                named = select(series.c.series_instance_uid).where(series.c.project_id == project_id)
                found = connection.scalar(named.where((series.c.id == uid) | (series.c.series_instance_uid == uid)))
                if found is None:
                    raise NotFoundError(f"There is no series {uid} in project {project!r}.", "Look at GET /series.")
                uid = str(found)
            row = connection.execute(
                insert(acceptances)
                .values(
                    project_id=project_id,
                    check=wanted.check,
                    containing=wanted.containing,
                    series_instance_uid=uid,
                    reason=wanted.reason,
                    who=scope.who,
                    at=self._clock(),
                )
                .returning(acceptances)
            ).one()
        return _acceptance(row)

    def list_accepted(self, scope: Scope, project: str) -> list[Acceptance]:
        """Those of a project, oldest first."""
        query = (
            select(acceptances)
            .join(projects, projects.c.id == acceptances.c.project_id)
            .where(projects.c.name == project, in_scope(scope, acceptances.c.project_id))
            .order_by(acceptances.c.key)
        )
        with self.database.reading() as connection:
            return [_acceptance(row) for row in connection.execute(query)]

    def withdraw(self, scope: Scope, key: int) -> None:
        """It is accepted no more; NotFoundError where it never was."""
        query = (
            select(projects.c.name)
            .join(acceptances, acceptances.c.project_id == projects.c.id)
            .where(acceptances.c.key == key, in_scope(scope, acceptances.c.project_id))
        )
        with self.database.writing() as connection:
            project = connection.scalar(query)
            if project is None:
                raise NotFoundError(f"Nothing accepted has the id {key}.", "Look at GET /acceptances?project=NAME.")
            require(scope, Right.OPERATE, project)
            connection.execute(delete(acceptances).where(acceptances.c.key == key))

    def clear(self, scope: Scope, study_id: str) -> int:
        """Delete the findings of a study's present revision; returns how many. What was decided on them stays decided."""
        query = (
            select(projects.c.name, studies.c.revision)
            .join(studies, studies.c.project_id == projects.c.id)
            .where(studies.c.id == study_id, in_scope(scope, studies.c.project_id))
        )
        with self.database.writing() as connection:
            row = connection.execute(query).first()
            if row is None:
                raise NotFoundError(f"There is no study {study_id!r}.", "Look at `hilum status`.")
            require(scope, Right.OPERATE, row.name)
            cleared = connection.execute(delete(findings).where(findings.c.study_id == study_id, findings.c.revision == row.revision))
        return cleared.rowcount


def _acceptance(row: Row[Any]) -> Acceptance:
    return Acceptance(row.check, row.containing, row.series_instance_uid, row.reason, row.who, row.at, row.key)
