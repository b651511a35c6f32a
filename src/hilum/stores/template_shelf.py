"""Templates by name and version. A saved version never changes; saving makes the next one."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from hilum.model.errors import ConflictError, NotFoundError
from hilum.model.identity import ADMIN_PROJECT, Right, Scope
from hilum.model.templates import Template
from hilum.model.words import suggest
from hilum.stores.database import Database, refuse_taken
from hilum.stores.inserting import insert_or_ignore
from hilum.stores.schema import kept_attributes, templates
from hilum.stores.scoping import require


class TemplateShelf:
    """Templates belong to the site, not to a project: everybody reads them, builders of `admin` write them."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self.database = database
        self._clock = clock
        self._known: dict[tuple[str, int], Template] = {}

    def find(self, _scope: Scope, name: str, version: int | None = None) -> tuple[Template, int]:
        """A template and its version, the newest unless named; NotFoundError when there is none."""
        which = templates.c.newest if version is None else templates.c.version == version
        with self.database.reading() as connection:
            row = connection.execute(select(templates).where(templates.c.name == name, which)).first()
        if row is None:
            raise NotFoundError(f"There is no report type {name!r}.", suggest(name, self.names(_scope)))
        return self._parsed(row.name, row.version, row.definition), row.version

    def newest(self, _scope: Scope) -> list[tuple[Template, int]]:
        """The newest version of each, by name."""
        newest = select(templates.c.name, templates.c.version).where(templates.c.newest).order_by(templates.c.name)
        with self.database.reading() as connection:
            keys = [(row.name, row.version) for row in connection.execute(newest)]
            new = {(name, version) for name, version in keys if (name, version) not in self._known}
            named = templates.c.name.in_([name for name, _ in new])
            for row in connection.execute(select(templates).where(named)) if new else ():
                if (row.name, row.version) in new:
                    self._parsed(row.name, row.version, row.definition)
            return [(self._known[key], key[1]) for key in keys]

    def _parsed(self, name: str, version: int, definition: Mapping[str, Any]) -> Template:
        """A saved version never changes: it is parsed once a process, and rules that were compiled of it stay so."""
        known = self._known.get((name, version))
        return known or self._known.setdefault((name, version), Template.model_validate(definition))

    def names(self, scope: Scope) -> list[str]:
        """All names."""
        return [template.name for template, _ in self.newest(scope)]

    def save(self, scope: Scope, template: Template, *, new: bool) -> int:
        """Save the next version and return it; `new` refuses a name that is taken, else the name must be known."""
        require(scope, Right.BUILD, ADMIN_PROJECT)
        with (
            self.database.writing() as connection,
            refuse_taken(f"Somebody else saves {template.name!r} just now.", "Look at it, then save again."),
        ):
            last = connection.scalar(select(func.max(templates.c.version)).where(templates.c.name == template.name))
            if new and last is not None:
                raise ConflictError(f"There is a template {template.name!r} already.", "Change it with PUT, or choose another name.")
            if not new and last is None:
                raise NotFoundError(f"There is no template {template.name!r}.", "Make it with POST /templates.")
            version = (last or 0) + 1
            self._write(connection, scope, template, version)
        return version

    def ship(self, scope: Scope, shipped: Template) -> None:
        """A template that comes with Hilum: saved where its name is unknown, or where it is still as an earlier Hilum shipped it."""
        with self.database.writing() as connection:
            rows = connection.execute(select(templates).where(templates.c.name == shipped.name).order_by(templates.c.version)).all()
            definition = shipped.model_dump(mode="json")
            if rows and (rows[-1].definition == definition or rows[-1].who != scope.who):
                return
            self._write(connection, scope, shipped, len(rows) + 1)

    def _write(self, connection: Connection, scope: Scope, template: Template, version: int) -> None:
        connection.execute(update(templates).where(templates.c.name == template.name).values(newest=False))
        connection.execute(
            insert(templates).values(
                name=template.name,
                version=version,
                definition=template.model_dump(mode="json"),
                newest=True,
                who=scope.who,
                created_at=self._clock(),
            )
        )
        keep_attributes(connection, template.attributes())

    # --- which attributes the catalogue keeps of each instance ------------------------------------------------------------

    def keep(self, keywords: frozenset[str]) -> None:
        """Name attributes that the product itself needs (geometry, search)."""
        with self.database.writing() as connection:
            keep_attributes(connection, keywords)

    def kept(self, _scope: Scope) -> tuple[frozenset[str], int]:
        """The keywords kept of each instance, and their generation: series read at an earlier one are filled in afterwards."""
        with self.database.reading() as connection:
            rows = connection.execute(select(kept_attributes)).all()
        return frozenset(row.keyword for row in rows), max((row.generation for row in rows), default=0)


def newest_row(connection: Connection, template: str) -> Row[Any]:
    """The newest version of a template as its row; NotFoundError when there is none."""
    row = connection.execute(select(templates).where(templates.c.name == template, templates.c.newest)).first()
    if row is None:
        raise NotFoundError(f"There is no template {template!r}.", "Look at GET /templates.")
    return row


def keep_attributes(connection: Connection, keywords: frozenset[str]) -> None:
    """Add newly named attributes as the next generation."""
    known = set(connection.scalars(select(kept_attributes.c.keyword)))
    new = sorted(keywords - known)
    if not new:
        return
    generation = (connection.scalar(select(func.max(kept_attributes.c.generation))) or 0) + 1
    connection.execute(insert_or_ignore(connection, kept_attributes), [{"keyword": keyword, "generation": generation} for keyword in new])
