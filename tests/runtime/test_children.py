"""Children end: by themselves, by their limits, by a person, and with the worker that started them."""

import os
import select
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from hilum.processors import ChildEnded, Limits
from hilum.runtime.children import GuardedChild, GuardedChildren

MIB = 1024**2
PATIENCE = 20.0


@dataclass
class Place:
    """Where a child runs and writes."""

    scratch: Path
    output: Path

    def start(self, code: str, limits: Limits | None = None) -> GuardedChild:
        limits = limits or Limits(wall_seconds=60)
        return GuardedChildren().start([sys.executable, "-c", code], cwd=self.scratch, output=self.output, limits=limits)

    def ended(self, code: str, limits: Limits | None = None) -> ChildEnded:
        ended = self.start(code, limits).wait(PATIENCE)
        assert ended is not None, "the child did not end in time"
        return ended


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path / "scratch", tmp_path / "output")
    place.scratch.mkdir()
    place.output.mkdir()
    return place


@pytest.fixture
def lifeline(tmp_path: Path):
    """A FIFO that whole process groups hold open for writing; `gone()` waits until nobody does."""
    fifo = tmp_path / "lifeline"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)

    class Lifeline:
        path = fifo

        def read(self) -> bytes:
            assert select.select([reader], [], [], PATIENCE)[0], "nothing came through the lifeline, nor was it let go"
            return os.read(reader, 64)

    yield Lifeline()
    os.close(reader)


def family(lifeline: Path) -> str:
    """A child that starts a grandchild in the background and tells by `2` that both hold the lifeline."""
    shell = f"exec 9>{lifeline}; (exec sleep 600) & printf 2 >&9; exec sleep 600"
    return f"import os; os.execv('/bin/sh', ['sh', '-c', {shell!r}])"


def test_a_child_ends_with_its_status_and_its_last_words(place: Place):
    ended = place.ended("import sys; print('so far', flush=True); sys.exit('it broke')")

    assert (ended.exit_status, ended.stopped) == (1, "")
    assert ended.last_words == "so far\nit broke\n"


def test_a_child_that_is_killed_by_a_signal_tells_it(place: Place):
    assert place.ended("import os; os.kill(os.getpid(), 11)").exit_status == -11


def test_only_the_end_of_many_words_is_kept(place: Place):
    ended = place.ended("print('x' * 5_000_000); print('the end')")

    assert len(ended.last_words) <= 8 * 1024
    assert ended.last_words.endswith("the end\n")


def test_a_child_reads_nothing_from_stdin_and_works_in_its_scratch(place: Place):
    ended = place.ended("import os, sys; print(repr(sys.stdin.read()), os.getcwd())")

    assert ended.last_words.split() == ["''", str(place.scratch)]


def test_a_child_does_not_see_our_settings(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HILUM_ADMIN_TOKEN", "secret")
    ended = place.ended("import os; print('HILUM_ADMIN_TOKEN' in os.environ, os.environ['HOME'])")

    assert ended.last_words.split() == ["False", str(place.scratch)]


def test_a_child_that_takes_too_long_is_stopped_with_its_group(place: Place, lifeline):
    child = place.start(family(lifeline.path), Limits(wall_seconds=1.0))

    ended = child.wait(PATIENCE)

    assert ended is not None and ended.stopped == "time"
    assert lifeline.read() == b"2"
    assert lifeline.read() == b"", "a process of the group outlived the limit"


def test_a_cancelled_child_is_stopped_with_its_group(place: Place, lifeline):
    child = place.start(family(lifeline.path))
    assert lifeline.read() == b"2"
    waited: list[ChildEnded | None] = []
    waiter = threading.Thread(target=lambda: waited.append(child.wait(PATIENCE)))
    waiter.start()

    child.kill()
    child.kill()
    waiter.join(PATIENCE)

    assert waited[0] is not None and waited[0].stopped == "cancelled"
    assert lifeline.read() == b""


def test_what_a_child_leaves_running_ends_with_it(place: Place, lifeline):
    shell = f"exec 9>{lifeline.path}; (exec sleep 600) & printf 2 >&9"
    ended = place.ended(f"import os; os.execv('/bin/sh', ['sh', '-c', {shell!r}])")

    assert (ended.exit_status, ended.stopped) == (0, "")
    assert lifeline.read() == b"2"
    assert lifeline.read() == b""


def test_a_guard_that_is_killed_does_not_leave_its_child(place: Place, lifeline):
    child = place.start(family(lifeline.path))
    assert lifeline.read() == b"2"

    os.kill(child.pid, signal.SIGKILL)
    ended = child.wait(PATIENCE)

    assert ended is not None and ended.exit_status == -9
    assert lifeline.read() == b""


def test_kill_9_of_the_worker_ends_the_whole_group(place: Place, lifeline):
    start = (
        "from pathlib import Path; from hilum.processors import Limits; from hilum.runtime.children import GuardedChildren;"
        f"c = GuardedChildren().start([{sys.executable!r}, '-c', {family(lifeline.path)!r}],"
        f" cwd=Path({str(place.scratch)!r}), output=Path({str(place.output)!r}), limits=Limits());"
        "c.wait()"
    )
    worker = subprocess.Popen([sys.executable, "-c", start])
    assert lifeline.read() == b"2"

    worker.kill()
    worker.wait(PATIENCE)

    assert lifeline.read() == b"", "a process of the group outlived its worker"


def test_a_worker_that_does_not_wait_is_not_held_up(place: Place):
    child = place.start("import time; time.sleep(600)")

    assert child.wait(0.05) is None
    child.kill()
    ended = child.wait(PATIENCE)
    assert ended is not None and ended.stopped == "cancelled"
    assert child.wait(0) == ended


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not enforce RLIMIT_AS")
def test_a_child_gets_no_more_memory_than_its_limit(place: Place):
    ended = place.ended("bytearray(600 * 1024 * 1024)", Limits(memory_bytes=300 * MIB))

    assert ended.exit_status == 1
    assert "MemoryError" in ended.last_words


def test_a_child_that_writes_one_file_too_large_fails(place: Place):
    code = f"open({str(place.output / 'large')!r}, 'wb').write(bytes(3 << 20))"
    ended = place.ended(code, Limits(output_bytes=MIB))

    assert ended.exit_status == 1 or ended.stopped == "output"
    assert (place.output / "large").stat().st_size <= MIB


@pytest.mark.parametrize("where", ["output", "scratch"])
def test_a_child_that_writes_many_files_is_stopped(place: Place, where: str):
    code = f"""
import itertools, time
for number in itertools.count():
    open({str(getattr(place, where))!r} + f"/{{number}}", "wb").write(bytes(64 * 1024)); time.sleep(0.005)
"""
    ended = place.ended(code, Limits(wall_seconds=PATIENCE, output_bytes=MIB))

    assert ended.stopped == "output"


def test_what_lay_in_the_scratch_before_is_not_counted(place: Place):
    (place.scratch / "input").write_bytes(bytes(2 * MIB))
    code = "import time; time.sleep(0.6)"

    assert place.ended(code, Limits(output_bytes=MIB)).stopped == ""


def test_a_command_that_does_not_exist_ends_with_a_word(place: Place):
    child = GuardedChildren().start(["/nowhere/tool"], cwd=place.scratch, output=place.output, limits=Limits())
    ended = child.wait(PATIENCE)

    assert ended is not None and ended.exit_status != 0
    assert "/nowhere/tool" in ended.last_words
