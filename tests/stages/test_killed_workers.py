"""A worker that is killed at any moment: its stage runs again, and what it makes appears once."""

import os
import random
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from line import Line, open_line, settings_in
from sqlalchemy import func, select

from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import Status
from hilum.stores.schema import artifacts, derivatives, instances, receipts
from images import read_folder, series_of

KILLS = 10
ATTEMPTS = 100  # all kills may fall into one stage, which is not to be given up here
SUPPORT = Path(__file__).parent.parent / "support"

# The child says each step that begins; the test kills it soon after one of them.
WORKER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from counting import Counting
from hilum.model.identity import SYSTEM
from line import open_line, settings_in
with open_line(settings_in(Path(sys.argv[1]), attempts=100), processors={"counting": Counting()}) as line:
    line.clock.advance(days=float(sys.argv[3]))  # whatever was deferred or leased before is due
    while True:
        line.app.ledger.wake_due(SYSTEM)
        print("step", flush=True)
        if not line.worker.step():
            break
print("through", flush=True)
"""


def _work_and_die(settings, days: int, chance: random.Random) -> bool:
    """Whether the worker came through before it was to be killed."""
    command = [sys.executable, "-c", WORKER, str(settings.data), str(SUPPORT), str(days)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as child:
        for _ in range(chance.randint(1, 3)):
            if child.stdout.readline() != "step\n":
                return child.wait() == 0
        try:
            child.wait(chance.uniform(0, 0.05))  # a moment within the step
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
    return False


def _prepare(line: Line, profile: str) -> None:
    line.save_template("count", active=False, deidentification=profile, destinations=[{"destination": "folder"}])
    line.upload(series_of(range(1, 40)), report_type="count")


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["keep", "basic"])
def test_killed_ten_times_the_worker_leaves_every_instance_and_every_result_once(tmp_path, profile):
    settings, chance = settings_in(tmp_path / "data", attempts=ATTEMPTS), random.Random(17)
    with open_line(settings) as line:
        _prepare(line, profile)
    killed = sum(not _work_and_die(settings, days, chance) for days in range(1, KILLS + 1))
    assert killed >= 3, "the worker was through too early for this to tell anything"
    assert _is_through(settings)
    with open_line(settings) as line:
        study = line.app.catalogue.find_study(SYSTEM, "1.2.826.1")
        (workitem,) = line.workitems(study)
        assert (study.revision, workitem.item.status) == (1, Status.FINISHED)
        assert sorted(line.held_bytes().values()) == sorted(series_of(range(1, 40)).values())
        with line.app.database.reading() as connection:
            numbers = [
                connection.scalar(select(func.count()).select_from(table)) for table in (instances, derivatives, artifacts, receipts)
            ]
        assert numbers == [39, 39, 1, 1]
    delivered = read_folder(settings.delivered_folder)
    assert sorted(Path(name).name for name in delivered) == ["count.txt", "manifest.json"]


def _is_through(settings) -> bool:
    command = [sys.executable, "-c", WORKER, str(settings.data), str(SUPPORT), str(KILLS + 1)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.endswith("through\n")


def test_an_item_whose_workers_die_each_time_is_failed_and_not_tried_for_ever(line):
    intake = line.upload(series_of([1]))
    for _ in range(line.settings.attempts):
        line.app.ledger.claim(SYSTEM, "a worker that dies", timedelta(seconds=60))
        line.clock.advance(minutes=2)
        line.app.ledger.wake_due(SYSTEM)
    assert line.worker.step()
    item = line.app.ledger.find(SYSTEM, intake.id)
    assert item.status is Status.FAILED
    assert item.why.startswith("importing ended its worker each time.")
