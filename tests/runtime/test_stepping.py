"""A worker whose item is taken from it stops what it does with it."""

import threading

import pytest
from counting import Counting
from line import open_line, settings_in

from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import Status
from images import series_of

PATIENCE = 20


class Endless(Counting):
    """Goes on until it is cancelled."""

    kind = "endless"

    def __init__(self):
        super().__init__()
        self.is_running, self.is_cancelled = threading.Event(), threading.Event()

    def collect(self, ticket):
        self.is_running.set()
        assert self.is_cancelled.wait(PATIENCE), "nobody cancelled it"
        return super().collect(ticket)

    def cancel(self, ticket):
        self.is_cancelled.set()


@pytest.fixture
def endless():
    return Endless()


@pytest.fixture
def line(tmp_path, endless):
    with open_line(settings_in(tmp_path / "data", lease_seconds=0.3), processors={"endless": endless}) as line:
        line.save_template("endless", active=False, processing=[{"processor": "endless"}])
        line.upload(series_of([1]), report_type="endless")
        line.run_until("processing")
        yield line


def test_a_processor_is_cancelled_when_somebody_cancels_its_workitem(line, endless):
    worker = threading.Thread(target=line.worker.step)
    worker.start()
    assert endless.is_running.wait(PATIENCE)
    (workitem,) = line.app.catalogue.list_workitems(SYSTEM)
    line.app.decisions.cancel(SYSTEM, workitem.id)
    worker.join(PATIENCE)
    assert endless.is_cancelled.is_set() and not worker.is_alive()
    assert line.app.catalogue.find_workitem(SYSTEM, workitem.id).item.status is Status.CANCELLED
    assert line.app.catalogue.artifacts(SYSTEM, workitem.id) == []


def test_the_worker_goes_on_with_the_next_item(line, endless):
    test_a_processor_is_cancelled_when_somebody_cancels_its_workitem(line, endless)
    line.upload(series_of([2], study="1.2.826.2"), report_type="endless")
    line.run()
    assert [one.item.status for one in line.app.catalogue.list_workitems(SYSTEM)] == [Status.CANCELLED, Status.FINISHED]
