"""hilum backup: a consistent copy of the ledger while the server runs. Packs are plain files, and are copied as such."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from hilum.model.errors import ConflictError, HilumError
from hilum.runtime.settings import Settings


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
    being_written.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("VACUUM INTO ?", (str(being_written),))  # one read transaction: a single moment
    except sqlite3.Error as error:
        being_written.unlink(missing_ok=True)
        raise HilumError(f"The ledger could not be copied: {error}.", "Look at the disk, then try again.") from error
    with being_written.open("rb") as written:
        os.fsync(written.fileno())
    being_written.rename(target)
    return target.stat().st_size
