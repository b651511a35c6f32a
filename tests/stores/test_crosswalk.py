"""The crosswalk: what pseudonyms stand for, to be read only with a project's key, by those who may see identities."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from hilum.model.crosswalk import Named, Original, SealedRow, Sealer, open_row
from hilum.model.errors import ConflictError, ForbiddenError, HilumError, InvalidError, NotFoundError
from hilum.model.identity import SYSTEM, Role, Scope
from hilum.model.keys import ProjectKey
from hilum.model.lifecycle import Kind
from hilum.model.outcomes import Deidentified, Done
from hilum.stores.crosswalk import Crosswalk, keep_rows
from hilum.stores.erasing import Eraser
from hilum.stores.keys import KeyFiles
from hilum.stores.schema import crosswalk, members, projects

STUDY, OTHER_STUDY = "0b9d9d3e-0000-4000-8000-000000000001", "0b9d9d3e-0000-4000-8000-000000000002"
PSEUDONYM, PLANTED = "2.25.1111", "1.2.826.0.1.3680043.99.7777"
PATIENT = "ABCDEFGHIJKLMNOP"
KNOWN = (
    Original(Named.STUDY, "2.25.1", "1.2.826.0.1.3680043.99.1", {"PatientName": "Plantée^Zoë", "AccessionNumber": "ZQ7-4711"}),
    Original(Named.PATIENT, PATIENT, values={"PatientName": "Plantée^Zoë", "PatientID": "ZQ7-0815"}),
    Original(Named.INSTANCE, PSEUDONYM, PLANTED),
)
VIEWER = Scope("a viewer", {"ward": Role.VIEWER})
DOCTOR = Scope("a doctor", {"ward": Role.VIEWER}, may_see_identity=True)


@pytest.fixture
def keys(tmp_path: Path) -> KeyFiles:
    files = KeyFiles(tmp_path / "keys")
    files.create("ward")
    return files


@pytest.fixture
def shelf(site, keys):
    site.access.create_project(SYSTEM, "ward")
    site.access.direct_project(SYSTEM, "ward", "allowed")
    return Crosswalk(site.database, keys)


def keep(shelf, keys, *originals, study_id=STUDY):
    with shelf.database.writing() as connection:
        project_id = connection.scalar(select(projects.c.id).where(projects.c.name == "ward"))
        sealer = Sealer(keys.find("ward")[-1], "ward", study_id)
        keep_rows(connection, project_id, [sealer.seal(one) for one in originals])


def count(shelf):
    with shelf.database.reading() as connection:
        return connection.scalar(select(func.count()).select_from(crosswalk))


def forget(shelf, study_id=STUDY):
    with shelf.database.writing() as connection:
        return shelf.forget(connection, "ward", study_id)


def test_what_was_kept_is_found_by_its_pseudonym(shelf, keys):
    keep(shelf, keys, *KNOWN)
    for one in KNOWN:
        assert shelf.look_up(DOCTOR, "ward", one.pseudonym) == [one]
    assert shelf.look_up(DOCTOR, "ward", PLANTED) == []


def test_the_same_study_again_adds_nothing_and_its_newest_record_counts(shelf, keys):
    keep(shelf, keys, *KNOWN)
    corrected = replace(KNOWN[0], values={"PatientName": "Planted^Zoe"})
    keep(shelf, keys, corrected, *KNOWN[1:])
    assert count(shelf) == len(KNOWN)
    assert shelf.look_up(DOCTOR, "ward", "2.25.1") == [corrected]


def test_a_rotated_key_seals_new_rows_and_the_old_one_opens_old_rows(shelf, keys):
    keep(shelf, keys, *KNOWN)
    keys.rotate("ward")
    renamed = Original(Named.INSTANCE, "2.25.2222", PLANTED)
    keep(shelf, keys, renamed)
    assert set(shelf.originals(SYSTEM, "ward", STUDY, [PSEUDONYM, "2.25.2222"])) == {PSEUDONYM, "2.25.2222"}
    assert len(set(_column(shelf, crosswalk.c.key_id))) == 2


def _column(shelf, column):
    with shelf.database.reading() as connection:
        return connection.scalars(select(column)).all()


def test_a_missing_key_is_an_error_that_names_the_mend(shelf, keys, tmp_path):
    keep(shelf, keys, *KNOWN)
    without = Crosswalk(shelf.database, KeyFiles(tmp_path / "elsewhere"))
    with pytest.raises(HilumError, match=r"has not the key .*Bring ward\.keys back"):
        without.look_up(DOCTOR, "ward", PSEUDONYM)
    with pytest.raises(HilumError, match="has not the key"):
        without.originals(SYSTEM, "ward", STUDY, ["2.25.404"])  # else it would look as if there were nothing


def test_one_study_is_not_told_what_another_has(shelf, keys):
    keep(shelf, keys, *KNOWN)
    assert shelf.originals(SYSTEM, "ward", OTHER_STUDY, [PSEUDONYM]) == {}
    assert shelf.originals(SYSTEM, "ward", STUDY, [PSEUDONYM, "2.25.404"]) == {PSEUDONYM: KNOWN[2]}


def test_a_row_that_was_moved_or_altered_does_not_open(keys):
    key = keys.find("ward")
    row = Sealer(key[0], "ward", STUDY).seal(KNOWN[2])
    assert open_row(key, "ward", PSEUDONYM, row) == KNOWN[2]
    altered = replace(row, sealed=row.sealed[:-1] + bytes([row.sealed[-1] ^ 1]))
    for project, pseudonym, wrong in (
        ("ward", PSEUDONYM, altered),
        ("ward", "2.25.2222", row),
        ("other", PSEUDONYM, row),
        ("ward", PSEUDONYM, replace(row, owner=bytes(16))),
        ("ward", PSEUDONYM, replace(row, named=Named.SERIES)),
    ):
        with pytest.raises(HilumError, match="damaged or altered"):
            open_row(key, project, pseudonym, wrong)


def test_no_two_rows_look_alike(keys):
    sealer = Sealer(keys.find("ward")[0], "ward", STUDY)
    assert len({sealer.seal(KNOWN[2]).sealed for _ in range(1000)}) == 1000


def test_who_may_not_see_identities_learns_nothing(shelf, keys):
    keep(shelf, keys, *KNOWN)
    for ask in (
        lambda scope: shelf.look_up(scope, "ward", PSEUDONYM),
        lambda scope: shelf.known(scope, "ward", [PSEUDONYM]),
        lambda scope: shelf.originals(scope, "ward", STUDY, [PSEUDONYM]),
    ):
        with pytest.raises(ForbiddenError):
            ask(VIEWER)
        with pytest.raises((ForbiddenError, NotFoundError)):
            ask(Scope("somebody elsewhere", {"lab": Role.ADMIN}, may_see_identity=True))


def test_a_project_that_says_never_looks_nothing_up_and_says_so_from_the_beginning(shelf, keys, site):
    keep(shelf, keys, *KNOWN)
    site.access.direct_project(SYSTEM, "ward", "never")
    with pytest.raises(ForbiddenError, match="may ever be re-identified"):
        shelf.look_up(DOCTOR, "ward", PSEUDONYM)
    assert site.access.create_project(SYSTEM, "lab").reidentification == "never"


def test_the_direction_is_given_by_administrators_who_may_see_identities(site):
    site.access.create_project(SYSTEM, "ward")
    for scope in (DOCTOR, Scope("an administrator", {"ward": Role.ADMIN})):
        with pytest.raises(ForbiddenError):
            site.access.direct_project(scope, "ward", "allowed")
    administrator = Scope("an administrator", {"ward": Role.ADMIN}, may_see_identity=True)
    assert site.access.direct_project(administrator, "ward", "allowed").reidentification == "allowed"
    with pytest.raises(InvalidError):
        site.access.direct_project(administrator, "ward", "perhaps")


def test_a_look_up_is_logged_without_what_was_found(shelf, keys, caplog):
    keep(shelf, keys, *KNOWN)
    with caplog.at_level(logging.INFO):
        shelf.look_up(DOCTOR, "ward", PATIENT)
        shelf.known(DOCTOR, "ward", [PATIENT])
    assert f"a doctor looked up pseudonym {PATIENT} of project ward: 1 found" in caplog.text
    assert "ZQ7" not in caplog.text
    assert "Plant" not in caplog.text


def test_nothing_original_stands_in_the_database(shelf, keys, tmp_path):
    keep(shelf, keys, *KNOWN)
    with shelf.database.reading() as connection:
        rows = connection.execute(select(crosswalk)).all()
    content = b"".join(bytes(part) for row in rows for part in (row.digest, row.owner, row.key_id, row.sealed))
    if shelf.database.is_sqlite:
        shelf.database.checkpoint()
        content += b"".join(path.read_bytes() for path in tmp_path.glob("ledger.sqlite*"))
    for planted in ("ZQ7", "Plant", PLANTED, STUDY):
        assert planted.encode() not in content
        assert planted.encode("utf-16-le") not in content


def test_forgetting_a_study_leaves_what_another_study_shares(shelf, keys):
    keep(shelf, keys, *KNOWN)
    keep(shelf, keys, KNOWN[1], study_id=OTHER_STUDY)
    keys.rotate("ward")
    keep(shelf, keys, Original(Named.INSTANCE, "2.25.2222", PLANTED))
    assert forget(shelf) == []
    assert shelf.look_up(DOCTOR, "ward", PATIENT) == [KNOWN[1]]
    assert count(shelf) == 1


def test_without_a_key_it_is_told_that_rows_may_be_left(shelf, keys, tmp_path):
    keep(shelf, keys, *KNOWN)
    (key,) = keys.find("ward")
    assert forget(Crosswalk(shelf.database, KeyFiles(tmp_path / "elsewhere"))) == [key.id]
    assert count(shelf) == len(KNOWN)


def test_the_answer_of_a_stage_brings_rows_and_deletion_takes_them(site, image, keys, tmp_path):
    site.save_template("copied")
    site.deliver(image("1.2.1.1.1"), report_type="copied")
    workitem = site.match("copied")
    (key,) = [KeyFiles(tmp_path / "keys").create("admin")]
    rows = [Sealer(key, "admin", workitem.study_id).seal(one) for one in KNOWN]
    for _ in range(2):  # sent back, and de-identified again
        change = Deidentified(workitem.id, (), {}, pseudonyms=tuple(rows))
        site.ledger.finish(SYSTEM, site.claim(Kind.WORKITEM), Done("De-identified.", (change,)))
        site.ledger.move(SYSTEM, workitem.id, "send-back", "Again.", workitem.item.stage)
    found = Crosswalk(site.database, keys)
    assert len(found.originals(SYSTEM, "admin", workitem.study_id, [one.pseudonym for one in KNOWN])) == len(KNOWN)

    blind = Eraser(
        site.database, site.clock, tmp_path / "packs", forget_pseudonyms=Crosswalk(site.database, KeyFiles(tmp_path / "no")).forget
    )
    blind.delete_study(SYSTEM, workitem.study_id, "A wish of the patient.")
    with site.database.writing() as connection:  # no bytes are left of it
        connection.execute(update(members).values(study_id=None))
    assert blind.erase_all() == 0  # its rows cannot be found without the key
    assert count(found) == len(KNOWN)
    assert Eraser(site.database, site.clock, tmp_path / "packs", forget_pseudonyms=found.forget).erase_all() == 1
    assert count(found) == 0


def test_keys_that_cannot_be_used_keep_one_deletion_open_and_no_other(site, image, tmp_path):
    keys = KeyFiles(tmp_path / "keys")
    eraser = Eraser(site.database, site.clock, tmp_path / "packs", forget_pseudonyms=Crosswalk(site.database, keys).forget)
    for number, project in enumerate(("ward", "lab"), start=1):
        site.access.create_project(SYSTEM, project)
        site.deliver(image(f"1.2.{number}.1.1", f"1.2.{number}", f"1.2.{number}.1"), project=project)
        study = site.study(f"1.2.{number}")
        with site.database.writing() as connection:
            project_id = connection.scalar(select(projects.c.id).where(projects.c.name == project))
            keep_rows(connection, project_id, [Sealer(keys.create(project), project, study.id).seal(KNOWN[2])])
        eraser.delete_study(SYSTEM, study.id, "A wish of the patient.")
    with site.database.writing() as connection:  # no bytes are left of them
        connection.execute(update(members).values(study_id=None))
    (tmp_path / "keys/ward.keys").chmod(0o644)
    assert eraser.erase_all() == 1
    (tmp_path / "keys/ward.keys").chmod(0o600)
    assert eraser.erase_all() == 1


def test_a_lost_key_is_given_up_and_what_waited_for_it_goes_on(site, shelf, keys, image, tmp_path, caplog):
    site.deliver(image("1.2.1.1.1", "1.2.1", "1.2.1.1"), project="ward")
    study = site.study("1.2.1")
    keep(shelf, keys, *KNOWN, study_id=study.id)
    (lost,) = keys.find("ward")
    (tmp_path / "keys/ward.keys").unlink()
    kept = keys.create("ward")
    keep(shelf, keys, KNOWN[2], study_id=OTHER_STUDY)
    eraser = Eraser(site.database, site.clock, tmp_path / "packs", forget_pseudonyms=shelf.forget)
    eraser.delete_study(SYSTEM, study.id, "A wish of the patient.")
    with site.database.writing() as connection:  # no bytes are left of it
        connection.execute(update(members).values(study_id=None))
    assert eraser.erase_all() == 0

    for scope, key_id, reason, error in (
        (DOCTOR, lost.id, "The disk burnt.", ForbiddenError),
        (SYSTEM, lost.id, " ", InvalidError),
        (SYSTEM, kept.id, "The disk burnt.", ConflictError),
        (SYSTEM, "0" * 16, "The disk burnt.", NotFoundError),
    ):
        with pytest.raises(error):
            shelf.give_up(scope, "ward", key_id, reason)
    assert count(shelf) == len(KNOWN) + 1
    with caplog.at_level(logging.WARNING, "hilum.stores.crosswalk"):
        assert shelf.give_up(SYSTEM, "ward", lost.id, "The disk burnt.") == len(KNOWN)
    assert lost.id in caplog.text
    assert "The disk burnt." in caplog.text
    assert eraser.erase_all() == 1
    assert shelf.originals(SYSTEM, "ward", OTHER_STUDY, [PSEUDONYM]) == {PSEUDONYM: KNOWN[2]}


def test_a_look_up_among_many_rows_goes_through_an_index(site, keys, shelf):
    key = keys.find("ward")[0]
    rows = [SealedRow(number.to_bytes(16, "big"), bytes(16), Named.INSTANCE, key.id, bytes(60)) for number in range(5000)]
    with site.database.writing() as connection:
        project_id = connection.scalar(select(projects.c.id).where(projects.c.name == "ward"))
        keep_rows(connection, project_id, rows)
        if not site.database.is_sqlite:
            return
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT * FROM crosswalk WHERE project_id = 1 AND digest IN (1, 2) AND owner IN (3)"
        )
        assert all("SEARCH" in row.detail for row in plan)
        plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN DELETE FROM crosswalk WHERE project_id = 1 AND owner IN (3)")
        assert all("SEARCH" in row.detail for row in plan)


def test_a_key_prints_no_secret_and_an_original_no_identity():
    assert "7777" not in repr(KNOWN[2])
    assert "Plant" not in repr(KNOWN[0])
    assert "secret" not in repr(ProjectKey.of_secret(bytes(32)))


def test_a_second_row_of_the_same_place_is_left(shelf, keys):
    keep(shelf, keys, KNOWN[2])
    before = _column(shelf, crosswalk.c.sealed)
    keep(shelf, keys, KNOWN[2])
    assert _column(shelf, crosswalk.c.sealed) == before
