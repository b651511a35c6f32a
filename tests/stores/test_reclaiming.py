"""What a later run replaced, or a killed one left, is given up when its workitem has ended; what is pointed to stays."""

import pytest
from counting import Counting
from line import open_line, settings_in

from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import Stage, Status
from hilum.model.members import MemberNote
from hilum.runtime.assembling import open_pool
from hilum.runtime.verifying import verify_vault
from images import series_of

FILES = series_of([1, 2, 3])


@pytest.fixture
def settings(tmp_path):
    return settings_in(tmp_path / "data")


def opened(settings):
    return open_line(settings, processors={"counting": Counting()})


def workitem(line):
    (only,) = line.app.catalogue.list_workitems(SYSTEM)
    return only


def process(line):
    line.save_template("count", active=False)
    line.send(FILES, report_type="count")
    assert workitem(line).item.status is Status.FINISHED


def made(line, item):
    copies = [b"".join(line.app.vault.stream(stored)) for _, _, stored in line.app.catalogue.deidentified(SYSTEM, item.id)]
    results = [b"".join(line.app.vault.stream(one.stored)) for one in line.app.catalogue.artifacts(SYSTEM, item.id)]
    return sorted(copies), results


def test_what_was_made_again_replaces_what_was_made_before(settings):
    with opened(settings) as line:
        process(line)
        before = made(line, workitem(line))
        line.app.decisions.send_back(SYSTEM, workitem(line).id, Stage.DEIDENTIFYING)
        line.run()
        assert line.app.pack_index.reclaim_replaced() == len(FILES) + 1
        assert line.app.pack_index.reclaim_replaced() == 0
    size = sum(path.stat().st_size for path in settings.packs.iterdir())
    with opened(settings) as line:
        line.app.eraser.erase_all()
        assert made(line, workitem(line)) == before
    assert sum(path.stat().st_size for path in settings.packs.iterdir()) < size
    assert verify_vault(settings).is_sound


def test_nothing_is_given_up_while_its_workitem_goes_on(settings):
    with opened(settings) as line:
        process(line)
        line.app.decisions.send_back(SYSTEM, workitem(line).id, Stage.DEIDENTIFYING)
        with open_pool(line.app, "deidentified") as pool:
            pool.store(b"x", MemberNote("admin", "deidentifying", line.clock(), intake_id=workitem(line).id))
        assert line.app.pack_index.reclaim_replaced() == 0


def test_what_a_killed_run_left_is_given_up_when_its_workitem_has_ended(settings):
    with opened(settings) as line:
        process(line)
        with open_pool(line.app, "deidentified") as pool:
            pool.store(b"x", MemberNote("admin", "deidentifying", line.clock(), intake_id=workitem(line).id))
        assert line.app.pack_index.reclaim_replaced() == 1


def test_bytes_that_were_sent_twice_are_kept_twice(settings):
    with opened(settings) as line:
        process(line)
        line.send(FILES)
        assert line.app.pack_index.reclaim_replaced() == 0
