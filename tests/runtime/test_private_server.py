"""A private server: ready with its address and token, stopped at the end of the context, ended with its starter."""

import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hilum.runtime.private_server import PrivateServer, PrivateServerError, parse_ready_line

PATIENCE = 30.0

SERVE = """
import sys
from pathlib import Path
from hilum.runtime.holding import DataDirectoryLock
from hilum.runtime.supervised import take_parent
from hilum.runtime.supervising import ChildSpec, Supervisor, listen
_, serve, _, place, _, address, *options = sys.argv
assert serve == "serve" and options == ["--dimse", "off", "--workers", "1"], options
data = Path(place)
lock = DataDirectoryLock.acquire(data, "hilum serve")
(data / "credentials").write_text("secret\\n")
http = listen(*address.split(":"))
child = "import signal; from hilum.runtime.supervised import *; end_with_supervisor(); report_ready(); signal.pause()"
ready = {"http": "http://127.0.0.1:%d" % http.getsockname()[1], "credentials": str(data / "credentials")}
children = [ChildSpec("web", [sys.executable, "-c", child], sockets=("http",))]
sys.exit(Supervisor(children, lock=lock, ready=ready, sockets={"http": http}, parent=take_parent()).run())
"""
OPTIONS = ("--workers", "1")


def python(code: str) -> tuple[str, ...]:
    return sys.executable, "-c", code


def is_listening(url: str) -> bool:
    try:
        socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.fixture(autouse=True)
def no_token_from_outside(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HILUM_ADMIN_TOKEN", raising=False)


def test_a_private_server_listens_in_its_context_and_not_after_it(tmp_path: Path):
    with PrivateServer(tmp_path / "data", OPTIONS, command=python(SERVE)) as server:
        assert server.token == "secret"
        assert is_listening(server.url)

    assert not is_listening(server.url)


def test_the_token_of_the_environment_is_used_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HILUM_ADMIN_TOKEN", "from outside")

    with PrivateServer(tmp_path, OPTIONS, command=python(SERVE)) as server:
        assert server.token == "from outside"


def test_two_private_servers_run_side_by_side(tmp_path: Path):
    with (
        PrivateServer(tmp_path / "one", OPTIONS, command=python(SERVE)) as one,
        PrivateServer(tmp_path / "two", OPTIONS, command=python(SERVE)) as two,
    ):
        assert one.url != two.url


def test_a_server_that_cannot_start_says_why(tmp_path: Path):
    command = python("import sys; print('a log line', file=sys.stderr); sys.exit('The ledger is of a newer version.')")

    with pytest.raises(PrivateServerError) as caught, PrivateServer(tmp_path, command=command):
        pass
    assert caught.value.sentence.endswith(": The ledger is of a newer version.")
    assert str(tmp_path / "server.log") in caught.value.mend


def test_a_server_that_does_not_become_ready_is_stopped(tmp_path: Path):
    command = python("import time; time.sleep(600)")
    server = PrivateServer(tmp_path, command=command, ready_seconds=0.3)

    with pytest.raises(PrivateServerError, match=r"not ready after 0\.3 s"), server:
        pass
    assert server._process is None


def test_kill_9_of_its_starter_ends_the_private_server(tmp_path: Path):
    starter = f"""
import signal
from pathlib import Path
from hilum.runtime.private_server import PrivateServer
with PrivateServer(Path({str(tmp_path)!r}), {OPTIONS!r}, command={python(SERVE)!r}) as server:
    print(server.url, flush=True)
    signal.pause()
"""
    process = subprocess.Popen(python(starter), stdout=subprocess.PIPE)
    assert process.stdout is not None
    url = process.stdout.readline().decode().strip()
    assert is_listening(url)

    process.kill()
    process.communicate()

    with PrivateServer(tmp_path, OPTIONS, command=python(SERVE)):  # it gets the lock, so nobody of the first is left
        assert not is_listening(url)


@pytest.mark.parametrize("line", ["", "\n", "ready\n", "hello http=http://127.0.0.1:1\n", "ready dimse=127.0.0.1:11112\n"])
def test_anything_but_a_ready_line_is_refused(line: str):
    with pytest.raises(PrivateServerError):
        parse_ready_line(line)


def test_fields_of_a_ready_line_are_told_apart():
    line = "ready http=http://127.0.0.1:8080 dimse=127.0.0.1:11112 credentials=/data/credentials\n"

    assert parse_ready_line(line) == {"http": "http://127.0.0.1:8080", "dimse": "127.0.0.1:11112", "credentials": "/data/credentials"}
