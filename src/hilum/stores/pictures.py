"""Which series want a picture, and the pictures: kept beside the catalogue, so that they go with their study."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, exists, insert, literal, or_, select, update

from hilum.model.identity import Scope
from hilum.stores.catalogue.rows import ERASED
from hilum.stores.database import Database
from hilum.stores.schema import pictures, series
from hilum.stores.scoping import in_scope

LEASE = timedelta(minutes=10)
MOST_ATTEMPTS = 3  # a series whose picture ends the worker itself is not tried for ever


@dataclass(frozen=True, slots=True)
class Wish:
    """A picture that somebody must draw; `attempt` counts from 1."""

    series_key: int
    series_id: str
    version: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Picture:
    """What stands for a series.

    Args:
        png: at most 300 pixels on the longest side; None where an icon stands for it.
        icon: the icon's name; empty where there is a picture.
        why: a sentence: why there is none, or what it lacks.
        reference_uid: SeriesInstanceUID of what it lies on, which is not held yet: it is drawn anew when that arrives.
        is_wanted: it has still to be drawn, or drawn again.
    """

    png: bytes | None
    icon: str = ""
    why: str = ""
    reference_uid: str = ""
    is_wanted: bool = False


class Pictures:
    """Used by the workers that draw and by the faces that show."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self.database = database
        self._clock = clock

    def find(self, scope: Scope, series_id: str) -> Picture | None:
        """The picture of a series; None where nobody has asked for one yet, or where there is no such series."""
        its = select(pictures).join(series, series.c.key == pictures.c.series_key)
        with self.database.reading() as connection:
            row = connection.execute(its.where(series.c.id == series_id, in_scope(scope, series.c.project_id))).first()
        return None if row is None else Picture(row.png, row.icon, row.why, row.reference_uid or "", row.wanted)

    def claim(self, limit: int) -> list[Wish]:
        """Wishes that nobody is busy with, the oldest series first; they are the caller's for ten minutes."""
        now = self._clock()
        free = or_(pictures.c.claimed_until_at.is_(None), pictures.c.claimed_until_at <= now)
        wanted = (
            select(pictures.c.series_key, pictures.c.version, pictures.c.attempts, series.c.id)
            .join(series, series.c.key == pictures.c.series_key)
            .where(pictures.c.wanted, free)
            .order_by(pictures.c.series_key)
            .limit(limit)
        )
        with self.database.reading() as connection:
            if connection.execute(wanted.limit(1)).first() is None:
                return []
        with self.database.writing("lazy") as connection:
            rows = connection.execute(wanted.with_for_update(skip_locked=True, of=pictures)).all()
            mine = pictures.c.series_key.in_([row.series_key for row in rows])
            connection.execute(update(pictures).where(mine).values(claimed_until_at=now + LEASE, attempts=pictures.c.attempts + 1))
            return [Wish(row.series_key, row.id, row.version, row.attempts + 1) for row in rows]

    def keep(self, wish: Wish, picture: Picture) -> None:
        """The answer to a wish. One that was wished for anew meanwhile stays wanted."""
        its = pictures.c.series_key == wish.series_key
        told = {"png": picture.png, "icon": picture.icon, "why": picture.why, "reference_uid": picture.reference_uid or None}
        with self.database.writing("lazy") as connection:
            connection.execute(update(pictures).where(its).values(claimed_until_at=None, **told))
            connection.execute(update(pictures).where(its, pictures.c.version == wish.version).values(wanted=False))

    def want_again(self, wish: Wish) -> None:
        """What it lies on has arrived."""
        its = pictures.c.series_key == wish.series_key
        with self.database.writing("lazy") as connection:
            connection.execute(update(pictures).where(its).values(wanted=True, version=pictures.c.version + 1, attempts=0))

    def find_reference(self, wish: Wish, series_instance_uid: str) -> str | None:
        """Our id of a series of the same project; None where it is not held."""
        project = select(series.c.project_id).where(series.c.key == wish.series_key).scalar_subquery()
        query = select(series.c.id).where(
            series.c.series_instance_uid == series_instance_uid,
            series.c.project_id == project,
            series.c.study_id.not_in(ERASED),
            series.c.key != wish.series_key,
        )
        with self.database.reading() as connection:
            return connection.scalar(query)

    def give_back(self, wish: Wish, *, counts: bool) -> None:
        """It was not drawn; the attempt counts where it may be this wish's own fault."""
        its = pictures.c.series_key == wish.series_key
        attempts = wish.attempt if counts else wish.attempt - 1
        with self.database.writing("lazy") as connection:
            connection.execute(update(pictures).where(its).values(claimed_until_at=None, attempts=attempts))


def want_pictures(connection: Connection, study_id: str) -> None:
    """A study was checked: what is new in it, or has grown, is drawn; and whatever of its project lies on one of its series."""
    its = series.c.study_id == study_id
    known = exists().where(pictures.c.series_key == series.c.key)
    new = (literal(True), literal(1), literal(0), series.c.number_of_instances, literal(""), literal(""))
    names = ["series_key", "project_id", "wanted", "version", "attempts", "number_of_instances", "icon", "why"]
    grown = select(series.c.number_of_instances).where(series.c.key == pictures.c.series_key).scalar_subquery()
    again = {"wanted": True, "version": pictures.c.version + 1, "attempts": 0}
    present = pictures.c.series_key.in_(select(series.c.key).where(its))
    connection.execute(update(pictures).where(present, pictures.c.number_of_instances != grown).values(**again, number_of_instances=grown))
    arrived = select(series.c.series_instance_uid).where(its)
    project = select(series.c.project_id).where(its).limit(1).scalar_subquery()
    connection.execute(update(pictures).where(pictures.c.project_id == project, pictures.c.reference_uid.in_(arrived)).values(**again))
    connection.execute(insert(pictures).from_select(names, select(series.c.key, series.c.project_id, *new).where(its, ~known)))
