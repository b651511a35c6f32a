"""Lines of the log that nobody waits for: a receiving process writes one for each association, hundreds in a second."""

import logging
import threading
import time
from collections import deque
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

    _last: tuple[int, str] = (-1, "")  # one attribute, so that no thread sees half of it

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's own name
        second, spelled = self._last
        if second != int(record.created):
            second = int(record.created)
            spelled = time.strftime(datefmt or self.default_time_format, self.converter(second))
            self._last = second, spelled
        return f"{spelled},{int(record.msecs):03d}"


class LinesBehind(logging.Handler):
    """Writes what comes within a tenth of a second at once, a warning immediately: no disk and no full pipe keeps an event loop waiting.

    A kill takes the lines of that tenth. What comes while nobody reads is counted, and told when somebody does.

    Args:
        most_lines: that wait.
    """

    def __init__(self, stream: TextIO, most_lines: int = 10_000) -> None:
        super().__init__()
        self._stream = stream
        self._most_lines = most_lines
        self._lines: deque[str] = deque()
        self._number_dropped = 0
        self._writing = threading.Lock()
        self._has_lines, self._is_urgent = threading.Event(), threading.Event()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="hilum-log", daemon=True)
        self._thread.start()

    def handle(self, record: logging.LogRecord) -> bool:
        """As every handler, without its lock: whoever writes would hold up whoever only leaves a line."""
        if not self.filter(record):
            return False
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        try:
            line = self.format(record) + "\n"
        except Exception:  # noqa: BLE001 - as in every handler: a line that cannot be made ends nothing
            self.handleError(record)
            return
        if len(self._lines) < self._most_lines:
            self._lines.append(line)
        else:
            self._number_dropped += 1
        if record.levelno >= logging.WARNING:
            self._is_urgent.set()
        if self._is_closed:
            self.flush()
        elif not self._has_lines.is_set():  # else the thread gathers already
            self._has_lines.set()

    def flush(self) -> None:
        """Write what has come, in its order."""
        with self._writing:
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            dropped, self._number_dropped = self._number_dropped, 0
            if dropped:
                lines.append(f"{dropped} lines were not written: nobody read those before them.\n")
            with suppress(OSError, ValueError):  # no room, nobody reads, closed: there is nowhere left to say so
                self._stream.write("".join(lines))
                self._stream.flush()

    def close(self) -> None:
        """Write what has come, and from now on every line at once."""
        self._is_closed = True
        self._is_urgent.set()
        self._has_lines.set()
        self._thread.join()
        self.flush()
        super().close()

    def _run(self) -> None:
        while not self._is_closed:
            self._has_lines.wait()
            self._is_urgent.wait(_GATHER_SECONDS)
            self._is_urgent.clear()
            self._has_lines.clear()
            self.flush()
