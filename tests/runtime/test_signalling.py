"""The wake signal: across threads and processes, never blocking, never lost, ended by a stop."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from hilum.model.errors import HilumError
from hilum.runtime.signalling import MOST_PENDING, Waker

PATIENCE = 20.0


@pytest.fixture
def waker():
    waker = Waker.create()
    yield waker
    waker.close()


def in_child(code: str, waker: Waker, **options) -> "subprocess.Popen[bytes]":
    code = f"import sys; from hilum.runtime.signalling import Waker; waker = Waker.from_environment(); {code}"
    environment = {**os.environ, **waker.environment}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, pass_fds=waker.descriptors, stdout=subprocess.PIPE, **options)


def test_a_wait_without_a_signal_ends_after_its_time(waker: Waker):
    assert waker.wait(0.01) is False


def test_a_signal_before_the_wait_is_not_lost(waker: Waker):
    waker.wake()

    assert waker.wait(PATIENCE) is True
    assert waker.wait(0) is False


def test_a_waiting_thread_is_woken(waker: Waker):
    woken: list[bool] = []
    thread = threading.Thread(target=lambda: woken.append(waker.wait(PATIENCE)))
    thread.start()

    waker.wake()
    thread.join(PATIENCE)

    assert woken == [True]


def test_one_signal_wakes_one_of_many_workers(waker: Waker):
    woken: list[bool] = []
    threads = [threading.Thread(target=lambda: woken.append(waker.wait(0.3))) for _ in range(8)]
    for thread in threads:
        thread.start()

    waker.wake()
    for thread in threads:
        thread.join(PATIENCE)

    assert sorted(woken) == [False] * 7 + [True]


def test_a_child_wakes_its_starter(waker: Waker):
    child = in_child("waker.wake()", waker)

    assert waker.wait(PATIENCE) is True
    assert child.wait(PATIENCE) == 0


def test_a_waiting_child_is_woken(waker: Waker):
    child = in_child(f"print(waker.wait({PATIENCE}))", waker)

    waker.wake()

    assert child.communicate(timeout=PATIENCE)[0] == b"True\n"


def test_a_burst_neither_blocks_nor_keeps_the_workers_busy_afterwards(waker: Waker):
    for _ in range(100_000):
        waker.wake()

    times = 0
    while waker.wait(0):
        times += 1
    assert times == MOST_PENDING


def test_a_full_pipe_is_no_trouble(waker: Waker, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("hilum.runtime.signalling.MOST_PENDING", 1 << 30)
    for _ in range(100_000):
        waker.wake()

    assert waker.wait(PATIENCE) is True


def test_an_interrupt_ends_all_waits_and_those_to_come(waker: Waker):
    woken: list[bool] = []
    threads = [threading.Thread(target=lambda: woken.append(waker.wait(PATIENCE))) for _ in range(2)]
    for thread in threads:
        thread.start()

    waker.interrupt()
    for thread in threads:
        thread.join(PATIENCE / 2)
    waker.wake()

    assert woken == [False, False]
    assert waker.wait(PATIENCE) is False


def test_a_signal_handler_may_interrupt(waker: Waker):
    code = "import signal; signal.signal(signal.SIGTERM, lambda *_: waker.interrupt()); print('waits', flush=True); print(waker.wait(600))"
    child = in_child(code, waker)
    assert child.stdout is not None and child.stdout.readline() == b"waits\n"

    child.send_signal(signal.SIGTERM)

    assert child.communicate(timeout=PATIENCE)[0] == b"False\n"


def test_an_interrupted_process_leaves_the_signal_to_others(waker: Waker):
    child = in_child("waker.interrupt(); print(waker.wait(0))", waker)
    assert child.communicate(timeout=PATIENCE)[0] == b"False\n"

    waker.wake()

    assert waker.wait(PATIENCE) is True


def test_a_part_of_the_server_started_alone_says_what_to_start():
    with pytest.raises(HilumError, match="hilum serve"):
        Waker.from_environment({})
