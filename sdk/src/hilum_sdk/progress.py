"""What an upload tells while it runs: a bar on a terminal, plain lines elsewhere, or a call of the caller's own."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TextIO


@dataclass(frozen=True)
class Progress:
    """How far an upload is. `files` and `size` (bytes) count what is at the server; `already_held` of the files were there before."""

    files: int
    files_total: int
    size: int
    size_total: int
    already_held: int = 0

    @property
    def fraction(self) -> float:
        """From 0 to 1: by bytes, by files where all are empty."""
        if self.size_total:
            return self.size / self.size_total
        return self.files / self.files_total if self.files_total else 1.0


Show = Callable[[Progress], object]


class Tally:
    """Counts what the threads of an upload have sent, and shows it."""

    def __init__(self, files_total: int, size_total: int, show: Show) -> None:
        self._progress = Progress(0, files_total, 0, size_total)
        self._show = show
        self._lock = threading.Lock()

    def add_bytes(self, count: int) -> None:
        self._add(size=count)

    def add_file(self) -> None:
        self._add(files=1)

    def add_held(self, size: int) -> None:
        """Count a file that need not be sent."""
        self._add(files=1, size=size, already_held=1)

    def _add(self, files: int = 0, size: int = 0, already_held: int = 0) -> None:
        with self._lock:
            was = self._progress
            self._progress = replace(was, files=was.files + files, size=was.size + size, already_held=was.already_held + already_held)
            self._show(self._progress)


def shower(progress: bool | Show, out: TextIO | None = None) -> Show:
    """The function that shows progress: the caller's, a bar or lines on `out` (standard error), or none."""
    if callable(progress):
        return progress
    if not progress:
        return lambda _progress: None
    stream = out or sys.stderr
    return _Bar(stream, 0.1, "\r\x1b[K", "") if stream.isatty() else _Bar(stream, 10.0, "", "\n")


class _Bar:
    """Writes a line at most every `period` seconds, and the last one always."""

    def __init__(self, out: TextIO, period: float, before: str, after: str) -> None:
        self._out, self._period, self._before, self._after = out, period, before, after
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        is_last = progress.files == progress.files_total
        if not is_last and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._period
        end = "\n" if is_last else self._after
        self._out.write(f"{self._before}{describe(progress)}{end}")
        self._out.flush()


def describe(progress: Progress, width: int = 24) -> str:
    """One line: a bar, files, megabytes, and what was held already."""
    filled = round(progress.fraction * width)
    bar = "#" * filled + "." * (width - filled)
    held = f", {progress.already_held} already held" if progress.already_held else ""
    files = f"{progress.files}/{progress.files_total} files"
    return f"[{bar}] {progress.fraction:4.0%}  {files}, {progress.size / 1e6:.1f}/{progress.size_total / 1e6:.1f} MB{held}"
