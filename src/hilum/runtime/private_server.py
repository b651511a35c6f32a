"""A server of one's own: `hilum demo` and `hilum process` start one on a free port, and it ends with them."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from hilum.model.errors import HilumError
from hilum.runtime.supervised import PARENT_VARIABLE

HILUM = (sys.executable, "-m", "hilum")
READY_SECONDS = 60.0
STOP_SECONDS = 25.0  # the supervisor itself needs 20 at most
LOG_FILE = "server.log"


class PrivateServerError(HilumError):
    """The private server did not become ready; the sentence is the last one it said."""

    kind = "private-server"


class PrivateServer:
    """Runs `hilum serve` in the context, and stops it at its end; killed with this process too.

    Args:
        data: the data directory, made where it is missing; the server's log is `server.log` in it.
        options: further options of `hilum serve`.
        command: the program, `hilum` of this Python.
        ready_seconds: how long the server may take until it can take work.

    Attributes:
        url: where it listens, known within the context.
        dimse: HOST:PORT of its DIMSE door; empty unless the options open it.
        token: an administrator's.
    """

    def __init__(
        self, data: Path, options: Sequence[str] = (), *, command: Sequence[str] = HILUM, ready_seconds: float = READY_SECONDS
    ) -> None:
        self._data = data.absolute()
        self._command = (*command, "serve", "--data", str(self._data), "--http", "127.0.0.1:0", "--dimse", "off", *options)
        self._ready_seconds = ready_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._alive: int | None = None
        self.url = ""
        self.dimse = ""
        self.token = ""

    @property
    def log(self) -> Path:
        """What the server says."""
        return self._data / LOG_FILE

    def __enter__(self) -> "PrivateServer":
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            process = self._start()
            fields = parse_ready_line(self._read_ready_line(process))
            self.url, self.dimse, self.token = fields["http"], fields.get("dimse", ""), self._read_token()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _start(self) -> "subprocess.Popen[bytes]":
        liveness, self._alive = os.pipe()
        try:
            with self.log.open("wb") as log:
                self._process = subprocess.Popen(
                    self._command,
                    env={**os.environ, PARENT_VARIABLE: str(liveness)},
                    pass_fds=[liveness],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,  # on Ctrl-C this process stops it, when it has said what it must
                )
        finally:
            os.close(liveness)
        return self._process

    def _read_ready_line(self, process: "subprocess.Popen[bytes]") -> str:
        assert process.stdout is not None  # noqa: S101 it is a pipe
        deadline = time.monotonic() + self._ready_seconds
        said = b""
        while not said.endswith(b"\n"):
            if not _is_readable(process.stdout, deadline):
                raise PrivateServerError(f"The server was not ready after {self._ready_seconds:g} s.", f"Its log is {self.log}.")
            if not (chunk := os.read(process.stdout.fileno(), 4096)):
                raise PrivateServerError(f"The server ended before it was ready: {self._last_words()}", f"Its log is {self.log}.")
            said += chunk
        return said.decode()

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it did not say why."

    def _read_token(self) -> str:
        if token := os.environ.get("HILUM_ADMIN_TOKEN"):
            return token
        try:
            return (self._data / "credentials").read_text().strip()
        except FileNotFoundError:
            raise PrivateServerError(
                f"The server's token is not in {self._data / 'credentials'}.", "Set HILUM_ADMIN_TOKEN, or name another data directory."
            ) from None

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)  # its children end with it
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if self._alive is not None:
            os.close(self._alive)
            self._alive = None


def parse_ready_line(line: str) -> dict[str, str]:
    """`ready http=http://127.0.0.1:8080 credentials=/data/credentials` as its fields.

    Raises:
        PrivateServerError: it is no ready line.
    """
    words = line.split()
    fields = dict(word.split("=", 1) for word in words if "=" in word)
    if words[:1] != ["ready"] or "http" not in fields:
        raise PrivateServerError(f"The server said something else than that it is ready: {line.strip()}")
    return fields


def _is_readable(stream: IO[bytes], deadline: float) -> bool:
    poll = select.poll()
    poll.register(stream, select.POLLIN)
    return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
