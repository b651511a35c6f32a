"""Some attributes of series that are read by the hundred thousand: the database takes them out of the headers, and what series have
alike is parsed once."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Dialect, Text, cast, func

from hilum.stores.database import read_json
from hilum.stores.schema import series

ALWAYS = "SeriesNumber"  # what chooses among series that fit, and names them to a person
MOST_NAMES = 64  # SQLite and PostgreSQL let a function have a hundred arguments
MOST_REMEMBERED = 16_384  # texts
# SQLite before 3.45 compares a key as JSON has it written: what is escaped there is not found.
_WRITTEN_PLAINLY = re.compile(r"[ !#-\[\]-~]+")


class Excerpt:
    """What is taken out of the kept attributes of a series' first instance.

    Args:
        names: the attributes that are wanted. Where the database cannot be asked for them, the whole is read.
    """

    def __init__(self, names: Collection[str]) -> None:
        wanted = sorted({ALWAYS, *names})
        self._is_whole = len(wanted) > MOST_NAMES or not all(map(_WRITTEN_PLAINLY.fullmatch, wanted))
        self._names = wanted
        self._remembered: dict[str, Mapping[str, Any]] = {}

    def column(self, dialect: Dialect) -> ColumnElement[str]:
        """The excerpt in a query on series: JSON as text, which `read` takes."""
        if self._is_whole:
            return cast(series.c.attributes, Text)
        if dialect.name == "postgresql":
            return cast(func.jsonb_build_array(*(series.c.attributes[name] for name in self._names)), Text)
        paths = [f'$."{name}"' for name in self._names]
        # Of one path SQLite gives the bare value, of several a JSON array: the first is asked twice.
        return func.json_extract(series.c.attributes, *paths, paths[0], type_=Text)

    def read(self, text: str) -> Mapping[str, Any]:
        """The attributes; the same object for the same text, so it is not to be changed."""
        known = self._remembered.get(text)
        if known is None:
            known = self._parse(text)
            if len(self._remembered) < MOST_REMEMBERED:
                self._remembered[text] = known
        return known

    def _parse(self, text: str) -> Mapping[str, Any]:
        found: Any = read_json(text)
        if self._is_whole:
            return dict(found)
        return {name: value for name, value in zip(self._names, found, strict=False) if value is not None}
