"""Moves in the order in which they were committed, for who listens: none is skipped, however late its transaction ends.

SQLite has one writer, so ids are in that order. PostgreSQL gives ids before it commits: a move is told when no transaction that began
before its own still runs (below the snapshot's xmin), and the order is that of transactions (PostgreSQL 9.27.7, table 9.83).
"""

from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import BigInteger, ColumnElement, Connection, Text, cast, func, literal, select, tuple_

from hilum.stores.schema import moves


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """Behind which move somebody listens."""

    transaction_id: int
    move_id: int

    def __str__(self) -> str:
        return f"{self.transaction_id}-{self.move_id}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """What `str` wrote; None for anything else."""
        first, dash, second = text.partition("-")
        is_ours = dash and all(part.isascii() and part.isdecimal() and len(part) < 19 for part in (first, second))
        return cls(int(first), int(second)) if is_ours else None


def transaction_id(connection: Connection) -> int | ColumnElement[int]:
    """Of the present transaction, as `moves.transaction_id` keeps it."""
    return 0 if connection.dialect.name == "sqlite" else cast(cast(func.pg_current_xact_id(), Text), BigInteger)


def cursor_now(connection: Connection) -> Cursor:
    """Behind all that is committed for certain; PostgreSQL: a move of the last moment may still be told."""
    horizon = _horizon(connection)
    return Cursor(0, connection.scalar(select(func.max(moves.c.id))) or 0) if horizon is None else Cursor(horizon, 0)


def told_after(connection: Connection, cursor: Cursor) -> list[ColumnElement[bool]]:
    """The moves that can be told to who listens behind `cursor`, in the order of `COMMITTED`."""
    horizon = _horizon(connection)
    if horizon is None:
        return [moves.c.id > cursor.move_id]
    if cursor.transaction_id > horizon:  # of another cluster, from which this ledger was restored
        cursor = Cursor(horizon, 0)
    after = tuple_(moves.c.transaction_id, moves.c.id) > tuple_(literal(cursor.transaction_id), literal(cursor.move_id))
    return [after, moves.c.transaction_id < horizon]


COMMITTED = (moves.c.transaction_id, moves.c.id)


def _horizon(connection: Connection) -> int | None:
    if connection.dialect.name == "sqlite":
        return None
    xmin: Any = func.pg_snapshot_xmin(func.pg_current_snapshot())
    return int(connection.execute(select(cast(cast(xmin, Text), BigInteger))).scalar_one())
