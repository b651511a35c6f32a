"""Child processes of processors: limited, and ended with their whole group on timeout, on cancel, and when this process ends.

Every child is wrapped by `guarding.py`, which leads a session and process group of its own. A process that leaves the group
on purpose (setsid) is out of reach: processors that are not trusted run in containers. Each process of the group has the memory
limit for itself, by RLIMIT_AS, which macOS does not enforce.
"""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from hilum.processors import ChildEnded, Limits
from hilum.runtime import guarding

INHERITED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ")
"""What a child may know of our environment; never a HILUM_ setting, a token or a password."""

FIXED = {
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    # One thread an order: workers are the parallelism, and each thread of these libraries reserves address space.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}

LAST_WORDS_BYTES = 8 * 1024
WATCH_SECONDS = 0.25  # how often the written bytes are counted


class GuardedChildren:
    """Implements `hilum.processors.ChildProcesses`."""

    def start(self, command: Sequence[str], *, cwd: Path, output: Path, limits: Limits) -> "GuardedChild":
        """Start `command` under guard, its stdin closed, stdout and stderr kept as last words."""
        liveness_read, liveness_write = os.pipe()
        report_read, report_write = os.pipe()
        guard = [sys.executable, "-I", "-S", guarding.__file__, str(liveness_read), str(report_write), json.dumps(asdict(limits)), "--"]
        try:
            process = subprocess.Popen(
                [*guard, *command],
                cwd=cwd,
                env=environment(cwd),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(liveness_read, report_write),
                start_new_session=True,
            )
        except BaseException:
            _close(liveness_write, report_read)
            raise
        finally:
            _close(liveness_read, report_write)
        return GuardedChild(process, liveness_write, report_read, WrittenBytes((cwd, output), limits.output_bytes))


def environment(cwd: Path) -> dict[str, str]:
    """The child's whole environment: what tools need, with the scratch folder as home and temporary folder."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**kept, **FIXED, "HOME": str(cwd), "TMPDIR": str(cwd)}


class WrittenBytes:
    """How much was written into some folders since it was made."""

    def __init__(self, folders: Iterable[Path], limit: int) -> None:
        self._folders = tuple(folders)
        self._limit = limit + self._sum()

    def is_over(self) -> bool:
        """Whether more than the limit was written."""
        return self._sum() > self._limit

    def _sum(self) -> int:
        # Folders that lie in one another are counted twice, before and after alike.
        return sum(_bytes_below(folder) for folder in self._folders)


def _bytes_below(folder: Path | str) -> int:
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                total += _bytes_below(entry.path) if entry.is_dir(follow_symlinks=False) else entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return total  # the child removed it while we counted
    return total


class GuardedChild:
    """Implements `hilum.processors.Child`."""

    def __init__(self, process: "subprocess.Popen[bytes]", liveness: int, report: int, written: WrittenBytes) -> None:
        self._process, self._liveness, self._report, self._written = process, liveness, report, written
        self._lock = threading.Lock()  # a pid must not be signalled after it was reaped
        self._stopped = ""
        self._said = b""
        self._last_words = b""
        self._ended: ChildEnded | None = None

    @property
    def pid(self) -> int:
        """The guard's process id, and the group's."""
        return self._process.pid

    def kill(self) -> None:
        """End the whole group."""
        self._kill("cancelled")

    def wait(self, timeout: float | None = None) -> ChildEnded | None:
        """Wait for the end, reading its words and counting its bytes; one thread at a time."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self._ended is None and not self._report_is_closed(_remaining(deadline)):
            if self._written.is_over():
                self._kill("output")
            if deadline is not None and time.monotonic() >= deadline:
                return None
        return self._ended or self._end()

    def _report_is_closed(self, seconds: float) -> bool:
        """Read what came within `seconds`. The report pipe is the guard's alone: closed means ended, whoever else still holds stdout."""
        words = self._words()
        readable, _, _ = select.select([self._report, words] if words >= 0 else [self._report], [], [], seconds)
        if words in readable:
            self._read_words(words)
        if self._report not in readable:
            return False
        chunk = os.read(self._report, 4096)
        self._said += chunk
        return not chunk

    def _words(self) -> int:
        stdout = self._process.stdout
        return -1 if stdout is None or stdout.closed else stdout.fileno()

    def _read_words(self, words: int) -> None:
        chunk = os.read(words, 64 * 1024)
        self._last_words = (self._last_words + chunk)[-LAST_WORDS_BYTES:]
        if not chunk and self._process.stdout is not None:
            self._process.stdout.close()  # a closed pipe would keep select awake

    def _kill(self, why: str) -> None:
        with self._lock:
            if self._ended is None:
                self._stopped = self._stopped or why
                _kill_group(self.pid)

    def _end(self) -> ChildEnded:
        while (words := self._words()) >= 0 and select.select([words], [], [], 0)[0]:
            self._read_words(words)
        with self._lock:
            _kill_group(self.pid)  # a guard that was killed itself could not do it
            self._process.wait()
            report = json.loads(self._said or b'{"exit_status": -9, "stopped": ""}')
            stopped = self._stopped or report["stopped"]
            self._ended = ChildEnded(report["exit_status"], stopped, self._last_words.decode(errors="replace"))
        _close(self._liveness, self._report)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return self._ended


def _remaining(deadline: float | None) -> float:
    return WATCH_SECONDS if deadline is None else max(0.0, min(WATCH_SECONDS, deadline - time.monotonic()))


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # nobody is left in it; macOS says EPERM of a group of zombies


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
