"""An archive that is taken as one upload is there whole and complete, or not at all, whenever its process was killed."""

import os
import uuid

import pytest
from line import open_line, settings_in

from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import Status
from hilum.model.members import MemberNote
from hilum.runtime.preparing import prepare
from hilum.stores import intakes as intakes_module
from hilum.stores.intakes import NewIntake
from hilum.stores.offering import SentFile
from images import series_of

KILLED = 9
INTAKE = str(uuid.UUID(int=7))
ARCHIVE = SentFile("archive.zip", 1234, b"z" * 32)


@pytest.fixture
def settings(tmp_path, database_url):
    return settings_in(tmp_path / "data", database="" if database_url.startswith("sqlite") else database_url)


def _die(*_):
    os._exit(KILLED)


def take_archive(line, *, until):
    """As POST /uploads/archive does, and die `until` that step."""
    line.app.intakes.start_archive(SYSTEM, NewIntake("admin", "uploads", report_type="copied"), INTAKE, ARCHIVE, 0)
    if until == "begun":
        _die()
    with line.received.batch() as batch:
        for name, body in series_of([1, 2, 3]).items():
            with batch.add(MemberNote("admin", "uploads", line.clock(), INTAKE, file_name=name)) as writer:
                writer.write(body)
                writer.commit()
        if until == "written":
            _die()
        if until == "durable":
            intakes_module.index_members = _die
        batch.commit()
    _die()  # before `seal_archive` and the answer


def killed(settings, until):
    prepare(settings)
    pid = os.fork()
    if pid == 0:
        try:
            with open_line(settings, prepared=False) as line:
                line.save_template("copied", active=False)
                take_archive(line, until=until)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == KILLED


@pytest.mark.parametrize("until", ["durable", "indexed"])
def test_killed_after_it_was_durable_it_is_a_complete_upload_with_what_was_asked(settings, until):
    killed(settings, until)
    with open_line(settings) as line:
        assert line.app.ledger.find(SYSTEM, INTAKE).status is Status.READY
        assert line.importer.step()
        intake = line.app.intakes.find(SYSTEM, INTAKE)
        assert (intake.completed_at is not None, intake.report_type, intake.expected_files) == (True, "copied", 1)
        assert line.app.intakes.counts(SYSTEM, INTAKE)["imported"] == 3
        assert [file.name for file in line.app.intakes.list_files(SYSTEM, INTAKE)] == [ARCHIVE.name]


@pytest.mark.parametrize("until", ["begun", "written"])
def test_killed_before_it_was_durable_nothing_stays_of_it(settings, until):
    killed(settings, until)
    with open_line(settings) as line:
        assert not line.importer.step()
        assert line.app.intakes.discard_unkept() == 0
        line.clock.advance(days=300)
        assert line.app.intakes.discard_unkept() == 1
        assert line.app.catalogue.standing(SYSTEM) == []
        assert line.held_bytes() == {}


def test_what_is_kept_is_never_discarded(settings):
    with open_line(settings) as line:
        line.send(series_of([1]))
        open_upload = line.start()
        line.clock.advance(days=300)
        assert line.app.intakes.discard_unkept() == 0
        assert line.app.intakes.find(SYSTEM, open_upload.id).completed_at is None
