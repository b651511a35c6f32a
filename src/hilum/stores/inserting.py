"""Inserts that leave what is there already, and how many values stand in one statement."""

from collections.abc import Iterable
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

CHUNK = 500  # values in one IN (...)
_Value = TypeVar("_Value", int, str, bytes)


def chunks(values: Iterable[_Value]) -> Iterable[list[_Value]]:
    """As many values as one statement takes."""
    wanted = sorted(values)
    return [wanted[start : start + CHUNK] for start in range(0, len(wanted), CHUNK)]


def insert_or_ignore(connection: Connection, table: Table) -> Any:
    """INSERT that leaves a row which is there already; both dialects know ON CONFLICT DO NOTHING."""
    return _insert_or_ignore(connection.dialect.name, table)


@cache
def _insert_or_ignore(dialect: str, table: Table) -> Any:
    maker = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return maker(table).on_conflict_do_nothing()
