"""Lines of the log that nobody waits for: a receiving process writes one for each association, hundreds in a second."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

FORMAT = "%(asctime)s %(levelname)s %(message)s"
_GATHER_SECONDS = 0.1


def log_behind(stream: TextIO) -> None:
    """All that this process logs goes to `stream`, by a thread of its own."""
    # The format names neither place, thread nor process: finding them out takes as long as making the line.
    logging._srcfile = None  # "Optimization" in the Logging HOWTO of Python has it so
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    lines = LinesBehind(stream)
    lines.setFormatter(_Formatter(FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[lines])  # whose end `logging` sees to


class _Formatter(logging.Formatter):
    """Spells each second once."""

    _second, _spelled = -1, ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's own name
        second = int(record.created)
        if second != self._second:
            spelled = time.strftime(datefmt or self.default_time_format, self.converter(second))
            self._second, self._spelled = second, spelled
        return f"{self._spelled},{int(record.msecs):03d}"


class LinesBehind(logging.Handler):
    """Writes what comes within a tenth of a second at once: neither a disk nor a full pipe keeps an event loop waiting.

    A warning is written before whoever logged it goes on, with all that came before it. A kill takes the lines of that tenth.
    """

    def __init__(self, stream: TextIO, wait: Callable[[float], object] | None = None) -> None:
        super().__init__()
        self._stream = stream
        self._lines: deque[str] = deque()
        self._writing = threading.RLock()
        self._is_closed = threading.Event()
        self._has_lines = threading.Event()
        self._wait = wait or self._is_closed.wait
        self._thread = threading.Thread(target=self._run, name="hilum-log", daemon=True)
        self._thread.start()

    def createLock(self) -> None:  # noqa: N802 - logging's own name
        """None around `emit`: whoever writes would hold up whoever only leaves a line."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - as in every handler: a line that cannot be made ends nothing
            self.handleError(record)
            return
        self._lines.append(line + "\n")
        if record.levelno >= logging.WARNING or self._is_closed.is_set():
            self.flush()
        elif len(self._lines) == 1:  # else the thread gathers already
            self._has_lines.set()

    def flush(self) -> None:
        """Write what has come, in its order."""
        with self._writing:
            lines = []
            while self._lines:
                lines.append(self._lines.popleft())
            with suppress(OSError, ValueError):  # no room, nobody reads, closed: there is nowhere left to say so
                self._stream.write("".join(lines))
                self._stream.flush()

    def close(self) -> None:
        """Write what has come, and from now on every line at once."""
        self._is_closed.set()
        self._has_lines.set()
        self._thread.join()
        self.flush()
        super().close()

    def _run(self) -> None:
        while not self._is_closed.is_set():
            self._has_lines.wait()
            self._wait(_GATHER_SECONDS)
            self._has_lines.clear()
            self.flush()
