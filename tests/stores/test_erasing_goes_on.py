"""Whatever stands in the way of one pack, the others are erased; and what a kill left is finished without a start."""

import logging

import pytest
from line import open_line, settings_in

from hilum.model.identity import SYSTEM
from hilum.runtime.assembling import open_pool
from hilum.stores.erasing import ROOM_LEFT, Eraser
from hilum.stores.packs import pack_path, rewrite
from images import series_of

STUDIES = ("1.2.826.1", "1.2.826.2", "1.2.826.3")


@pytest.fixture
def line(tmp_path):
    with open_line(settings_in(tmp_path / "data")) as line:
        yield line


@pytest.fixture
def buried(line):
    """Three deleted studies, each in a sealed pack of its own: study id by pack id, in the order in which they are erased."""
    by_pack = {}
    for uid in STUDIES:
        with open_pool(line.app, "received") as pool:
            line.received = pool
            line.upload(series_of([1, 2], study=uid))
        assert line.worker.step()
        study = line.app.catalogue.find_study(SYSTEM, uid)
        line.app.eraser.delete_study(SYSTEM, study.id, "A wish of the patient.")
        by_pack.update(dict.fromkeys(set(_packs(line)) - set(by_pack), study.id))
    return dict(sorted(by_pack.items()))


def _packs(line):
    return [row.id for row in line.app.pack_index.list_packs()]


def test_a_worker_killed_before_the_ledger_knew_the_new_pack_does_not_stop_erasing(line, buried):
    first = next(iter(buried))
    left = rewrite(pack_path(line.settings.packs, first), lambda _member: True)  # of another deletion: nothing is gone from it
    assert line.app.eraser.erase_all() == 3
    assert left.new_pack_id in _packs(line)
    assert pack_path(line.settings.packs, left.new_pack_id).stat().st_size == 1024  # the end of an archive, and nothing else


@pytest.mark.parametrize("trouble", ["missing", "damaged"])
def test_a_pack_that_cannot_be_rewritten_stops_no_other(line, buried, trouble, caplog):
    first, *others = buried
    path = pack_path(line.settings.packs, first)
    path.unlink() if trouble == "missing" else path.write_bytes(bytes(4096))
    with caplog.at_level(logging.ERROR):
        assert line.app.eraser.erase_all() == 2
        assert line.app.eraser.erase_all() == 0
    assert not line.app.eraser.is_erased(buried[first])
    assert all(line.app.eraser.is_erased(buried[pack_id]) for pack_id in others)
    assert len([record for record in caplog.records if first in record.getMessage()]) == 1


def test_a_round_of_housekeeping_writes_one_pack_and_lets_a_failed_one_rest(line, buried):
    first = next(iter(buried))
    path = pack_path(line.settings.packs, first)
    body = path.read_bytes()
    path.unlink()
    assert [line.app.eraser.erase_next() for _ in range(3)] == [1, 1, 0]
    path.write_bytes(body)
    assert line.app.eraser.erase_next() == 0
    line.clock.advance(minutes=2)
    assert line.app.eraser.erase_next() == 1


def test_a_pack_is_not_begun_where_there_is_no_room_for_what_stays_of_it(line, buried, caplog):
    free = [0]
    eraser = Eraser(line.app.database, line.clock, line.settings.packs, lambda _folder: free[0])
    before = sorted(path.name for path in line.settings.packs.iterdir())
    with caplog.at_level(logging.ERROR):
        assert (eraser.erase_all(), eraser.erase_all()) == (0, 0)
    assert sorted(path.name for path in line.settings.packs.iterdir()) == before
    assert len(caplog.records) == len(buried)
    free[0] = ROOM_LEFT + 10_000
    assert eraser.erase_all() == 3
