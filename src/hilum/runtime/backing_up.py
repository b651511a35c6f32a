"""hilum backup: a consistent copy of the ledger while the server runs. Packs are plain files, and are copied as such."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from hilum.model.errors import ConflictError, HilumError
from hilum.runtime.settings import Settings

_REASONS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CANTOPEN: "no file can be made there",
    sqlite3.SQLITE_READONLY: "nothing can be written there",
    sqlite3.SQLITE_IOERR: "the disk failed",
    sqlite3.SQLITE_CORRUPT: "the ledger is damaged",
    sqlite3.SQLITE_NOTADB: "the ledger is damaged",
}


def back_up(settings: Settings, target: Path) -> int:
    """Write a copy of the ledger as it is at one moment. Returns its size in bytes.

    Raises:
        ConflictError: the target is there already.
        HilumError: the ledger is not in SQLite, or cannot be copied.
    """
    if settings.database:
        raise HilumError("The ledger is in PostgreSQL.", "Copy it with pg_dump: it is consistent while the server runs.")
    if target.exists():
        raise ConflictError(f"{target} exists.", "Name a file that does not.")
    source = settings.data / "ledger.sqlite"
    if not source.is_file():
        raise HilumError(f"There is no ledger in {settings.data}.", "Name the data directory with --data.")
    being_written = target.with_name(f".{target.name}.part")
    try:
        being_written.unlink(missing_ok=True)
        _copy(source, being_written)
        being_written.rename(target)
    except (sqlite3.Error, OSError) as error:
        with suppress(OSError):  # its folder may be what is wrong
            being_written.unlink(missing_ok=True)
        raise HilumError(f"The ledger could not be copied to {target}: {_reason(error)}.", "Mend that, then try again.") from error
    return target.stat().st_size


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))  # one read transaction: a single moment
    with target.open("rb") as written:
        os.fsync(written.fileno())


def _reason(error: sqlite3.Error | OSError) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # https://www.sqlite.org/rescode.html: the low byte is the primary code
    return _REASONS.get(code, "the database refused")
