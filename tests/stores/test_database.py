"""The two kinds of transaction, the schema's versions, and that big tables are asked through their indexes."""

import re
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from hilum.model.errors import HilumError
from hilum.model.identity import SYSTEM
from hilum.stores.catalogue import Page, StudyFilter
from hilum.stores.database import Database
from hilum.stores.migrations import HEAD, upgrade
from hilum.stores.offering import SentFile
from hilum.stores.schema import instances, members, metadata, projects

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_the_migrated_schema_is_the_one_in_the_code(database):
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": False})
        assert compare_metadata(context, metadata) == []


def test_upgrading_twice_is_upgrading_once(database):
    upgrade(database)
    with database.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1


def test_a_database_of_a_newer_hilum_is_refused(database):
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(HilumError, match="of a newer Hilum"):
            upgrade(database)
    finally:
        with database.writing() as connection:
            connection.execute(text(f"UPDATE alembic_version SET version_num = '{HEAD}'"))


def test_reading_sees_one_moment_and_cannot_write_on_postgresql(site):
    with site.database.reading() as connection:
        before = connection.scalars(select(projects.c.name)).all()
        site.access.create_project(SYSTEM, "ward")
        assert connection.scalars(select(projects.c.name)).all() == before
        if not site.database.is_sqlite:
            with pytest.raises(DBAPIError, match="read-only"):
                connection.execute(update(projects).values(description="x"))


def test_writers_of_many_threads_wait_for_each_other(site):
    def describe():
        with site.database.writing() as connection:
            number = int(connection.scalar(select(projects.c.description).with_for_update()) or 0)
            connection.execute(update(projects).values(description=str(number + 1)))

    threads = [threading.Thread(target=describe) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert site.access.find_project(SYSTEM, "admin").description == "12"


def test_a_long_reader_keeps_no_writer_waiting_while_the_log_is_written_back(empty_sqlite, tmp_path):
    """With SQLite's own patience, writing back would wait 30 s for the reader, and every writer for it."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(empty_sqlite.read_bytes())
    database = Database(f"sqlite:///{path}")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM projects").fetchone()
        with database.writing() as connection:
            connection.execute(text(f"UPDATE alembic_version SET version_num = '{HEAD}'"))
        ended = threading.Thread(target=database.checkpoint)
        ended.start()
        ended.join(10)
        assert not ended.is_alive()
        reader.execute("COMMIT")
    database.checkpoint()
    assert path.with_name("ledger.sqlite-wal").stat().st_size == 0
    database.close()


# --- a hundred thousand instances ----------------------------------------------------------------------------------------------------

MANY = 100_000
BIG = {"instances", "members", "moves"}
SMALL = re.compile("ix_members_(deleted|made)")  # as small as what is deleted, or was made


@pytest.fixture(scope="module")
def big(empty_sqlite, tmp_path_factory, site_type, image):
    """A site on SQLite that holds 100,000 instances in 200 studies."""
    folder = tmp_path_factory.mktemp("big")
    path = folder / "ledger.sqlite"
    path.write_bytes(empty_sqlite.read_bytes())
    database = Database(f"sqlite:///{path}")
    site = site_type(database, folder / "packs")
    site.deliver(*(image(f"1.2.{number}.1.1", f"1.2.{number}", f"1.2.{number}.1") for number in range(200)))
    with database.writing() as connection:
        row = dict(connection.execute(select(members).limit(1)).one()._mapping)
        rows = [{**row, "key": key, "offset": key * 2048, "sha256": key.to_bytes(32, "big")} for key in range(1000, MANY)]
        connection.execute(insert(members), rows)
        held = [
            {"project_id": 1, "series_key": key % 200 + 1, "member_key": key, "sop_instance_uid": f"1.3.{key}"} for key in range(1000, MANY)
        ]
        connection.execute(insert(instances), held)
        connection.execute(text("ANALYZE"))
    yield site
    database.close()


def _plan(site, act):
    """How SQLite goes about what a call asks: a line a table and statement."""
    statements = []

    def remember(_connection, _cursor, statement, parameters, _context, many):
        statements.append((statement, parameters[0] if many else parameters))

    event.listen(site.database.engine, "before_cursor_execute", remember)
    act()
    event.remove(site.database.engine, "before_cursor_execute", remember)
    asked = [one for one in statements if one[0].split(" ", 1)[0] in ("SELECT", "UPDATE", "DELETE")]
    with site.database.reading() as connection:
        return [
            row.detail
            for statement, parameters in asked
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]


def _scans(site, act, big=BIG):
    """The big tables that a call reads from end to end; the index of deleted members is as small as what is deleted."""
    return [step for step in _plan(site, act) if step.startswith("SCAN") and step.split()[1] in big and not SMALL.search(step)]


def _delete_one(site):
    site.eraser.delete_study(SYSTEM, site.study("1.2.7").id, "A wish of the patient.")
    site.eraser.erase_all()


CALLS = {
    "an upload of known and of new images": lambda site, image: site.deliver(
        image("1.2.5.1.1", "1.2.5", "1.2.5.1"), image("1.2.5.1.9", "1.2.5", "1.2.5.1"), report_type="t"
    ),
    "an offer": lambda site, image: site.intakes.offer(SYSTEM, site.start().id, [SentFile("a.dcm", 512, image("1.2.5.1.1").sha256)]),
    "the newest studies": lambda site, image: site.catalogue.list_studies(SYSTEM, StudyFilter(), Page()),
    "a study by its UID": lambda site, image: site.study("1.2.3"),
    "the series of a study": lambda site, image: site.catalogue.list_series(SYSTEM, site.study("1.2.3").id),
    "the instances of a series": lambda site, image: site.catalogue.instances_of(SYSTEM, site.catalogue.list_series(SYSTEM)[0]),
    "the conflicts of a study": lambda site, image: site.catalogue.conflicts(SYSTEM, site.study("1.2.3").id),
    "a due item": lambda site, image: (site.ledger.wake_due(SYSTEM), site.claim()),
    "erasing when nothing is to be erased": lambda site, image: site.eraser.erase_all(),
    "deleting a study": lambda site, image: _delete_one(site),
    "reclaiming": lambda site, image: site.pack_index.reclaim_replaced(),
    "the packs at start": lambda site, image: site.pack_index.list_packs("open"),
    "filling in": lambda site, image: list(map(site.filler.bytes_of, site.filler.series_behind(9, 3, NOW))),
}


@pytest.mark.parametrize("what", CALLS)
def test_no_big_table_is_read_from_end_to_end_for(big, image, what):
    assert _scans(big, lambda: CALLS[what](big, image)) == []


def test_what_was_set_aside_is_found_by_an_index_of_its_own(big):
    """Among millions that were imported: a search through all keys is no SCAN by name, and is one."""
    for page in (Page(), Page(after="7")):
        plan = _plan(big, lambda page=page: big.catalogue.list_set_aside(SYSTEM, page))
        assert any("ix_members_aside" in step for step in plan), plan


def test_retention_looks_only_at_studies_that_are_old(big):
    with big.database.writing() as connection:
        connection.execute(update(projects).values(retention_days=30))
    assert _scans(big, big.retention.retire_due, {"studies"}) == []
    with big.database.writing() as connection:
        connection.execute(update(projects).values(retention_days=None))


def test_a_query_that_reads_a_big_table_from_end_to_end_is_seen(big):
    """Else the tests above could not fail."""

    def look():
        with big.database.reading() as connection:
            connection.execute(select(members.c.key).where(members.c.size == 7))

    assert _scans(big, look) == ["SCAN members"]
