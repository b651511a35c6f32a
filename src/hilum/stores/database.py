"""Opening the ledger's database: SQLite with several processes, or PostgreSQL, behind two verbs: `reading()` and `writing()`.

SQLite with several processes (docs/architecture.md 5): every writing transaction starts with BEGIN IMMEDIATE, since a read that turns
into a write fails whatever the timeout. Writers queue on a lock file first: SQLite's own busy handler polls. The same lock keeps
writers out while `checkpoint` runs, the only one that does: up to SQLite 3.51.2, several processes that write and checkpoint at once
can lose data.
"""

import fcntl
import hashlib
import json
import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic_core import from_json
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from hilum.model.errors import ConflictError, StorageFullError

Durability = Literal["full", "lazy"]
"""full: the commit is on stable storage; lazy: a power cut may take the last commits, never their order (the packs know them)."""


BUSY_MILLISECONDS = 30_000
_DISK_FULL = "53100"  # PostgreSQL Appendix A, class 53: insufficient resources


class WriterLock:
    """One writer at a time over all processes: a lock file, and a lock for the threads of this process."""

    def __init__(self, path: Path) -> None:
        self._threads = threading.Lock()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def held(self) -> Iterator[None]:
        with self._threads:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._file)


class Database:
    """The engine and its two kinds of transaction.

    Args:
        url: `sqlite:///PATH` or `postgresql://...`.
    """

    def __init__(self, url: str) -> None:
        url = re.sub("^postgres(ql)?://", "postgresql+psycopg://", url)
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            path = Path(url.removeprefix("sqlite:///"))
            self.engine = _create_engine(url, connect_args={"timeout": 30, "check_same_thread": False})
            self._lock: WriterLock | None = WriterLock(path.with_name(path.name + ".writer"))
            event.listen(self.engine, "connect", _prepare_sqlite_connection)
            event.listen(self.engine, "begin", _begin_deferred)
        else:
            self.engine = _create_engine(url, pool_pre_ping=True)
            self._lock = None
        # What SQLite does anyway: all queries of a transaction see one moment, and it cannot write.
        self._reading: dict[str, Any] = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}

    @property
    def is_shared(self) -> bool:
        """Whether other machines, with packs of their own, may use it too."""
        return not self.is_sqlite

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent view; nothing is written."""
        with self.engine.connect().execution_options(**self._reading) as connection:
            yield connection
            connection.rollback()

    @contextmanager
    def writing(self, durability: Durability = "full") -> Iterator[Connection]:
        """A transaction that is committed at the end, or rolled back by an exception.

        Raises:
            StorageFullError: the ledger's disk has no room.
        """
        with _refuse_when_full(), self._writing(durability) as connection:
            yield connection

    @contextmanager
    def _writing(self, durability: Durability) -> Iterator[Connection]:
        if self._lock is None:
            with self.engine.begin() as connection:
                if durability == "lazy":
                    connection.execute(text("SET LOCAL synchronous_commit TO OFF"))
                yield connection
            return
        # Whoever waits for the lock holds no connection: readers need them.
        with self._lock.held(), self.engine.connect().execution_options(hilum_immediate=True) as connection:
            # SQLite pragma synchronous: FULL syncs the WAL at commit (and all commits before it), NORMAL leaves that to the next one.
            _execute_raw(connection, f"PRAGMA synchronous={'FULL' if durability == 'full' else 'NORMAL'}")
            with connection.begin():
                yield connection

    @contextmanager
    def alone(self, what: str) -> Iterator[None]:
        """Only one process of all machines does `what` at a time. With SQLite, the lock of the data directory sees to that."""
        if self.is_sqlite:
            yield
            return
        key = int.from_bytes(hashlib.sha256(f"hilum {what}".encode()).digest()[:8], "big", signed=True)
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": key})
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})

    def trouble(self) -> str:
        """Why the database does not answer, in a word; empty when it does."""
        try:
            with self.reading() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            return type(error).__name__
        return ""

    def checkpoint(self) -> None:
        """Write the WAL back into the database file. Only housekeeping calls this."""
        if self._lock is None:
            return
        with self.engine.connect() as connection, self._lock.held():
            # Without waiting for readers: a long one (a backup) would keep all writers out meanwhile. The next round takes the rest.
            _execute_raw(connection, "PRAGMA busy_timeout=0")
            _execute_raw(connection, "PRAGMA wal_checkpoint(TRUNCATE)")
            _execute_raw(connection, f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")

    def close(self) -> None:
        self.engine.dispose()
        if self._lock is not None:
            self._lock.close()


@contextmanager
def refuse_taken(sentence: str, mend: str) -> Iterator[None]:
    """What somebody else wrote at the same moment is a ConflictError, as it is when it was there before."""
    try:
        yield
    except IntegrityError as error:
        raise ConflictError(sentence, mend) from error


@contextmanager
def _refuse_when_full() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if not _is_full(error.orig):
            raise
        raise StorageFullError("The ledger's disk is full.", "Free some space; what was acknowledged is kept.") from error


def _is_full(error: BaseException | None) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or getattr(error, "sqlstate", None) == _DISK_FULL


def _create_engine(url: str, **options: Any) -> Engine:
    """An engine whose errors quote no values: they reach logs, and values name patients."""
    engine = create_engine(url, pool_size=8, max_overflow=32, hide_parameters=True, json_deserializer=read_json, **options)
    event.listen(engine, "handle_error", _quote_no_values)
    return engine


def read_json(text: str | bytes) -> Any:
    """A JSON document, read in two fifths of the time that the standard library takes: a dry-run reads a hundred thousand."""
    try:
        return from_json(text, cache_strings="keys")
    except ValueError:
        return json.loads(text)  # a lone surrogate, which only the standard library lets pass


def _quote_no_values(context: ExceptionContext) -> None:
    """PostgreSQL quotes values in its DETAIL, and those of a data exception in its message, too (Appendix A: class 22)."""
    error = context.original_exception
    sqlstate, told = getattr(error, "sqlstate", None), getattr(error, "diag", None)
    if sqlstate is None or told is None:
        return
    sentence = f"SQLSTATE {sqlstate}" if sqlstate.startswith("22") else f"SQLSTATE {sqlstate}: {told.message_primary}"
    error.args = (sentence,)
    if context.sqlalchemy_exception is not None:
        context.sqlalchemy_exception.args = (f"({type(error).__name__}) {sentence}",)


def _prepare_sqlite_connection(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # sqlite3 sends no BEGIN of its own: _begin_deferred does
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "wal_autocheckpoint=0", "mmap_size=0", "foreign_keys=ON", "secure_delete=ON", "cache_size=-8000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    cursor.close()


def _begin_deferred(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("hilum_immediate", False)
    _execute_raw(connection, "BEGIN IMMEDIATE" if immediate else "BEGIN")


def _execute_raw(connection: Connection, statement: str) -> None:
    """Past SQLAlchemy's own autobegin: pragmas and BEGIN stand outside a transaction."""
    cursor = connection.connection.cursor()
    cursor.execute(statement)
    cursor.close()
