"""The crosswalk in the ledger: sealed rows, found by pseudonym and opened with the project's keys, which lie elsewhere.

A row belongs to one study. Who has no keys can neither read a row nor tell whose it is; so what forgets a study needs the keys too.
"""

import logging
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, select

from hilum.model.crosswalk import RECORDS, Named, Original, SealedRow, digest_of, missing_key, open_row, owner_of
from hilum.model.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from hilum.model.identity import Right, Scope
from hilum.model.keys import Keys, ProjectKey
from hilum.model.records import ALLOWED
from hilum.stores.database import Database
from hilum.stores.inserting import chunks, insert_or_ignore
from hilum.stores.schema import crosswalk, crosswalk_keys, projects
from hilum.stores.scoping import project_id_of, require

_LOG = logging.getLogger(__name__)
_AT_ONCE = 5000  # rows in one transaction


def keep_rows(connection: Connection, project_id: int, rows: Sequence[SealedRow]) -> None:
    """Write rows; of those that are there already, UIDs stay and the records of patients and studies are replaced."""
    if not rows:
        return
    for row in rows:
        if row.named in RECORDS:
            the_same = (crosswalk.c.project_id == project_id, crosswalk.c.digest == row.digest, crosswalk.c.owner == row.owner)
            connection.execute(delete(crosswalk).where(*the_same))
    values = [
        {
            "project_id": project_id,
            "digest": row.digest,
            "owner": row.owner,
            "named": int(row.named),
            "key_id": bytes.fromhex(row.key_id),
            "sealed": row.sealed,
        }
        for row in rows
    ]
    keys = [{"project_id": project_id, "key_id": key_id} for key_id in sorted({row.key_id for row in rows})]
    connection.execute(insert_or_ignore(connection, crosswalk_keys), keys)
    connection.execute(insert_or_ignore(connection, crosswalk), values)


class Crosswalk:
    """What pseudonyms stand for.

    Args:
        keys: the projects' secrets.
    """

    def __init__(self, database: Database, keys: Keys) -> None:
        self.database = database
        self._keys = keys

    def originals(self, scope: Scope, project: str, study_id: str, pseudonyms: Collection[str]) -> dict[str, Original]:
        """What some pseudonyms stand for in one study; what is none of this study is not in the answer.

        Raises:
            ForbiddenError: the caller may not see identities. MissingKeyError: a key is missing. HilumError: a row was altered.
        """
        keys = self._keys.find(project)
        with self.database.reading() as connection:
            project_id = _require_identity(connection, scope, project)
            _require_keys(connection, project, project_id, keys)
            owners = [owner_of(key, study_id) for key in keys]
            return dict(_open(connection, project, project_id, pseudonyms, keys, crosswalk.c.owner.in_(owners)))

    def look_up(self, scope: Scope, project: str, pseudonym: str) -> list[Original]:
        """What a pseudonym stands for, once for each study that it is in. Who asked is logged.

        Raises:
            ForbiddenError: the caller may not see identities, or nothing of the project may ever be re-identified.
            MissingKeyError: the key is missing. HilumError: a row was altered.
        """
        with self.database.reading() as connection:
            project_id = _require_identity(connection, scope, project)
            _require_direction(connection, project, project_id)
            found = [one for _, one in _open(connection, project, project_id, [pseudonym], self._keys.find(project))]
        _LOG.info("%s looked up pseudonym %s of project %s: %d found", scope.who, pseudonym, project, len(found))
        return found

    def known(self, scope: Scope, project: str, pseudonyms: Collection[str]) -> list[str]:
        """Which of some pseudonyms the crosswalk has: for who knows the original, and asks what stands for it. Who asked is logged.

        Raises:
            ForbiddenError: the caller may not see identities.
        """
        with self.database.reading() as connection:
            project_id = _require_identity(connection, scope, project)
            digests = {row.digest for row in _rows(connection, project_id, pseudonyms)}
        found = [pseudonym for pseudonym in pseudonyms if digest_of(pseudonym) in digests]
        _LOG.info("%s asked for the pseudonyms of an original of project %s: %d found", scope.who, project, len(found))
        return found

    def allows_reidentification(self, scope: Scope, project: str) -> bool:
        """The project's direction: whether anything of it may ever be re-identified."""
        with self.database.reading() as connection:
            return _is_allowed(connection, project_id_of(connection, scope, project))

    def forget(self, connection: Connection, project: str, study_id: str) -> list[str]:
        """Remove all rows of a study that can be found with the keys at hand. Returns the ids of keys that are missing for the rest."""
        project_id = connection.scalar(select(projects.c.id).where(projects.c.name == project))
        if project_id is None or not (used := _keys_used(connection, project_id)):
            return []
        keys = {key.id: key for key in self._keys.find(project)}
        owners = [owner_of(key, study_id) for key in keys.values()]
        connection.execute(delete(crosswalk).where(crosswalk.c.project_id == project_id, crosswalk.c.owner.in_(owners)))
        return sorted(used - keys.keys())

    def give_up(self, scope: Scope, project: str, key_id: str, reason: str) -> int:
        """Remove the rows of a key that is lost, so that deletions and the way back wait for it no longer. Who did it, and why, is logged.

        Returns:
            how many rows there were. Interrupted, it goes on when it is asked for again.

        Raises:
            InvalidError: there is no reason. ForbiddenError: the caller is no administrator of the project.
            NotFoundError: no row was ever sealed with such a key. ConflictError: the key is not lost.
        """
        if not reason.strip():
            raise InvalidError("To give a key up needs a reason.", "Say how it was lost.")
        with self.database.reading() as connection:
            project_id = project_id_of(connection, scope, project)
            require(scope, Right.ADMINISTER, project)
            if key_id not in _keys_used(connection, project_id):
                raise NotFoundError(f"Nothing of project {project} was sealed with a key {key_id}.", "Name the one that is missing.")
        if key_id in {key.id for key in self._keys.find(project)}:
            raise ConflictError(f"Project {project} has its key {key_id}: it is not lost.", "Delete studies instead.")
        removed = self._remove_sealed_with(project_id, key_id)
        with self.database.writing() as connection:
            connection.execute(delete(crosswalk_keys).where(crosswalk_keys.c.project_id == project_id, crosswalk_keys.c.key_id == key_id))
        _LOG.warning("%s gave up the lost key %s of project %s with %d rows: %s", scope.who, key_id, project, removed, reason)
        return removed

    def _remove_sealed_with(self, project_id: int, key_id: str) -> int:
        """A part at a time, so that nobody waits long to write."""
        sealed_with = (crosswalk.c.project_id == project_id, crosswalk.c.key_id == bytes.fromhex(key_id))
        removed, after = 0, b""
        while True:
            with self.database.writing() as connection:
                beyond = select(crosswalk.c.digest).where(*sealed_with, crosswalk.c.digest > after)
                digests = list(connection.scalars(beyond.order_by(crosswalk.c.digest).limit(_AT_ONCE)))
                for some in chunks(set(digests)):
                    removed += connection.execute(delete(crosswalk).where(*sealed_with, crosswalk.c.digest.in_(some))).rowcount
            if not digests:
                return removed
            after = digests[-1]


def _keys_used(connection: Connection, project_id: int) -> set[str]:
    """The ids of the keys that rows of a project were ever sealed with."""
    return set(connection.scalars(select(crosswalk_keys.c.key_id).where(crosswalk_keys.c.project_id == project_id)))


def _require_identity(connection: Connection, scope: Scope, project: str) -> int:
    """The project's row id, for callers who may see whom its pseudonyms stand for."""
    project_id = project_id_of(connection, scope, project)
    require(scope, Right.READ, project)
    if not scope.may_see_identity:
        raise ForbiddenError("Who may not see identities cannot look into the crosswalk.", "Ask an administrator for a role that may.")
    return project_id


def _is_allowed(connection: Connection, project_id: int) -> bool:
    return connection.scalar(select(projects.c.reidentification).where(projects.c.id == project_id)) == ALLOWED


def _require_direction(connection: Connection, project: str, project_id: int) -> None:
    if not _is_allowed(connection, project_id):
        raise ForbiddenError(
            f"Nothing of project {project} may ever be re-identified.",
            f"An administrator who may see identities can allow it: `hilum project direct {project} --reidentification allowed`.",
        )


def _require_keys(connection: Connection, project: str, project_id: int, keys: Sequence[ProjectKey]) -> None:
    """A row whose key is missing could not even be found: that must not look as if it were not there."""
    missing = sorted(_keys_used(connection, project_id) - {key.id for key in keys})
    if missing:
        raise missing_key(project, missing[0])


def _open(
    connection: Connection,
    project: str,
    project_id: int,
    pseudonyms: Collection[str],
    keys: Sequence[ProjectKey],
    *which: ColumnElement[bool],
) -> Iterator[tuple[str, Original]]:
    by_digest = {digest_of(pseudonym): pseudonym for pseudonym in pseudonyms}
    for row in _rows(connection, project_id, pseudonyms, *which):
        pseudonym = by_digest[row.digest]
        sealed = SealedRow(row.digest, row.owner, Named(row.named), row.key_id.hex(), row.sealed)
        yield pseudonym, open_row(keys, project, pseudonym, sealed)


def _rows(connection: Connection, project_id: int, pseudonyms: Collection[str], *which: ColumnElement[bool]) -> Iterator[Row[Any]]:
    of_project = select(crosswalk).where(crosswalk.c.project_id == project_id, *which)
    for some in chunks({digest_of(pseudonym) for pseudonym in pseudonyms}):
        yield from connection.execute(of_project.where(crosswalk.c.digest.in_(some)))
