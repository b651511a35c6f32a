"""The caller's scope as SQL: what is outside it does not exist."""

from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, select, true

from hilum.model.errors import ForbiddenError, NotFoundError
from hilum.model.identity import Right, Scope
from hilum.stores.schema import projects


def in_scope(scope: Scope, project_id: Column[Any]) -> ColumnElement[bool]:
    """Rows of the projects that the caller sees."""
    if scope.sees_all_projects:
        return true()
    return project_id.in_(select(projects.c.id).where(projects.c.name.in_(scope.roles)))


def project_id_of(connection: Connection, scope: Scope, name: str) -> int:
    """The project's row id; NotFoundError where it is unknown or outside the scope."""
    found = connection.scalar(select(projects.c.id).where(projects.c.name == name)) if scope.sees(name) else None
    if found is None:
        raise NotFoundError(f"There is no project {name!r}.", "Look at `hilum project list`, or make it with `hilum project create`.")
    return int(found)


def lock_project(connection: Connection, project_id: int) -> None:
    """Let one transaction at a time import into a project or bury something of it (SQLite has one writer anyway).

    Taken before any study's or workitem's row, so that no two wait for each other. Rows that only refer to the project do not wait.
    """
    connection.execute(select(projects.c.id).where(projects.c.id == project_id).with_for_update(key_share=True))


def require(scope: Scope, right: Right, project: str) -> None:
    """Raise ForbiddenError unless the caller has `right` in a project that it sees."""
    if not scope.holds(right, project):
        raise ForbiddenError(f"This needs the right to {right} in project {project!r}.", "Ask an administrator for a role that has it.")
