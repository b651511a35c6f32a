"""The servers that are measured: `hilum serve` of this checkout, and Debian's Orthanc, each in its own folder and on a free port."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import IO, Any, Self

READY_SECONDS = 30.0
STOP_SECONDS = 25.0
TOKEN = "bench-token-bench-token-bench-token"
HILUM = (sys.executable, "-m", "hilum")


class BenchError(Exception):
    """A bench cannot go on: a server did not start, or did not do what it was asked."""


class Server(AbstractContextManager["Server"]):
    """A server process and the plainest client of it.

    Args:
        folder: where it keeps everything; made where it is missing.
        settings: environment variables for it.
    """

    name = ""
    headers: Mapping[str, str] = {}

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.settings = settings or {}
        self.ready_seconds = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def wait_until_ready(self, stdout: IO[bytes]) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and return when it takes work.

        Raises:
            BenchError: it ended, or was not ready in time; the log tells why.
        """
        begun = time.monotonic()
        process = self.spawn()
        assert process.stdout is not None
        self.wait_until_ready(process.stdout)
        self.ready_seconds = time.monotonic() - begun

    def spawn(self) -> "subprocess.Popen[bytes]":
        """Start it and return at once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=log, env=environment(self.settings))
        return self.process

    def stop(self) -> None:
        """Ask it to stop, and kill it where it does not."""
        process, self.process = self.process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request with a JSON body; the JSON answer.

        Raises:
            BenchError: the answer is no success. OSError, HTTPException: there is none.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {"Content-Type": "application/json", **self.headers})
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise BenchError(f"{self.name}: {method} {path} answered {answer.status}: {said[:500]!r}")
        return json.loads(said) if said else None

    def last_words(self) -> str:
        return "\n".join((self.folder / "server.log").read_text(errors="replace").splitlines()[-8:])


class Hilum(Server):
    """`hilum serve` of this Python."""

    name = "hilum"
    headers: Mapping[str, str] = {"Authorization": f"Bearer {TOKEN}"}

    def command(self) -> Sequence[str]:
        serve = ("serve", "--data", str(self.folder / "data"), "--http", f"127.0.0.1:{self.port}", "--dimse", "127.0.0.1:0")
        return (*HILUM, *serve)

    def wait_until_ready(self, stdout: IO[bytes]) -> None:
        line = stdout.readline()
        if not line.startswith(b"ready "):
            raise BenchError(f"hilum did not become ready: {line!r}\n{self.last_words()}")


class Orthanc(Server):
    """Debian's Orthanc as it is configured by default (SQLite index, every file synced), without DICOM server and passwords."""

    name = "orthanc"

    @staticmethod
    def program() -> str | None:
        return shutil.which("Orthanc")

    def configuration(self) -> Mapping[str, object]:
        return {
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "storage"),
            "HttpPort": self.port,
            "DicomServerEnabled": False,
            "AuthenticationEnabled": False,
            "RemoteAccessAllowed": False,
        }

    def command(self) -> Sequence[str]:
        path = self.folder / "orthanc.json"
        path.write_text(json.dumps(self.configuration()))
        return (str(self.program()), str(path))

    def wait_until_ready(self, stdout: IO[bytes]) -> None:  # noqa: ARG002 - it says nothing there
        assert self.process is not None
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            try:
                self.call("GET", "/system")
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise BenchError(f"Orthanc did not become ready:\n{self.last_words()}")


def environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Of a server: it takes our token; and as on any other machine, modules that were compiled stay compiled."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, "HILUM_ADMIN_TOKEN": TOKEN, **(settings or {})}


def tree_of(pid: int) -> list[int]:
    """A process and everything below it that runs now, by process id."""
    found = [pid]
    for parent in found:
        for thread in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(OSError):  # it ended while we looked
                found += [int(child) for child in thread.read_text().split()]
    return found


def cpu_seconds_of(pid: int) -> float:
    """What a process and everything below it have used so far, in user and system mode (proc(5), /proc/pid/stat).

    Of children that ended, too, where their parent has waited for them.
    """
    used = 0
    for each in tree_of(pid):
        with suppress(OSError):  # it ended while we looked
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            used += sum(map(int, fields[11:15]))
    return used / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A TCP port of the loopback interface that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
