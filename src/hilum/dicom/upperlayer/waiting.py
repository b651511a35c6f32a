"""Time as data: what an association waits for, and for how long. The clock is the driver's."""

from enum import StrEnum
from typing import NamedTuple

from hilum.dicom.upperlayer.limits import Limits
from hilum.dicom.upperlayer.messages import Message, Request, Response


class Awaited(StrEnum):
    """What a deadline waits for; the names are those of the limits, without `_seconds`."""

    CONNECTION = "connection"  # requestor: the transport connection
    ARTIM = "artim"  # PS3.8 9.1.5: the A-ASSOCIATE-RQ, or the closing of the connection
    ASSOCIATION = "association"  # requestor: the answer to the A-ASSOCIATE-RQ
    FIRST_COMMAND = "first_command"
    COMMAND = "command"  # the next message of an idle association
    PROGRESS = "progress"  # the rest of a begun message
    RESPONSE = "response"  # the answer to a request of ours
    RELEASE = "release"  # the A-RELEASE-RP


class Deadline(NamedTuple):
    """The driver starts a clock whenever this differs from the last it saw, and calls `timed_out()` when the time is over.

    Attributes:
        awaited: what should happen before.
        seconds: how long it may take from when this deadline appeared, while the driver reads what the peer sends.
        number: grows each time the waiting begins anew.
    """

    awaited: Awaited
    seconds: float
    number: int


# By state; in Sta6 it depends on the messages. In the states that are not here this side is to act, or nobody.
_AWAITED = {
    "Sta4": Awaited.CONNECTION,
    "Sta5": Awaited.ASSOCIATION,
    "Sta7": Awaited.RELEASE,
    "Sta10": Awaited.RELEASE,
    "Sta11": Awaited.RELEASE,
}


_LIMITS = {awaited: f"{awaited}_seconds" for awaited in Awaited}  # spelled once: it is asked for several times an image


class Waiting:
    """Counts what is outstanding, so that a peer is never blamed for a time in which this side had to act."""

    __slots__ = (
        "_has_had_command",
        "_last",
        "_limits",
        "_number",
        "_progress",
        "_requests_to_answer",
        "_responses_to_come",
        "artim_is_running",
    )

    def __init__(self, limits: Limits) -> None:
        self.artim_is_running = False
        self._limits = limits
        self._last: Deadline | None = None
        self._number = 0
        self._progress = 0
        self._has_had_command = False
        self._requests_to_answer = self._responses_to_come = 0

    def deadline(self, state: str, is_in_message: bool) -> Deadline | None:
        """What should happen until when in this state; None: nothing."""
        awaited = self._awaited(state, is_in_message)
        if awaited is None:
            return None
        last = self._last
        if last is None or last.number != self._number or last.awaited is not awaited:  # asked for with each read
            last = self._last = Deadline(awaited, getattr(self._limits, _LIMITS[awaited]), self._number)
        return last

    def _awaited(self, state: str, is_in_message: bool) -> Awaited | None:
        if self.artim_is_running:
            return Awaited.ARTIM
        if state != "Sta6":
            return _AWAITED.get(state)
        if is_in_message:
            return Awaited.PROGRESS
        if self._requests_to_answer:
            return None
        if self._responses_to_come:
            return Awaited.RESPONSE
        return Awaited.COMMAND if self._has_had_command else Awaited.FIRST_COMMAND

    def begin_anew(self) -> None:
        """What was waited for has come."""
        self._number += 1

    def note_progress(self, count: int) -> None:
        """`count` bytes of a message have come. Bytes count and not reads: one byte a second is no progress."""
        self._progress += count
        if self._progress >= self._limits.progress_length:
            self._progress = 0
            self._number += 1

    def note_received(self, message: Message) -> None:
        """A command has come."""
        self._has_had_command = True
        self._number += 1
        if isinstance(message, Request):
            self._requests_to_answer += 1
        elif isinstance(message, Response) and message.is_final:
            self._responses_to_come = max(0, self._responses_to_come - 1)

    def note_sent(self, message: Message) -> None:
        """A command was sent."""
        self._number += 1
        if isinstance(message, Request):
            self._responses_to_come += 1
        elif isinstance(message, Response) and message.is_final:
            self._requests_to_answer = max(0, self._requests_to_answer - 1)
