"""A place where supervisors run with tiny children, and a FIFO that tells what these say and when the last of them has ended."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hilum.runtime.supervised import ChildState, read_children

PATIENCE = 30.0

CHILD = """
import os, signal, socket, subprocess, sys, time
from hilum.runtime.supervised import end_with_supervisor, report_ready, take_socket
from hilum.runtime.signalling import Waker
end_with_supervisor(grace_seconds={grace_seconds!r})
diary = os.open({diary!r}, os.O_WRONLY)
def say(word): os.write(diary, f"{{word}} {{os.getpid()}}\\n".encode())
"""
SERVER = """
import sys, logging
from pathlib import Path
from hilum.model.errors import HilumError
from hilum.runtime.holding import DataDirectoryLock
from hilum.runtime.supervised import take_parent
from hilum.runtime.supervising import ChildSpec, Supervisor, listen
logging.basicConfig(level="INFO")
CHILDREN, PREPARE, STOP_SECONDS = {children!r}, {prepare!r}, {stop_seconds!r}
try:
    lock = DataDirectoryLock.acquire(Path({place!r}), "hilum serve --data there")
except HilumError as error:
    sys.exit(str(error))
http = listen("127.0.0.1", 0)
sys.exit(Supervisor(
    [ChildSpec(name, command, sockets=("http",) if name == "web" else ()) for name, command in CHILDREN.items()],
    lock=lock,
    ready={{"http": f"http://127.0.0.1:{{http.getsockname()[1]}}", "dimse": None}},
    sockets={{"http": http}},
    prepare=PREPARE,
    parent=take_parent(),
    stop_seconds=STOP_SECONDS,
).run())
"""


class Diary:
    """A FIFO that every child holds open for writing: it reads what they say, and tells when the last of them has ended."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = str(path)
        self._reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._own_writer: int | None = os.open(path, os.O_WRONLY)  # between two children there is no end of file
        self._said = b""

    def read(self) -> tuple[str, int]:
        """The next word and who said it."""
        while b"\n" not in self._said:
            self._said += self._read()
        line, self._said = self._said.split(b"\n", 1)
        word, pid = line.decode().rsplit(" ", 1)
        return word, int(pid)

    def wait_until_all_ended(self) -> bytes:
        """What was said and not yet read."""
        self._close_own_writer()
        while said := self._read():
            self._said += said
        return self._said

    def close(self) -> None:
        self._close_own_writer()
        os.close(self._reader)

    def _read(self) -> bytes:
        assert select.select([self._reader], [], [], PATIENCE)[0], "nobody says anything, nor have all of them ended"
        return os.read(self._reader, 4096)

    def _close_own_writer(self) -> None:
        if self._own_writer is not None:
            os.close(self._own_writer)
            self._own_writer = None


class Site:
    """A data directory and the servers started in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path / "data"
        self.grace_seconds = 0.3  # from the end of a supervisor to that of its children
        self.diary = Diary(path / "diary")
        self._servers: list[subprocess.Popen[str]] = []

    def child(self, code: str) -> list[str]:
        return [sys.executable, "-c", CHILD.format(diary=self.diary.path, grace_seconds=self.grace_seconds) + code]

    def start(self, *, prepare: str = "", stop_seconds: float = 15.0, parent: int | None = None, **children: str) -> "Server":
        code = SERVER.format(
            place=str(self.data),
            children={name.replace("_", " "): self.child(code) for name, code in children.items()},
            prepare=self.child(prepare) if prepare else [],
            stop_seconds=stop_seconds,
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **({} if parent is None else {"HILUM_PARENT_FD": str(parent)})},
            pass_fds=[] if parent is None else [parent],
        )
        self._servers.append(process)
        return Server(process)

    def wait_for_state(self, name: str, expected: Callable[[ChildState], bool]) -> ChildState:
        """Wait until a child's published state is as expected."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for state in read_children(self.data):
                if state.name == name and expected(state):
                    return state
            time.sleep(0.02)  # a file tells nobody that it changed
        raise AssertionError(f"{name} did not come into that state: {read_children(self.data)}")

    def close(self) -> None:
        for process in self._servers:
            process.kill()
            process.communicate()
        self.diary.close()


class Server:
    """A started supervisor."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def read_line(self) -> str:
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], PATIENCE)[0], "the supervisor says nothing"
        return self.process.stdout.readline()

    def wait_until_ready(self) -> int:
        """The port of its HTTP socket."""
        line = self.read_line()
        assert line.startswith("ready http=http://127.0.0.1:"), self.process.communicate()
        return int(line.rsplit(":", 1)[1])

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Its exit status, and what it said since on stdout and stderr."""
        self.process.send_signal(number)
        return self.end()

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()
