"""No error tells, to a sender or in a log, what others sent."""

import traceback
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from tests.api.conftest import Site, Uploading
from tests.stores.conftest import postgresql  # noqa: F401 - a fixture

from hilum.api.problems import status_of
from hilum.model.errors import StorageFullError
from hilum.model.members import StoredMember
from hilum.stores import intakes
from hilum.stores.database import Database
from hilum.stores.schema import files, metadata, projects

NAME = "DOE^JANE"


def test_a_database_error_quotes_no_parameter(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/ledger.db")
    metadata.create_all(database.engine)
    with pytest.raises(IntegrityError) as caught, database.writing() as connection:
        connection.execute(insert(files).values(intake_id="none", name=NAME, size=1, sha256=b"", offered=False))
    assert NAME not in "".join(traceback.format_exception(caught.value))
    database.close()


def test_postgresql_quotes_no_value_either(postgresql: str) -> None:  # noqa: F811
    database = Database(postgresql.format("postgres"))
    with pytest.raises(DBAPIError) as caught, database.writing() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE named (name TEXT PRIMARY KEY)"))
        connection.execute(text("INSERT INTO named VALUES (:name), (:name)"), {"name": NAME})
    assert NAME not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(DBAPIError) as caught, database.reading() as connection:
        connection.execute(text("SELECT CAST(CAST(:name AS TEXT) AS INTEGER)"), {"name": NAME})
    assert NAME not in "".join(traceback.format_exception(caught.value))
    database.close()


def test_a_sender_hears_nothing_of_other_bodies_when_the_index_fails(
    site: Site, uploading: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    upload: Uploading = uploading(site.project())

    def fail(connection: Connection, _received: Sequence[StoredMember], _now: datetime) -> None:
        connection.execute(insert(projects).values(name="admin", description=NAME))

    monkeypatch.setattr(intakes, "index_members", fail)
    reply = upload.put("a", b"x")
    assert reply.status_code == 503
    assert NAME not in reply.text + caplog.text


def test_a_full_ledger_disk_is_507(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/ledger.db")
    metadata.create_all(database.engine)
    database.engine.dispose()
    event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count=1"))
    with pytest.raises(StorageFullError) as caught, database.writing() as connection:
        connection.execute(text("CREATE TABLE big AS SELECT randomblob(100000000)"))
    assert status_of(caught.value) == 507
    database.close()
