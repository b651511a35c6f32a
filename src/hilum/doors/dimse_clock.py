"""The clock of an association: time is data in the core (`Association.deadline`), and rings here."""

import asyncio
from collections.abc import Callable

from hilum.dicom.upperlayer import Deadline


class Clock:
    """One timer for all deadlines of an association: most are over long before it would ring, so it is set anew only when it does."""

    __slots__ = ("_deadline", "_due_at", "_loop", "_ring", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[Deadline], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._deadline: Deadline | None = None
        self._due_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def wind(self, deadline: Deadline | None) -> None:
        """A deadline that differs from the last one begins now."""
        if deadline == self._deadline:
            return
        self._deadline = deadline
        if deadline is None:
            return
        self._due_at = self._loop.time() + deadline.seconds
        if self._timer is None or self._due_at < self._timer.when():
            self._set()

    def stop(self) -> None:
        """It never rings again."""
        self._deadline = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._due_at, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        if self._loop.time() < self._due_at:
            self._set()
        else:
            deadline, self._deadline = self._deadline, None
            self._ring(deadline)
