"""Deletion on real packs: whole or gone after a kill at any step, nothing of it left anywhere, nothing else touched."""

import os
from contextlib import closing, contextmanager

import pytest
from line import open_line, settings_in
from sqlalchemy import select

from hilum.model.errors import ForbiddenError, InvalidError, NotFoundError
from hilum.model.identity import SYSTEM, Role, Scope
from hilum.model.lifecycle import Kind, Status
from hilum.model.members import MemberNote
from hilum.runtime.assembling import assemble
from hilum.runtime.preparing import prepare
from hilum.stores import erasing
from hilum.stores.catalogue import Page, StudyFilter
from hilum.stores.replies import Reply
from hilum.stores.schema import artifacts, derivatives, files, items, members, metadata, moves, patients, studies
from images import image, series_of

DOOMED, KEPT = "1.2.826.66", "1.2.826.77"
NAME = b"Erase^Me"


def doomed():
    return series_of([1, 2, 3], study=DOOMED, PatientID="P66", PatientName=NAME.decode())


def kept():
    return series_of([1, 2, 3], study=KEPT, PatientID="P77")


@pytest.fixture
def settings(tmp_path, database_url):
    return settings_in(tmp_path / "data", database="" if database_url.startswith("sqlite") else database_url)


@contextmanager
def opened(settings):
    """A line whose templates need no child process: de-identified copies are made, results are not."""
    with open_line(settings) as line:
        yield line


@pytest.fixture
def vault(settings):
    """The doomed study and the kept one in the same packs, both with de-identified copies, everything sealed."""
    with opened(settings) as line:
        line.save_template("copied", active=False, processing=[{"processor": "dcm2niix"}])
        for files_ in (doomed(), kept()):
            line.upload(files_, report_type="copied")
            line.run_until("processing")
            item = line.app.ledger.claim(SYSTEM, "nobody", settings.lease, (Kind.WORKITEM,))
            line.app.decisions.cancel(SYSTEM, item.id)
    return settings


def _study(app, uid):
    return app.catalogue.find_study(SYSTEM, uid)


def _bytes_on_disk(settings):
    return b"".join(path.read_bytes() for path in sorted(settings.packs.iterdir()) if path.is_file())


def _check_kept(line):
    held = line.held_bytes()
    for body in kept().values():
        assert body in held.values()
    (workitem,) = line.workitems(_study(line.app, KEPT))
    copies = [b"".join(line.app.vault.stream(stored)) for _, _, stored in line.app.catalogue.deidentified(SYSTEM, workitem.id)]
    assert sorted(copies) == sorted(kept().values())


def _check_gone(line, study_id):
    assert line.app.eraser.is_erased(study_id)
    assert NAME not in _bytes_on_disk(line.settings)
    with line.app.database.reading() as connection:
        for column in (studies.c.id, items.c.id, moves.c.item_id, members.c.study_id):
            assert connection.scalar(select(column).where(column == study_id)) is None
        assert connection.scalars(select(patients.c.patient_id)).all() == ["P77"]
        for table in (derivatives, artifacts):
            assert connection.scalar(select(table.c.workitem_id).where(table.c.workitem_id.not_in(select(items.c.id)))) is None


def test_a_deleted_study_is_out_of_sight_at_once_and_its_bytes_go_with_the_next_round(vault):
    with opened(vault) as line:
        study = _study(line.app, DOOMED)
        assert NAME in _bytes_on_disk(vault)
        line.app.eraser.delete_study(SYSTEM, study.id, "A wish of the patient.")
        with pytest.raises(NotFoundError):
            _study(line.app, DOOMED)
        assert line.workitems(study) == []
        assert not line.app.eraser.is_erased(study.id)
        assert line.app.eraser.erase_all() == 1
        _check_gone(line, study.id)
        _check_kept(line)
        (tombstone,) = line.app.eraser.tombstones(SYSTEM)
        assert (tombstone.study_instance_uid, tombstone.number_of_instances, tombstone.reason) == (DOOMED, 3, "A wish of the patient.")
        assert tombstone.erased_at is not None


def test_nothing_of_it_stays_in_the_ledger_s_own_file(vault):
    if vault.database:
        pytest.skip("PostgreSQL takes back its pages by itself (VACUUM)")
    with opened(vault) as line:
        line.app.eraser.delete_study(SYSTEM, _study(line.app, DOOMED).id, "A wish of the patient.")
        line.app.eraser.erase_all()
        line.app.database.checkpoint()
        assert NAME not in (vault.data / "ledger.sqlite").read_bytes()
        assert b"P66" not in (vault.data / "ledger.sqlite").read_bytes()


def test_the_same_images_can_be_sent_again_at_once(vault):
    with opened(vault) as line:
        old = _study(line.app, DOOMED)
        line.app.eraser.delete_study(SYSTEM, old.id, "Sent by mistake.")
        intake = line.upload(doomed(), report_type="copied")
        assert line.importer.step()
        assert line.app.intakes.counts(SYSTEM, intake.id)["imported"] == 3
        line.app.eraser.erase_all()
        new = _study(line.app, DOOMED)
        assert new.id != old.id
        assert set(doomed().values()) <= set(line.held_bytes().values())
        assert line.app.eraser.is_erased(old.id)


def test_a_deletion_needs_a_reason_and_an_administrator(vault):
    with opened(vault) as line:
        study = _study(line.app, DOOMED)
        with pytest.raises(InvalidError, match="A deletion needs a reason"):
            line.app.eraser.delete_study(SYSTEM, study.id, "  ")
        with pytest.raises(ForbiddenError):
            line.app.eraser.delete_study(Scope("an operator", {"admin": Role.OPERATOR}), study.id, "Because.")
        assert _study(line.app, DOOMED) == study


def test_a_sender_s_file_names_go_with_the_study(vault):
    with opened(vault) as line:
        line.app.eraser.delete_study(SYSTEM, _study(line.app, DOOMED).id, "A wish of the patient.")
        line.app.eraser.erase_all()
        with line.app.database.reading() as connection:
            assert len(connection.execute(select(files)).all()) == len(kept())


def test_what_a_worker_makes_of_a_study_that_is_deleted_meanwhile_goes_too(vault):
    with opened(vault) as line, line_pool(line) as pool:
        study = _study(line.app, DOOMED)
        (workitem,) = line.workitems(study)
        line.app.eraser.delete_study(SYSTEM, study.id, "A wish of the patient.")
        line.app.eraser.erase_all()
        note = MemberNote(project="admin", door="deidentifying", received_at=line.clock(), intake_id=workitem.id, sop_instance_uid="1.2.3")
        pool.store(doomed().popitem()[1], note)
        pool.close()
        assert NAME in _bytes_on_disk(vault)
        line.app.eraser.erase_all()
        _check_gone(line, study.id)
        _check_kept(line)


def line_pool(line):
    from hilum.runtime.assembling import open_pool

    return open_pool(line.app, "deidentified")


def test_a_deleted_set_aside_member_leaves_its_pack_and_the_others_stay(vault):
    letter = b"Dear Mrs. " + NAME
    with opened(vault) as line:
        intake = line.upload({"letter.txt": letter, "9.dcm": image(9, study=KEPT, PatientID="P77")})
        assert line.importer.step()
    with opened(vault) as line:
        (aside,) = line.app.catalogue.set_aside_of_intake(SYSTEM, intake.id)
        line.app.eraser.delete_set_aside(SYSTEM, aside.key)
        assert line.app.catalogue.set_aside_of_intake(SYSTEM, intake.id) == []
        line.app.eraser.erase_all()
        assert letter not in _bytes_on_disk(vault)
        assert line.app.intakes.counts(SYSTEM, intake.id)["received"] == 1
        assert image(9, study=KEPT, PatientID="P77") in line.held_bytes().values()


def test_retention_buries_what_is_older_than_its_project_keeps(settings):
    with opened(settings) as line:
        line.app.access.create_project(SYSTEM, "trial", retention_days=30)
        line.send(kept(), project="trial", report_type="unknown, so that it goes no further")
        line.send(doomed(), report_type="unknown, so that it goes no further")
        line.clock.advance(days=29)
        assert line.app.retention.retire_due() == 0
        line.clock.advance(days=2)
        assert line.app.retention.retire_due() == 1
        left = line.app.catalogue.list_studies(SYSTEM, StudyFilter(), Page())
        assert [study.study_instance_uid for study in left] == [DOOMED]
        (tombstone,) = line.app.eraser.tombstones(SYSTEM)
        assert tombstone.reason == "Kept for 30 days, as its project says."


def test_retention_forgets_the_replies_in_which_the_study_stands(settings):
    with opened(settings) as line:
        line.app.access.create_project(SYSTEM, "trial", retention_days=30)
        line.send(kept(), project="trial", report_type="unknown, so that it goes no further")
        line.clock.advance(days=31)
        line.app.replies.keep("a sender", "a key", b"1" * 32, Reply(202, f'{{"id": "{_study(line.app, KEPT).id}", "patient_id": "P77"}}'))
        line.app.replies.keep("a sender", "another", b"2" * 32, Reply(202, "{}"))
        assert line.app.retention.retire_due() == 1
        assert line.app.replies.find("a sender", "a key", b"1" * 32) is None
        assert line.app.replies.find("a sender", "another", b"2" * 32) is not None


def test_a_reply_that_a_deletion_overtook_is_not_kept_but_that_of_the_deletion_is(settings):
    with opened(settings) as line:
        line.send(doomed(), report_type="unknown, so that it goes no further")
        study_id = _study(line.app, DOOMED).id
        line.app.eraser.delete_study(SYSTEM, study_id, "A wish of the patient.")
        line.app.replies.keep("a sender", "a key", b"1" * 32, Reply(202, f'{{"id": "{study_id}", "patient_id": "P66"}}'))
        line.app.replies.keep("a person", "the key", b"2" * 32, Reply(200, f'{{"study": "{study_id}"}}'), is_of_deletion=True)
        assert line.app.replies.find("a sender", "a key", b"1" * 32) is None
        assert line.app.replies.find("a person", "the key", b"2" * 32) is not None


# --- killed at every step ------------------------------------------------------------------------------------------------------------

STEPS = ("_stop_items", "_free_identifiers", "rewrite", "_switch", "remove", "forget_study")
KILLED = 7


def _delete_and_die(settings, step, moment):
    """In a child process: delete and erase, and die before or after the first call of a step. Nothing is cleaned up."""
    pid = os.fork()
    if pid:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == KILLED
        return
    try:
        original = getattr(erasing, step)

        def dying(*arguments, **options):
            if moment == "after":
                original(*arguments, **options)
            os._exit(KILLED)

        setattr(erasing, step, dying)
        app = assemble(settings)
        app.eraser.delete_study(SYSTEM, _study(app, DOOMED).id, "A wish of the patient.")
        app.eraser.erase_all()
    finally:
        os._exit(1)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_the_study_is_whole_or_gone(vault, step, moment):
    with closing(assemble(vault)) as app:
        study_id = _study(app, DOOMED).id
    _delete_and_die(vault, step, moment)
    prepare(vault)
    with opened(vault) as line:
        found = line.app.catalogue.list_studies(SYSTEM, StudyFilter(study_instance_uid=DOOMED), Page())
        if found:
            assert step in ("_stop_items", "_free_identifiers"), "it was buried"
            assert found[0].item.status is not Status.CANCELLED
            assert set(doomed().values()) <= set(line.held_bytes().values())
        else:
            line.app.eraser.erase_all()
            _check_gone(line, study_id)
        _check_kept(line)


def test_the_tables_of_a_deleted_study_are_all_thought_of():
    """A new table that hangs on a study, a workitem or an instance must go with it: by its foreign key, or by name in erasing."""
    by_name = {"items", "moves", "members", "files", "patients", "studies", "tombstones"}
    by_key = {table.name for table in metadata.sorted_tables if any(key.ondelete == "CASCADE" for key in table.foreign_keys)}
    about_a_study = {
        table.name
        for table in metadata.sorted_tables
        if {"study_id", "workitem_id", "series_key", "sop_instance_uid", "patient_id"} & set(table.c.keys())
    }
    assert about_a_study <= by_name | by_key
