"""Which series lack attributes that were named after they came, and the write that gives them these."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from hilum.model.outcomes import StoredBytes
from hilum.stores.database import Database
from hilum.stores.registering import differing
from hilum.stores.schema import instances, members, series
from hilum.stores.scoping import lock_project
from hilum.stores.storable import storable


class Filler:
    """Used by housekeeping."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def series_behind(self, generation: int, limit: int, now: datetime) -> list[int]:
        """Keys of series whose attributes were read at an earlier generation, the newest first: their studies may wait for it.

        Those that could not be read rest until their time.
        """
        is_due = series.c.read_again_at.is_(None) | (series.c.read_again_at <= now)
        query = select(series.c.key).where(series.c.kept_generation < generation, is_due).order_by(series.c.key.desc()).limit(limit)
        with self.database.reading() as connection:
            return list(connection.scalars(query))

    def bytes_of(self, series_key: int) -> list[tuple[int, StoredBytes]]:
        """(instance key, where its bytes lie), the series' first instance first."""
        query = (
            select(instances.c.key, members.c.pack_id, members.c.offset, members.c.size, members.c.sha256)
            .join(members, members.c.key == instances.c.member_key)
            .where(instances.c.series_key == series_key)
            .order_by(instances.c.key)
        )
        with self.database.reading() as connection:
            return [(row.key, StoredBytes(row.pack_id, row.offset, row.size, row.sha256)) for row in connection.execute(query)]

    def fill_in(self, series_key: int, read: Mapping[int, Mapping[str, Any]], generation: int) -> None:
        """Write the attributes of a series' instances anew; not where the instances have become others since they were read.

        Args:
            read: instance key -> attributes.
        """
        with self.database.writing() as connection:
            project_id = connection.scalar(select(series.c.project_id).where(series.c.key == series_key))
            if project_id is None:
                return
            lock_project(connection, project_id)  # nothing is imported into it meanwhile
            held = set(connection.scalars(select(instances.c.key).where(instances.c.series_key == series_key)))
            if held != read.keys():
                return
            if read:
                _write(connection, series_key, {key: storable(read[key]) for key in sorted(read)})
            known = {"kept_generation": generation, "unreadable": "", "read_again_at": None}
            connection.execute(update(series).where(series.c.key == series_key).values(known))

    def put_off(self, series_key: int, why: str, until: datetime) -> None:
        """A series cannot be read: what is known of it stays, and nobody takes the rest for known."""
        with self.database.writing() as connection:
            connection.execute(update(series).where(series.c.key == series_key).values(unreadable=why, read_again_at=until))


def _write(connection: Connection, series_key: int, read: Mapping[int, Mapping[str, Any]]) -> None:
    first = next(iter(read.values()))
    connection.execute(update(series).where(series.c.key == series_key).values(attributes=first))
    connection.execute(
        update(instances).where(instances.c.key == bindparam("instance")).values(differs=bindparam("differing")),
        [{"instance": key, "differing": differing(attributes, first)} for key, attributes in read.items()],
    )
