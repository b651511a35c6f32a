"""From packs alone, and from copies: what was acknowledged is there again, bit by bit."""

import sqlite3
import threading
from contextlib import closing

import pytest
from line import open_line, settings_in

from hilum.model.errors import ConflictError, HilumError
from hilum.model.identity import SYSTEM
from hilum.runtime.backing_up import back_up
from hilum.runtime.verifying import verify_vault
from images import image, series_of

FILES = {
    **series_of(range(1, 6)),
    **series_of(range(1, 4), study="1.2.826.9", series="1.2.826.9.1", PatientID="P9"),
    "letter.txt": b"Dear colleague.",
}


@pytest.fixture
def settings(tmp_path):
    return settings_in(tmp_path / "data")


@pytest.fixture
def vault(settings):
    with open_line(settings) as line:
        line.app.access.create_project(SYSTEM, "ward")
        line.upload(FILES, project="ward", dataset="trial-7")
        assert line.importer.step()
    return settings


def _lose_the_ledger(settings):
    for path in settings.data.glob("ledger.sqlite*"):
        path.unlink()


def test_a_lost_ledger_is_rebuilt_from_the_packs_with_every_instance_bit_equal(vault):
    with open_line(vault) as line:
        before = line.held_bytes()
    _lose_the_ledger(vault)
    report = verify_vault(vault, repair=True)
    assert (report.repaired, report.damaged, report.lost) == (len(FILES), [], [])
    assert report.is_sound
    with open_line(vault) as line:
        assert line.held_bytes() == before
        study = line.app.catalogue.find_study(SYSTEM, "1.2.826.9")
        assert (study.project, study.datasets, study.number_of_instances) == ("ward", ("trial-7",), 3)
        (aside,) = line.app.catalogue.set_aside_of_intake(SYSTEM, _only_intake(line))
        assert (aside.file_name, b"".join(line.app.vault.stream(aside.stored))) == ("letter.txt", b"Dear colleague.")
    assert verify_vault(vault).is_sound


def _only_intake(line):
    from sqlalchemy import select

    from hilum.stores.schema import intakes

    with line.app.database.reading() as connection:
        return connection.execute(select(intakes.c.id)).scalar_one()


def test_rebuilding_twice_is_rebuilding_once(vault):
    _lose_the_ledger(vault)
    verify_vault(vault, repair=True)
    assert verify_vault(vault, repair=True).repaired == 0
    with open_line(vault) as line:
        assert len(line.held_bytes()) == len(FILES) - 1


def test_what_was_deleted_does_not_come_back_with_the_packs(vault):
    with open_line(vault) as line:
        line.app.eraser.delete_study(SYSTEM, line.app.catalogue.find_study(SYSTEM, "1.2.826.9").id, "A wish of the patient.")
        line.app.eraser.erase_all()
    _lose_the_ledger(vault)
    verify_vault(vault, repair=True)
    with open_line(vault) as line:
        assert len(line.held_bytes()) == 5


def test_an_older_ledger_learns_from_the_packs_what_came_after_it(vault, tmp_path):
    back_up(vault, tmp_path / "copy.sqlite")
    with open_line(vault) as line:
        line.upload({"6.dcm": image(6)})
        line.importer.step()
        after = line.held_bytes()
    _lose_the_ledger(vault)
    (tmp_path / "copy.sqlite").rename(vault.data / "ledger.sqlite")
    assert verify_vault(vault, repair=True).is_sound
    with open_line(vault) as line:
        assert line.held_bytes() == after


def test_a_damaged_member_is_named_and_nothing_is_hidden(vault):
    (pack,) = vault.packs.glob("*.tar")
    body = bytearray(pack.read_bytes())
    at = body.index(FILES["letter.txt"])
    body[at] ^= 1
    pack.write_bytes(body)
    report = verify_vault(vault)
    assert not report.is_sound
    assert len(report.damaged) == 1
    assert f"Pack {pack.stem} is damaged at {at}" in report.damaged[0]


def test_a_lost_pack_is_named_with_what_it_held(vault):
    (pack,) = vault.packs.glob("*.tar")
    pack.unlink()
    assert verify_vault(vault).lost == [f"Pack {pack.stem} is gone with {len(FILES)} members. Restore its file from a copy."]


# --- copies --------------------------------------------------------------------------------------------------------------------------


def test_a_copy_made_while_everybody_writes_is_one_moment_of_the_ledger(vault, tmp_path):
    with open_line(vault) as line:
        stop = threading.Event()

        def keep_writing():
            while not stop.is_set():
                line.app.intakes.complete(SYSTEM, line.start().id)

        writers = [threading.Thread(target=keep_writing) for _ in range(3)]
        for writer in writers:
            writer.start()
        sizes = [back_up(vault, tmp_path / f"copy-{number}.sqlite") for number in range(5)]
        stop.set()
        for writer in writers:
            writer.join()
    assert all(sizes)
    for number in range(5):
        with closing(sqlite3.connect(tmp_path / f"copy-{number}.sqlite")) as copy:
            assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert copy.execute("PRAGMA foreign_key_check").fetchall() == []
            intakes, items, created = (
                copy.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in ("intakes", "items WHERE kind = 'intake'", "moves WHERE verb = 'create' AND kind = 'intake'")
            )
            assert intakes == items == created
            moved = "SELECT count(*) FROM items WHERE version <> (SELECT count(*) FROM moves WHERE item_id = items.id)"
            assert copy.execute(moved).fetchone() == (0,)


def test_a_copy_overwrites_nothing_and_needs_a_ledger(vault, tmp_path):
    target = tmp_path / "copy.sqlite"
    target.write_bytes(b"precious")
    with pytest.raises(ConflictError):
        back_up(vault, target)
    assert target.read_bytes() == b"precious"
    with pytest.raises(HilumError, match="There is no ledger"):
        back_up(settings_in(tmp_path / "nothing"), tmp_path / "other.sqlite")
