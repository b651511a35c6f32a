"""The supervisor with real processes: it keeps its children alive, ends with all of them, and loses no connection."""

import os
import select
import signal
import socket
import time

import pytest

from hilum.model.errors import HilumError
from hilum.runtime.supervised import read_children
from hilum.runtime.supervising import delay_before_restart, describe_end, listen

PATIENCE = 30.0

WORKER = "report_ready(); say('worker')\nsignal.pause()"
STUBBORN = (
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsubprocess.Popen(['sleep', '600'], pass_fds=[diary])\n"
    "report_ready(); say('stubborn')\ntime.sleep(600)"
)
WEB = """
http = take_socket('http')
report_ready(); say('web')
while True:
    connection, _ = http.accept()
    connection.sendall(str(os.getpid()).encode())
    connection.close()
"""


def ask(port: int) -> int:
    """The process that answered a connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        return int(connection.recv(64))


# --- ready ---


def test_one_line_tells_when_all_children_are_ready(site):
    gate = site.path / "gate"
    os.mkfifo(gate)
    server = site.start(worker=WORKER, slow=f"open({str(gate)!r}).read(); {WORKER}")
    assert site.diary.read()[0] == "worker"
    site.wait_for_state("worker", lambda state: state.is_ready)
    assert server.process.stdout is not None
    assert not select.select([server.process.stdout], [], [], 0.1)[0], "it said something before all were ready"

    gate.write_text("go")

    assert server.read_line().startswith("ready http=http://127.0.0.1:")
    assert server.stop()[1] == "", "it said more than one line"


def test_a_field_that_is_none_is_left_out_of_the_ready_line(site):
    server = site.start(worker=WORKER)

    assert "dimse" not in server.read_line()


def test_what_children_print_does_not_mix_with_the_ready_line(site):
    server = site.start(worker=f"print('chatter', flush=True); {WORKER}")
    server.wait_until_ready()

    _, out, err = server.stop()
    assert out == ""
    assert "chatter" in err


# --- preparing ---


def test_children_start_after_preparing_is_done(site):
    site.start(prepare="time.sleep(0.2); say('prepared')", worker=WORKER).wait_until_ready()

    assert [site.diary.read()[0] for _ in range(2)] == ["prepared", "worker"]


def test_preparing_that_fails_ends_the_start_with_its_sentence(site):
    server = site.start(prepare="print('a log line', file=sys.stderr); sys.exit('The ledger is of a newer version.')", worker=WORKER)

    status, out, err = server.end()

    assert (status, out) == (1, "")
    assert err.splitlines()[-1] == "The ledger is of a newer version."
    site.diary.wait_until_all_ended()


def test_preparing_that_is_killed_ends_the_start_with_a_sentence(site):
    server = site.start(prepare="say('preparing'); signal.pause()", worker=WORKER)
    os.kill(site.diary.read()[1], signal.SIGKILL)

    status, _, err = server.end()

    assert status == 1
    assert "Preparing the data directory ended with signal 9" in err.splitlines()[-1]


def test_a_stop_while_preparing_starts_nothing(site):
    server = site.start(prepare="signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); say('preparing'); signal.pause()", worker=WORKER)
    assert site.diary.read()[0] == "preparing"

    assert server.stop()[0] == 0
    assert site.diary.wait_until_all_ended() == b""


def test_kill_9_while_preparing_ends_it(site):
    server = site.start(prepare="say('preparing'); signal.pause()", worker=WORKER)
    assert site.diary.read()[0] == "preparing"

    server.process.kill()

    site.diary.wait_until_all_ended()


# --- stopping ---


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_everything_quickly_with_status_0(site, number: int):
    server = site.start(web=WEB, worker=WORKER)
    server.wait_until_ready()
    started = time.monotonic()

    assert server.stop(number)[0] == 0

    assert time.monotonic() - started < 5
    site.diary.wait_until_all_ended()
    assert read_children(site.data) == []


def test_children_finish_what_they_do_before_they_end(site):
    finish = "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), say('finished'), sys.exit(0)))"
    server = site.start(worker=f"{finish}; report_ready(); say('worker'); signal.pause()")
    server.wait_until_ready()

    assert server.stop()[0] == 0

    assert [site.diary.read()[0] for _ in range(2)] == ["worker", "finished"]


def test_what_does_not_end_in_time_is_killed_with_its_group(site):
    server = site.start(stubborn=STUBBORN, worker=WORKER, stop_seconds=0.5)
    server.wait_until_ready()
    started = time.monotonic()

    status, _, err = server.stop()

    assert status == 0
    assert 0.5 <= time.monotonic() - started < 5
    assert "stubborn ended with signal 9" in err
    site.diary.wait_until_all_ended()


def test_a_second_signal_does_not_cut_the_stop_short(site):
    finish = "signal.signal(signal.SIGTERM, lambda *_: (say('finishing'), time.sleep(0.5), say('finished'), sys.exit(0)))"
    server = site.start(worker=f"{finish}; report_ready(); say('worker'); signal.pause()")
    server.wait_until_ready()
    site.diary.read()
    server.process.terminate()
    assert site.diary.read()[0] == "finishing"

    assert server.stop()[0] == 0
    assert site.diary.read()[0] == "finished"


def test_a_stopping_server_refuses_connections(site):
    gate = site.path / "gate"
    os.mkfifo(gate)
    finish = f"signal.signal(signal.SIGTERM, lambda *_: (open({str(gate)!r}).read(), sys.exit(0)))"
    server = site.start(web=WEB, worker=f"{finish}; {WORKER}")
    port = server.wait_until_ready()
    server.process.terminate()
    site.wait_for_state("web", lambda state: state.pid is None)

    with pytest.raises(ConnectionRefusedError):
        ask(port)

    gate.write_text("go")
    assert server.end()[0] == 0


def test_a_child_that_waits_for_its_restart_is_not_started_while_stopping(site):
    finish = "signal.signal(signal.SIGTERM, lambda *_: (say('finishing'), time.sleep(1.2), sys.exit(0)))"
    server = site.start(worker=f"{finish}; {WORKER}", broken="say('broken'); sys.exit(3)")
    site.wait_for_state("broken", lambda state: state.restarts >= 3)
    site.wait_for_state("worker", lambda state: state.is_ready)

    assert server.stop()[0] == 0

    words = site.diary.wait_until_all_ended().decode()
    assert "broken" not in words.split("finishing")[1]


# --- kill -9 of the supervisor ---


def test_kill_9_of_the_supervisor_ends_children_and_grandchildren(site):
    family = "subprocess.Popen(['sleep', '600'], pass_fds=[diary])"
    server = site.start(web=WEB, worker=f"{family}; {WORKER}", another=f"{family}; {WORKER}")
    server.wait_until_ready()

    server.process.kill()

    site.diary.wait_until_all_ended()


def test_kill_9_of_the_supervisor_ends_processors(site):
    shell = f"exec 9>{site.diary.path}; echo processor $$ >&9; (sleep 600) & wait"
    processor = (
        "from pathlib import Path; from hilum.processors import Limits; from hilum.runtime.children import GuardedChildren\n"
        f"here = Path({str(site.path)!r}); output = here / 'output'; output.mkdir()\n"
        f"report_ready(); GuardedChildren().start(['sh', '-c', {shell!r}], cwd=output, output=output, limits=Limits()).wait()"
    )
    server = site.start(worker=processor)
    server.wait_until_ready()
    assert site.diary.read()[0] == "processor"

    server.process.kill()

    site.diary.wait_until_all_ended()


def test_kill_9_of_the_supervisor_ends_a_child_that_ignores_sigterm(site):
    server = site.start(stubborn=STUBBORN)
    server.wait_until_ready()

    server.process.kill()

    site.diary.wait_until_all_ended()


def test_a_new_start_waits_for_what_a_killed_one_left(site):
    site.grace_seconds = PATIENCE
    finish = "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(2), say('finished'), sys.exit(0)))"
    first = site.start(worker=f"{finish}; {WORKER}")
    first.wait_until_ready()
    first.process.kill()

    site.start(prepare="say('prepared')", worker=WORKER).wait_until_ready()

    assert [site.diary.read()[0] for _ in range(4)] == ["worker", "finished", "prepared", "worker"]


def test_a_second_start_beside_a_running_one_names_it(site):
    first = site.start(worker=WORKER)
    first.wait_until_ready()

    status, _, err = site.start(worker=WORKER).end()

    assert status == 1
    assert f"is held by `hilum serve --data there` (process {first.process.pid} on" in err


def test_a_private_server_ends_with_its_starter(site):
    liveness, alive = os.pipe()
    server = site.start(worker=WORKER, parent=liveness)
    server.wait_until_ready()

    os.close(alive)

    assert server.end()[0] == 0
    os.close(liveness)
    site.diary.wait_until_all_ended()


# --- kill -9 of a child ---


def test_a_child_that_is_killed_is_started_again_at_once(site):
    server = site.start(worker=WORKER)
    server.wait_until_ready()
    _, first = site.diary.read()
    killed = time.monotonic()

    os.kill(first, signal.SIGKILL)
    _, second = site.diary.read()

    assert second != first
    assert time.monotonic() - killed < 5
    state = site.wait_for_state("worker", lambda state: state.is_ready)
    assert (state.pid, state.restarts, state.last_end[:8]) == (second, 1, "signal 9")
    _, out, err = server.stop()
    assert out == "", "the ready line came twice"
    assert "worker ended with signal 9 (" in err
    assert "perhaps by the kernel for want of memory" in err


def test_what_a_killed_child_started_ends_with_it(site):
    started = str(site.path / "started")
    once = f"if not os.path.exists({started!r}):\n open({started!r}, 'w'); subprocess.Popen(['sleep', '600'], pass_fds=[diary])\n"
    server = site.start(other=once + WORKER)
    server.wait_until_ready()
    os.kill(site.diary.read()[1], signal.SIGKILL)
    _, second = site.diary.read()

    os.kill(server.process.pid, signal.SIGSTOP)  # no third is started, so that nobody but the first one's `sleep` could be left
    os.kill(second, signal.SIGKILL)

    site.diary.wait_until_all_ended()


def test_connections_made_while_the_web_process_is_restarted_are_answered(site):
    server = site.start(web=WEB)
    port = server.wait_until_ready()
    first = ask(port)

    os.kill(first, signal.SIGKILL)
    site.wait_for_state("web", lambda state: state.restarts == 1)  # until it is dead it may take a connection with it
    answers = [ask(port) for _ in range(20)]

    assert first not in answers
    assert len(set(answers)) == 1


def test_a_child_that_always_fails_is_never_given_up_and_readiness_says_so(site):
    server = site.start(worker=WORKER, broken="say('broken'); sys.exit(3)")
    state = site.wait_for_state("broken", lambda state: state.restarts >= 3)

    assert (state.is_ready, state.last_end) == (False, "exit status 3")
    assert site.wait_for_state("worker", lambda state: state.is_ready).restarts == 0
    assert server.process.stdout is not None
    assert not select.select([server.process.stdout], [], [], 0)[0], "ready, although a child is not"


def test_a_child_that_ends_without_an_error_is_started_again_too(site):
    site.start(worker="say('worker')")

    assert site.diary.read()[1] != site.diary.read()[1]


def test_a_command_that_cannot_be_started_does_not_end_the_others(site, monkeypatch: pytest.MonkeyPatch):
    child = site.child
    monkeypatch.setattr(site, "child", lambda code: child(code) if code else ["/nowhere/tool"])
    site.start(worker=WORKER, broken="")

    assert site.wait_for_state("broken", lambda state: state.restarts >= 2).last_end == "no start (No such file or directory)"
    assert site.wait_for_state("worker", lambda state: state.is_ready).restarts == 0


def test_all_children_share_one_wake_signal(site):
    wait = f"waker = Waker.from_environment(); report_ready(); say('waits'); say(waker.wait({PATIENCE})); signal.pause()"
    wake = "Waker.from_environment().wake(); report_ready(); signal.pause()"
    site.start(worker=wait, web=wake)

    assert sorted(site.diary.read()[0] for _ in range(2)) == ["True", "waits"]


def test_the_delays_before_a_restart_double_up_to_five_seconds():
    assert [delay_before_restart(ends) for ends in range(8)] == [0, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5]
    assert delay_before_restart(1_000_000) == 5


def test_an_end_is_described_in_words():
    assert describe_end(3) == "exit status 3"
    assert describe_end(-signal.SIGSEGV).startswith("signal 11 (Segmentation fault")
    assert describe_end(-signal.SIGSEGV).endswith(": a fault in native code)")
    assert describe_end(-40).startswith("signal 40 (")


# --- the listening socket ---


def test_a_port_in_use_is_refused_with_the_mend():
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(HilumError) as caught:
            listen("127.0.0.1", port)

    assert f"127.0.0.1:{port}" in caught.value.sentence
    assert "in use" in caught.value.sentence
    assert "HOST:PORT" in caught.value.mend


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(HilumError, match=r"Cannot listen on 192\.0\.2\.1:80"):  # RFC 5737: an address for documentation
        listen("192.0.2.1", 80)
