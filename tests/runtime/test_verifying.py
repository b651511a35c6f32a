"""`hilum verify`: one pack's trouble hides no other's, what is repaired can be worked with, nothing is erased by itself."""

import os

import pytest
from line import open_line, settings_in

from hilum.model.identity import SYSTEM
from hilum.model.members import MemberNote
from hilum.runtime.assembling import assemble, open_pool
from hilum.runtime.backing_up import back_up
from hilum.runtime.preparing import prepare
from hilum.runtime.verifying import give_up_orphaned, verify_vault
from hilum.stores.packs import pack_path, recover, rewrite
from images import series_of

RESULT = b"a result that cannot be made again" * 50
UNKNOWN_WORKITEM = "0" * 36


@pytest.fixture
def settings(tmp_path):
    return settings_in(tmp_path / "data")


def lose_the_ledger(settings):
    for path in settings.data.glob("ledger.sqlite*"):
        path.unlink()


def torn_pack(settings):
    """A pack without a ledger whose process was killed while it wrote: three images, and a part of what followed."""
    with open_line(settings) as line:
        line.upload(series_of([1, 2, 3]))
    lose_the_ledger(settings)
    (pack,) = settings.packs.glob("*.tar")
    with pack.open("r+b") as file:
        file.truncate(pack.stat().st_size - 1024)
        file.seek(0, os.SEEK_END)
        file.write(bytes(2560) + b"torn")
    return pack


def test_a_torn_pack_that_was_repaired_can_be_erased_from(settings):
    torn_pack(settings)
    report = verify_vault(settings, repair=True)
    assert (report.repaired, report.is_sound) == (3, True)
    assert all("It was indexed." in sentence for sentence in report.unindexed)
    with open_line(settings) as line:
        line.run()
        line.app.eraser.delete_study(SYSTEM, line.app.catalogue.find_study(SYSTEM, "1.2.826.1").id, "A wish of the patient.")
        assert line.app.eraser.erase_all() == 1


def test_a_pack_that_was_called_sealed_and_is_torn_is_cut_and_sealed(settings):
    with open_line(settings) as line:
        line.upload(series_of([1, 2, 3]))
    (pack,) = settings.packs.glob("*.tar")
    with pack.open("r+b") as file:
        file.truncate(pack.stat().st_size - 512)
    assert verify_vault(settings, repair=True).is_sound
    assert recover(pack).size == pack.stat().st_size


def test_a_pack_that_cannot_be_read_and_a_stray_file_hide_no_other(settings):
    with open_line(settings) as line:
        line.upload(series_of([1]))
    (settings.packs / "copy.tar").write_bytes(b"a person's own")
    (settings.packs / "00000000-0000-4000-8000-000000000000.tar").mkdir()
    report = verify_vault(settings)
    assert (report.packs, report.members, len(report.damaged)) == (1, 1, 1)
    assert "Pack 00000000-0000-4000-8000-000000000000 cannot be read" in report.damaged[0]


def test_what_a_running_server_has_just_replaced_is_no_trouble(settings):
    with open_line(settings) as line:
        line.upload(series_of([1, 2, 3]))
    (pack,) = settings.packs.glob("*.tar")
    rewrite(pack, lambda _member: True)  # and not yet switched to
    assert verify_vault(settings).is_sound
    lose_the_ledger(settings)
    assert verify_vault(settings, repair=True).repaired == 3


def test_a_result_of_a_workitem_that_an_older_ledger_does_not_know_is_kept_and_shown(settings, tmp_path):
    prepare(settings)
    back_up(settings, tmp_path / "copy.sqlite")
    app = assemble(settings)
    with open_pool(app, "results") as pool:
        note = MemberNote("admin", "processing", app.clock(), intake_id=UNKNOWN_WORKITEM, name="report.pdf")
        member = pool.store(RESULT, note)
    app.close()
    lose_the_ledger(settings)
    (tmp_path / "copy.sqlite").rename(settings.data / "ledger.sqlite")
    with open_line(settings) as line:
        line.app.eraser.erase_all()
        assert line.app.vault.read(member) == RESULT
    report = verify_vault(settings)
    assert report.is_sound
    (sentence,) = report.orphaned
    assert sentence.startswith(f"Pack {member.pack_id} holds report.pdf at {member.offset}, made by workitem {UNKNOWN_WORKITEM}")
    assert pack_path(settings.packs, member.pack_id).exists()
    assert give_up_orphaned(settings) == 1
    with open_line(settings) as line:
        line.app.eraser.erase_all()
    assert not any(RESULT in path.read_bytes() for path in settings.packs.iterdir())
    assert verify_vault(settings).orphaned == []
