"""What a start finds: packs of killed processes, files of people, packs that cannot be read."""

import os

import pytest
from line import open_line, settings_in

from hilum.model.identity import SYSTEM
from hilum.runtime.assembling import assemble, open_pool
from hilum.runtime.preparing import prepare, recover_open_packs
from images import series_of

KILLED = 9


@pytest.fixture
def settings(tmp_path):
    return settings_in(tmp_path / "data")


def upload_and_die(settings, *studies):
    """Upload studies, each in a process of its own that is killed: nothing is closed, nothing is sealed."""
    for study in studies:
        pid = os.fork()
        if pid:
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == KILLED
            continue
        try:
            with open_line(settings, prepared=False) as line:
                line.upload(series_of([1, 2], study=study))
                os._exit(KILLED)
        finally:
            os._exit(1)


def states(app):
    return [row.state for row in app.pack_index.list_packs()]


def test_the_pack_of_a_killed_process_is_sealed_while_the_server_goes_on(settings):
    prepare(settings)
    upload_and_die(settings, "1.2.826.1")
    with open_line(settings, prepared=False) as line:
        line.run()
        study = line.app.catalogue.find_study(SYSTEM, "1.2.826.1")
        line.app.eraser.delete_study(SYSTEM, study.id, "A wish of the patient.")
        assert line.app.eraser.erase_all() == 0
        recover_open_packs(line.app)
        assert line.app.eraser.erase_all() == 1


def test_a_pack_that_somebody_writes_is_left_alone(settings):
    with open_line(settings) as line:
        line.upload(series_of([1]))
        told = []
        recover_open_packs(line.app, told.append)
        assert (states(line.app), told) == (["open"], [])
        line.upload(series_of([2]))
        line.run()
        assert len(line.held_bytes()) == 2


def test_a_stray_file_among_the_packs_does_not_stop_the_start(settings):
    with open_line(settings) as line:
        line.upload(series_of([1]))
    (settings.packs / "copy.tar").write_bytes(b"a person's own")
    (settings.packs / "copy.tar.rewriting").write_bytes(b"a person's own")
    prepare(settings)
    assert (settings.packs / "copy.tar").read_bytes() == b"a person's own"
    assert (settings.packs / "copy.tar.rewriting").exists()


def test_one_pack_that_cannot_be_read_does_not_stop_the_start_nor_the_others(settings, caplog):
    prepare(settings)
    upload_and_die(settings, "1.2.826.1", "1.2.826.2", "1.2.826.3")
    first, second, _third = sorted(settings.packs.glob("*.tar"))
    os.truncate(first, 600)
    second.unlink()
    prepare(settings)
    app = assemble(settings)
    assert sorted(states(app)) == ["open", "open", "sealed"]
    for path in (first, second):
        assert path.stem in caplog.text
    app.close()


def test_packs_are_adopted_in_the_order_in_which_they_were_received(settings):
    conflicting = [series_of([1], PatientName=f"Name^{number}") for number in range(6)]
    with open_line(settings) as line:
        for files in conflicting:
            with open_pool(line.app, "received") as line.received:
                line.upload(files)
        line.run()
        before = line.held_bytes()
    for path in settings.data.glob("ledger.sqlite*"):
        path.unlink()
    with open_line(settings) as line:
        line.run()
        assert line.held_bytes() == before == {"1.2.826.1.1.1": conflicting[0]["001.dcm"]}
