"""The local wake signal: whoever makes work ready writes a byte into a pipe, and one waiting worker reads it.

The pipe is made by the supervisor and inherited by all its children; threads of one process share a `Waker` as it is. The signal is a
hint that saves waiting, never the truth: a worker that is woken asks the ledger, and asks again after its timeout without being woken.
So signal after the commit, not before.
"""

import fcntl
import os
import select
import sys
import termios
import time
from collections.abc import Mapping

from hilum.model.errors import HilumError

WAKE_VARIABLE = "HILUM_WAKE_FDS"

MOST_PENDING = 64
"""Signals that lie unread at most. Each lets one worker look once, so more would only make workers look in vain after a burst."""


class Waker:
    """One end of the wake signal, for any number of threads.

    Args:
        readable, writable: file descriptors of one pipe; owned from now on.
    """

    def __init__(self, readable: int, writable: int) -> None:
        self._readable, self._writable = readable, writable
        self._interrupted, self._interrupting = os.pipe()
        # Of several workers that see one byte only one reads it; the others must not block.
        for descriptor in (readable, writable, self._interrupting):
            os.set_blocking(descriptor, False)

    @classmethod
    def create(cls) -> "Waker":
        """A new signal, of this process and of those it hands `descriptors` and `environment` to."""
        return cls(*os.pipe())

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Waker":
        """The signal that the supervisor made.

        Raises:
            HilumError: the supervisor did not start this process.
        """
        if WAKE_VARIABLE not in environment:
            raise HilumError("This command is a part of `hilum serve` and is started by it.", "Start `hilum serve`.")
        readable, writable = (int(number) for number in environment[WAKE_VARIABLE].split(","))
        for descriptor in (readable, writable):
            os.set_inheritable(descriptor, False)
        return cls(readable, writable)

    @property
    def descriptors(self) -> tuple[int, int]:
        """The file descriptors that a child must inherit."""
        return self._readable, self._writable

    @property
    def environment(self) -> dict[str, str]:
        """What a child needs to know for `from_environment`."""
        return {WAKE_VARIABLE: f"{self._readable},{self._writable}"}

    def wake(self) -> None:
        """Wake one waiting worker, or let the next one that waits return at once; never blocks."""
        if self._pending() >= MOST_PENDING:
            return
        try:
            os.write(self._writable, b"w")
        except BlockingIOError:
            return  # a full pipe wakes everybody anyway

    def wait(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds; True if woken, False after the time or `interrupt`."""
        deadline = time.monotonic() + timeout
        poll = select.poll()
        for descriptor in (self._readable, self._interrupted):
            poll.register(descriptor, select.POLLIN)
        while readable := [descriptor for descriptor, _ in poll.poll(max(0.0, deadline - time.monotonic()) * 1000)]:
            if self._interrupted in readable:
                return False
            if self._take():
                return True
        return False

    def interrupt(self) -> None:
        """End every `wait` of this process, now and from now on; may be called by a signal handler."""
        try:
            os.write(self._interrupting, b"i")
        except BlockingIOError:
            return  # interrupted 65,536 times already

    def close(self) -> None:
        """Let go of the pipes; nobody may be waiting."""
        for descriptor in (self._readable, self._writable, self._interrupted, self._interrupting):
            os.close(descriptor)

    def _take(self) -> bool:
        try:
            return bool(os.read(self._readable, 1))
        except BlockingIOError:
            return False  # another worker was quicker

    def _pending(self) -> int:
        count = bytearray(4)
        fcntl.ioctl(self._readable, termios.FIONREAD, count)
        return int.from_bytes(count, sys.byteorder)
