"""Projects, users, tokens and what they are granted. Secrets are kept as hashes only: argon2id for passwords, SHA-256 for random tokens."""

import hashlib
import re
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from hilum.model.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from hilum.model.identity import ADMIN_PROJECT, Right, Role, Scope
from hilum.model.records import REIDENTIFICATION, Project
from hilum.stores.database import Database, refuse_taken
from hilum.stores.schema import grants, projects, tokens, users
from hilum.stores.scoping import in_scope, project_id_of, require

AE_TITLE_LENGTH = 16  # PS3.5 6.2, VR AE
LONGEST_NAME_AS_AE_TITLE = AE_TITLE_LENGTH - len("kp-")


@dataclass(frozen=True, slots=True)
class Grant:
    """A role in a project."""

    project: str
    role: Role
    may_see_identity: bool = False


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made; `secret` is shown this once."""

    id: str
    name: str
    secret: str


class Access:
    """Who may do what.

    Args:
        clock: gives aware UTC times.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self.database = database
        self._clock = clock

    # --- projects -------------------------------------------------------------------------------------------------------

    def create_project(
        self,
        scope: Scope,
        name: str,
        *,
        description: str = "",
        ae_title: str = "",
        accepts: Mapping[str, Any] | None = None,
        quiet_seconds: int = 5,
        retention_days: int | None = None,
    ) -> Project:
        """A new project. InvalidError for a name or AE title that cannot be one, ConflictError when either is taken."""
        require(scope, Right.ADMINISTER, ADMIN_PROJECT)
        _check_name(name)
        _check_ae_title(name, ae_title)
        with self.database.writing() as connection, refuse_taken("The name or AE title is taken.", "Choose another one."):
            taken = connection.scalar(
                select(projects.c.name).where((projects.c.name == name) | ((projects.c.ae_title == ae_title) & (projects.c.ae_title != "")))
            )
            if taken is not None:
                raise ConflictError(f"The name or AE title is taken by project {taken!r}.", "Choose another one.")
            connection.execute(
                insert(projects).values(
                    name=name,
                    description=description,
                    ae_title=ae_title or None,
                    accepts=dict(accepts or {}),
                    quiet_seconds=quiet_seconds,
                    retention_days=retention_days,
                    created_at=self._clock(),
                )
            )
        return self.find_project(scope, name)

    def find_project(self, scope: Scope, name: str) -> Project:
        """The project, or NotFoundError."""
        found = [project for project in self.list_projects(scope) if project.name == name]
        if not found:
            raise NotFoundError(f"There is no project {name!r}.", "Look at `hilum project list`, or make it with `hilum project create`.")
        return found[0]

    def list_projects(self, scope: Scope) -> list[Project]:
        """By name."""
        with self.database.reading() as connection:
            return [
                _project(row)
                for row in connection.execute(select(projects).where(in_scope(scope, projects.c.id)).order_by(projects.c.name))
            ]

    def direct_project(self, scope: Scope, name: str, reidentification: str) -> Project:
        """Say whether anything of a project may ever be re-identified.

        Args:
            reidentification: `never` or `allowed`.

        Raises:
            NotFoundError: there is none. ForbiddenError: the caller is no administrator of it, or may not see identities.
        """
        self.find_project(scope, name)
        require(scope, Right.ADMINISTER, name)
        if not scope.may_see_identity:
            raise ForbiddenError("Who may not see identities cannot allow them to be brought back.", "Ask an administrator who may.")
        if reidentification not in REIDENTIFICATION:
            raise InvalidError(f"{reidentification!r} is no direction.", f"Say {' or '.join(REIDENTIFICATION)}.")
        with self.database.writing() as connection:
            project_id = project_id_of(connection, scope, name)
            connection.execute(update(projects).where(projects.c.id == project_id).values(reidentification=reidentification))
        return self.find_project(scope, name)

    # --- tokens and users -----------------------------------------------------------------------------------------------

    def create_token(self, scope: Scope, name: str, granted: Sequence[Grant], *, expires_at: datetime | None = None) -> NewToken:
        """A random token; only its hash is kept."""
        return self.keep_token(scope, name, secrets.token_urlsafe(32), granted, expires_at=expires_at)

    def keep_token(self, scope: Scope, name: str, secret: str, granted: Sequence[Grant], *, expires_at: datetime | None = None) -> NewToken:
        """A token whose secret is given (HILUM_ADMIN_TOKEN, or the first start's)."""
        token_id = str(uuid.uuid4())
        with self.database.writing() as connection:
            connection.execute(
                insert(tokens).values(id=token_id, name=name, token_sha256=_digest(secret), created_at=self._clock(), expires_at=expires_at)
            )
            _grant(connection, scope, token_id, granted)
        return NewToken(token_id, name, secret)

    def revoke_token(self, scope: Scope, token_id: str) -> None:
        """It opens nothing any more. NotFoundError unless the caller is an administrator of all of its projects."""
        granted = select(projects.c.name).join(grants, grants.c.project_id == projects.c.id).where(grants.c.holder_id == token_id)
        with self.database.writing() as connection:
            opened = connection.scalars(granted).all()
            if not opened or not all(scope.holds(Right.ADMINISTER, project) for project in opened):
                raise NotFoundError(f"There is no token {token_id}.", "Its id was shown when it was made.")
            connection.execute(update(tokens).where(tokens.c.id == token_id).values(revoked_at=self._clock()))

    def add_user(self, scope: Scope, name: str, password: str, granted: Sequence[Grant]) -> str:
        """A person who signs in with a password of at least twelve characters. Returns the user's id."""
        from argon2 import PasswordHasher

        if len(password) < 12:
            raise InvalidError("The password has fewer than twelve characters.", "Choose a longer one.")
        user_id, password_hash = str(uuid.uuid4()), PasswordHasher().hash(password)
        with self.database.writing() as connection, refuse_taken(f"There is a user {name!r} already.", "Choose another name."):
            connection.execute(insert(users).values(id=user_id, name=name, password_hash=password_hash, created_at=self._clock()))
            _grant(connection, scope, user_id, granted)
        return user_id

    def scope_of_token(self, secret: str) -> Scope | None:
        """Whose token it is; None when it is unknown, expired or revoked."""
        now = self._clock()
        with self.database.reading() as connection:
            row = connection.execute(select(tokens).where(tokens.c.token_sha256 == _digest(secret))).first()
            if row is None or row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
                return None
            return _scope(connection, row.id, f"token {row.name}")

    def scope_of_user(self, name: str, password: str) -> Scope | None:
        """Whose name and password these are; None when they do not fit."""
        from argon2 import PasswordHasher
        from argon2.exceptions import VerificationError

        with self.database.reading() as connection:
            row = connection.execute(select(users).where(users.c.name == name)).first()
        try:  # the same work for an unknown name, so that time tells nothing; no transaction is open meanwhile
            PasswordHasher().verify(row.password_hash if row else _NOBODY, password)
        except VerificationError:
            return None
        if row is None:
            return None
        with self.database.reading() as connection:
            return _scope(connection, row.id, row.name)

    def has_tokens(self) -> bool:
        """Whether anybody can come in at all: the first start makes an administrator's token."""
        with self.database.reading() as connection:
            return connection.scalar(select(tokens.c.id).limit(1)) is not None


_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$tMDSRV6V3BhkQzRyrVuGxbVFl0sMMHZHSrR5XyKlKFY"


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _grant(connection: Connection, scope: Scope, holder_id: str, granted: Sequence[Grant]) -> None:
    if not granted:
        raise InvalidError("Without a role in a project it opens nothing.", "Name a project and a role.")
    for grant in granted:
        require(scope, Right.ADMINISTER, grant.project)
        if grant.may_see_identity and not scope.may_see_identity:
            raise ForbiddenError("Who may not see identities cannot let others see them.", "Ask an administrator who may.")
        project_id = connection.scalar(select(projects.c.id).where(projects.c.name == grant.project))
        if project_id is None:
            raise NotFoundError(f"There is no project {grant.project!r}.", "Make it with `hilum project create`.")
        connection.execute(
            insert(grants).values(holder_id=holder_id, project_id=project_id, role=grant.role, may_see_identity=grant.may_see_identity)
        )


def _scope(connection: Connection, holder_id: str, who: str) -> Scope:
    rows = connection.execute(
        select(grants.c.role, grants.c.may_see_identity, projects.c.name)
        .join(projects, projects.c.id == grants.c.project_id)
        .where(grants.c.holder_id == holder_id)
    ).all()
    # The right to see identities is held for all of a caller's projects or for none: the narrowest grant decides.
    may_see = bool(rows) and all(row.may_see_identity for row in rows)
    return Scope(who, {row.name: Role(row.role) for row in rows}, may_see)


def _check_name(name: str) -> None:
    if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) is None:
        raise InvalidError(f"{name!r} cannot be a project's name.", "It has 1 to 64 letters, digits, underscores and hyphens.")


def _check_ae_title(name: str, ae_title: str) -> None:
    if not ae_title and len(name) > LONGEST_NAME_AS_AE_TITLE:
        raise InvalidError(
            f"{name!r} has more than {LONGEST_NAME_AS_AE_TITLE} characters, too many for an AE title kp-<name>.",
            "Give the project an ae_title.",
        )
    if len(ae_title) > AE_TITLE_LENGTH or not ae_title.isascii() or "\\" in ae_title or not (ae_title == "" or ae_title.isprintable()):
        raise InvalidError(f"{ae_title!r} is no AE title.", "It has at most 16 printable ASCII characters and no backslash (PS3.5 6.2).")


def _project(row: Row[Any]) -> Project:
    return Project(
        name=row.name,
        description=row.description,
        ae_title=row.ae_title or "",
        accepts=row.accepts,
        quiet_seconds=row.quiet_seconds,
        retention_days=row.retention_days,
        reidentification=row.reidentification,
        created_at=row.created_at,
    )
