"""Private attributes that the site has given a name and a VR, because no dictionary knows them."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import delete, insert, select

from hilum.dicom.attributes import parse_path, vr_of
from hilum.dicom.comparing import FORMS
from hilum.dicom.dictionary import Entry
from hilum.model.errors import InvalidError, NotFoundError
from hilum.model.identity import ADMIN_PROJECT, Right, Scope
from hilum.stores.database import Database, refuse_taken
from hilum.stores.schema import private_tags
from hilum.stores.scoping import require


class PrivateTags:
    """They belong to the site: everybody reads them, builders of `admin` write them."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self.database = database
        self._clock = clock

    def name(self, scope: Scope, path: str, name: str, vr: str) -> Entry:
        """Give a private attribute a name and a VR.

        Args:
            path: `(0019,100C) CREATOR` (PS3.5 7.8.1).

        Raises:
            InvalidError: it is no private attribute, or the VR is none. ConflictError: it has a name already.
        """
        require(scope, Right.BUILD, ADMIN_PROJECT)
        _check(path, name, vr)
        with self.database.writing() as connection, refuse_taken(f"{path} has a name already.", "Take that one away first."):
            connection.execute(insert(private_tags).values(path=path, name=name, vr=vr, who=scope.who, created_at=self._clock()))
        return _entry(path, name, vr)

    def forget(self, scope: Scope, path: str) -> None:
        """Take a name away; templates that were saved with it keep its VR."""
        require(scope, Right.BUILD, ADMIN_PROJECT)
        with self.database.writing() as connection:
            if connection.execute(delete(private_tags).where(private_tags.c.path == path)).rowcount == 0:
                raise NotFoundError(f"{path} has no name here.", "Look at GET /attributes.")

    def entries(self, _scope: Scope) -> tuple[Entry, ...]:
        """All, by path."""
        with self.database.reading() as connection:
            rows = connection.execute(select(private_tags).order_by(private_tags.c.path)).all()
        return tuple(_entry(row.path, row.name, row.vr) for row in rows)

    def vrs(self, scope: Scope) -> dict[str, str]:
        """Path -> VR."""
        return {one.path: one.vr for one in self.entries(scope)}


def _entry(path: str, name: str, vr: str) -> Entry:
    return Entry(path, name, f"{parse_path(path)[-1].tag:08X}", vr, "1-n")


def _check(path: str, name: str, vr: str) -> None:
    try:
        *before, last = parse_path(path)
    except ValueError as error:
        raise InvalidError(f"There is no attribute {path!r}: {error}", "Write (0019,100C) CREATOR.") from error
    if before or not last.creator or not last.tag >> 16 & 1:
        raise InvalidError(f"{path!r} is no private attribute with its creator (PS3.5 7.8.1).", "Write (0019,100C) CREATOR.")
    if vr_of(last.tag, last.creator) != "UN":
        raise InvalidError(f"{path} is known: its VR is {vr_of(last.tag, last.creator)}.", "It can be asked for as it is.")
    if vr not in FORMS or vr == "UN":
        raise InvalidError(f"{vr!r} is no VR.", f"Name one of {', '.join(one for one in FORMS if one != 'UN')}.")
    if not 1 <= len(name) <= 64:
        raise InvalidError("A name has 1 to 64 characters.", "Give it another.")
