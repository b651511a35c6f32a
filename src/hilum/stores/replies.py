"""Replies to changes, kept for a day by their Idempotency-Key: a sender whose connection broke asks again and hears the same."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select

from hilum.model.errors import InvalidError
from hilum.stores.database import Database
from hilum.stores.inserting import chunks, insert_or_ignore
from hilum.stores.schema import replies, tombstones

KEPT_FOR = timedelta(hours=24)
LONGEST_KEY = 128
_UUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Reply:
    """A status and a JSON body."""

    status: int
    body: str


class Replies:
    """What each caller was told.

    Args:
        clock: gives aware UTC times.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self.database = database
        self._clock = clock

    def find(self, who: str, key: str, request_sha256: bytes) -> Reply | None:
        """The reply to this very request; None when it was not made, or is a day old.

        Raises:
            InvalidError: the key was used for another request, or is no key.
        """
        if not 0 < len(key) <= LONGEST_KEY:
            raise InvalidError(f"The Idempotency-Key has not 1 to {LONGEST_KEY} characters.", "Use a UUID.")
        query = select(replies).where(replies.c.who == who, replies.c.idempotency_key == key, replies.c.at > self._clock() - KEPT_FOR)
        with self.database.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        if row.request_sha256 != request_sha256:
            raise InvalidError("This Idempotency-Key was used for another request.", "Use a new key for each change.")
        return Reply(row.status, row.body)

    def keep(self, who: str, key: str, request_sha256: bytes, reply: Reply, *, is_of_deletion: bool = False) -> None:
        """Remember a reply, and forget those that are a day old.

        Args:
            is_of_deletion: it tells of a study no more than its tombstone. Any other reply in which a deleted study stands was overtaken by
                the deletion, and is not kept.
        """
        now = self._clock()
        with self.database.writing() as connection:
            _purge(connection, now - KEPT_FOR)
            if not is_of_deletion and _tells_of_deleted(connection, reply.body):
                return
            connection.execute(
                insert_or_ignore(connection, replies).values(
                    who=who, idempotency_key=key, request_sha256=request_sha256, status=reply.status, body=reply.body, at=now
                )
            )

    def purge(self, older_than: datetime) -> int:
        """Forget the replies that were given before a time. Returns how many."""
        with self.database.writing() as connection:
            return _purge(connection, older_than)


def forget_mentions(connection: Connection, of: str) -> None:
    """Forget every reply in which an id stands: what it tells was deleted."""
    connection.execute(delete(replies).where(replies.c.body.contains(of, autoescape=True)))


def _tells_of_deleted(connection: Connection, body: str) -> bool:
    return any(
        connection.scalar(select(tombstones.c.study_id).where(tombstones.c.study_id.in_(some)).limit(1)) is not None
        for some in chunks(set(_UUID.findall(body)))
    )


def _purge(connection: Connection, older_than: datetime) -> int:
    return connection.execute(delete(replies).where(replies.c.at <= older_than)).rowcount
