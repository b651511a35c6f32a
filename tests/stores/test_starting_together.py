"""Machines that share a database and start at the same time, each with packs of its own."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from line import open_line, settings_in

from hilum.model.identity import SYSTEM
from hilum.runtime.assembling import assemble
from hilum.runtime.preparing import prepare, recover_open_packs
from hilum.stores.database import Database
from hilum.stores.schema import metadata
from images import series_of

MACHINES = 4


@pytest.fixture
def shared(database_url):
    """A database without any table."""
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite is one machine's")
    database = Database(database_url)
    with database.engine.begin() as connection:
        metadata.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE IF EXISTS alembic_version")
    database.close()
    return database_url


@pytest.fixture
def machines(tmp_path, shared):
    return [settings_in(tmp_path / f"machine-{number}", database=shared) for number in range(MACHINES)]


def test_several_first_starts_at_once_make_one_schema(machines):
    with ThreadPoolExecutor(MACHINES) as pool:
        for start in [pool.submit(prepare, settings) for settings in machines]:
            start.result()
    app = assemble(machines[0])
    assert [project.name for project in app.access.list_projects(SYSTEM)] == ["admin"]
    app.close()


def test_a_start_leaves_the_packs_of_another_machine_alone(machines):
    with open_line(machines[0]) as first:
        first.upload(series_of([1]))
        prepare(machines[1])
        second, told = assemble(machines[1]), []
        recover_open_packs(second, told.append)
        assert ([row.state for row in second.pack_index.list_packs()], told) == (["open"], [])
        second.close()


def test_a_machine_erases_from_its_own_packs_only(machines, caplog):
    with open_line(machines[0]) as first:
        intake = first.upload(series_of([1]))
        first.run()
        study = first.study(intake)
        first.received.seal([row.id for row in first.app.pack_index.list_packs()])
        first.app.eraser.delete_study(SYSTEM, study.id, "A wish of the patient.")
        prepare(machines[1])
        second = assemble(machines[1])
        assert second.eraser.erase_all() == 0
        second.close()
        assert "stays in pack" not in caplog.text
        assert first.app.eraser.erase_all() == 1
