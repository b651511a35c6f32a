"""Who can come in: tokens and users with what they are granted, as an administrator sees them; no secret, no hash."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select

from hilum.model.errors import ForbiddenError, NotFoundError
from hilum.model.identity import Right, Role, Scope
from hilum.stores.access import Grant
from hilum.stores.database import Database
from hilum.stores.schema import grants, projects, tokens, users


@dataclass(frozen=True, slots=True)
class Credential:
    """A token or a user; the times are a token's alone."""

    id: str
    name: str
    grants: tuple[Grant, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


class Credentials:
    """Lists, and the end of a user. Each sees those whose grants all lie in projects that it administers."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def tokens(self, scope: Scope) -> list[Credential]:
        """The oldest first, those that are revoked included."""
        with self.database.reading() as connection:
            found = [
                Credential(row.id, row.name, _grants(connection, row.id), row.created_at, row.expires_at, row.revoked_at)
                for row in connection.execute(select(tokens).order_by(tokens.c.created_at, tokens.c.id))
            ]
        return [one for one in found if _administers(scope, one.grants)]

    def users(self, scope: Scope) -> list[Credential]:
        """By name."""
        with self.database.reading() as connection:
            found = [
                Credential(row.id, row.name, _grants(connection, row.id), row.created_at)
                for row in connection.execute(select(users).order_by(users.c.name))
            ]
        return [one for one in found if _administers(scope, one.grants)]

    def remove_user(self, scope: Scope, user_id: str) -> None:
        """The user comes in no more; its name stays in the history. NotFoundError where the caller does not see it."""
        user = next((one for one in self.users(scope) if user_id in (one.id, one.name)), None)
        if user is None:
            raise NotFoundError(f"There is no user {user_id!r}.", "Look at `hilum user list`.")
        if user.name == scope.who:
            raise ForbiddenError("Nobody removes itself.", "Ask another administrator.")
        with self.database.writing() as connection:
            connection.execute(delete(grants).where(grants.c.holder_id == user.id))
            connection.execute(delete(users).where(users.c.id == user.id))


def _grants(connection: Connection, holder_id: str) -> tuple[Grant, ...]:
    rows = connection.execute(
        select(grants.c.role, grants.c.may_see_identity, projects.c.name)
        .join(projects, projects.c.id == grants.c.project_id)
        .where(grants.c.holder_id == holder_id)
        .order_by(projects.c.name)
    )
    return tuple(Grant(row.name, Role(row.role), row.may_see_identity) for row in rows)


def _administers(scope: Scope, granted: Sequence[Grant]) -> bool:
    return bool(granted) and all(scope.holds(Right.ADMINISTER, grant.project) for grant in granted)
