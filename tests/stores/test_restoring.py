"""A ledger restored from a copy that is older than an erasing: what was kept is there, what was erased does not come back."""

import pytest
from line import open_line, settings_in

from hilum.model.errors import NotFoundError
from hilum.model.identity import SYSTEM
from hilum.runtime.assembling import open_pool
from hilum.runtime.backing_up import back_up
from hilum.runtime.verifying import verify_vault
from images import series_of

ERASED, KEPT = "1.2.826.66", "1.2.826.77"


def erased():
    return series_of([1, 2, 3], study=ERASED, PatientID="P66")


def kept():
    return series_of([1, 2, 3], study=KEPT, PatientID="P77")


@pytest.fixture
def settings(tmp_path):
    """Two studies in one pack, a copy of the ledger, then one of the studies erased."""
    settings = settings_in(tmp_path / "data")
    with open_line(settings) as line:
        with open_pool(line.app, "received") as line.received:
            line.upload(erased())
            line.upload(kept())
        line.run()
        back_up(settings, tmp_path / "copy.sqlite")
        line.app.eraser.delete_study(SYSTEM, line.app.catalogue.find_study(SYSTEM, ERASED).id, "A wish of the patient.")
        assert line.app.eraser.erase_all() == 1
    return settings


def restore(settings):
    for path in settings.data.glob("ledger.sqlite*"):
        path.unlink()
    (settings.data.parent / "copy.sqlite").rename(settings.data / "ledger.sqlite")


def held(line):
    return sorted(line.held_bytes().values())


def test_what_was_kept_is_readable_and_what_was_erased_does_not_come_back(settings):
    restore(settings)
    with open_line(settings) as line:
        line.run()
        assert held(line) == sorted(kept().values())
        with pytest.raises(NotFoundError):
            line.app.catalogue.find_study(SYSTEM, ERASED)
        line.app.eraser.erase_all()
        (tombstone,) = line.app.eraser.tombstones(SYSTEM)
        assert (tombstone.study_instance_uid, tombstone.number_of_instances) == (ERASED, 3)
        assert tombstone.erased_at is not None
    assert verify_vault(settings).is_sound


def test_what_was_erased_and_sent_again_since_is_kept(settings):
    with open_line(settings) as line, open_pool(line.app, "received") as line.received:
        line.upload(erased())
        line.run()
    restore(settings)
    with open_line(settings) as line:
        line.run()
        line.app.eraser.erase_all()
        assert held(line) == sorted([*kept().values(), *erased().values()])


def test_it_holds_after_several_erasings_too(settings):
    with open_line(settings) as line:
        line.app.eraser.delete_study(SYSTEM, line.app.catalogue.find_study(SYSTEM, KEPT).id, "A wish of the patient.")
        assert line.app.eraser.erase_all() == 1
    restore(settings)
    with open_line(settings) as line:
        assert line.app.eraser.erase_all() == 2
        assert held(line) == []


def test_a_pack_that_is_not_whole_buries_nothing(settings, caplog):
    (pack,) = settings.packs.glob("*.tar")
    body = pack.read_bytes()
    pack.write_bytes(body[:4000])
    restore(settings)
    with open_line(settings) as line:
        assert line.app.eraser.tombstones(SYSTEM) == []
    assert "is not whole" in caplog.text
