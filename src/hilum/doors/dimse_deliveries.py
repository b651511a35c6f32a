"""Which intake an association's objects belong to: associations of one sender within its quiet time share one.

The ledger is asked once a sender and quiet time, not once an association: a modality that opens one for each image costs no more.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from hilum.model.records import QUARANTINE

DOOR = "dimse"
_CALM_SECONDS = 0.1  # from the end of an association to the ledger's knowing
_MOST_SECONDS = 2.0  # the same, while others go on ending


class Sender(NamedTuple):
    """Who sends what for whom; `quarantine` is the sentence with which all of it is set aside, empty where it is not."""

    project: str
    dataset: str
    calling_ae_title: str
    called_ae_title: str
    address: str
    quiet_seconds: float = 5.0
    quarantine: str = ""

    def __str__(self) -> str:
        return f"{self.calling_ae_title} at {self.address} to {self.called_ae_title}"


class Senders(Protocol):
    """The ledger's part."""

    def join(self, project: str, door: str, sender: str, dataset: str = "", metadata: Mapping[str, Any] | None = None) -> str: ...
    def hasten(self, intake_ids: Collection[str]) -> set[str]: ...
    def interrupt(self, intake_id: str) -> None: ...


@dataclass(slots=True)
class Delivery:
    """What one association brings. `intake_id` is empty until its first object."""

    sender: Sender
    intake_id: str = ""


class Deliveries:
    """Remembers the intakes of senders. Safe for threads.

    Args:
        senders: the ledger.
        settle_index: returns when all that was acknowledged is indexed.
        ticks: seconds, monotonic.
    """

    def __init__(self, senders: Senders, settle_index: Callable[[], None], ticks: Callable[[], float] = time.monotonic) -> None:
        self._senders = senders
        self._settle_index = settle_index
        self._ticks = ticks
        self._joining = threading.Lock()  # held while the ledger is asked, so that two objects of a sender make one intake
        self._lock = threading.Lock()  # never held for long
        self._known: dict[Sender, tuple[str, float]] = {}
        self._ended: set[str] = set()
        self._number_ended = 0
        self._interrupted: set[str] = set()

    def knows(self, delivery: Delivery) -> bool:
        """Whether `intake_of` needs nobody else: the sender's last object came within its quiet time. Quick."""
        if not delivery.intake_id:
            delivery.intake_id = self._find(delivery.sender)
        return bool(delivery.intake_id)

    def intake_of(self, delivery: Delivery) -> str:
        """The intake of a delivery's next object; may ask the ledger.

        Raises:
            NotFoundError: the project is gone.
        """
        if not delivery.intake_id:
            with self._joining:
                delivery.intake_id = self._find(delivery.sender) or self._join(delivery.sender)
        self._note(delivery)
        return delivery.intake_id

    def end(self, delivery: Delivery, *, interrupted: bool) -> None:
        """The association is over; `settle` tells the ledger."""
        if not delivery.intake_id:
            return
        self._note(delivery)
        with self._lock:
            self._ended.add(delivery.intake_id)
            self._number_ended += 1
            if interrupted:
                self._interrupted.add(delivery.intake_id)

    @property
    def is_unsettled(self) -> bool:
        """Whether the ledger is still to be told of something."""
        return bool(self._ended)

    async def calm(self, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Wait until it is time to `settle`.

        A modality that opens an association for each image ends hundreds in a second: were each of them told, importing would run all the
        while, by a few images at a time, on the processors that receiving needs. What is told later is no less durable.
        """
        latest, seen = self._ticks() + _MOST_SECONDS, -1
        while seen != self._number_ended and self._ticks() < latest:
            seen = self._number_ended
            await sleep(_CALM_SECONDS)

    def settle(self) -> None:
        """Tell the ledger of the associations that ended; blocks. What a worker has just claimed is to be told again."""
        with self._lock:
            ended, interrupted = set(self._ended), set(self._interrupted)
        # What they brought must be found by whoever imports it now.
        self._settle_index()
        with self._lock:
            self._ended -= ended
            self._interrupted -= interrupted
            now = self._ticks()
            self._known = {sender: known for sender, known in self._known.items() if now - known[1] <= sender.quiet_seconds}
        for intake_id in interrupted:
            self._senders.interrupt(intake_id)
        busy = self._senders.hasten(ended)
        with self._lock:
            self._ended |= busy

    def _find(self, sender: Sender) -> str:
        with self._lock:
            intake_id, last = self._known.get(sender, ("", 0.0))
        return intake_id if intake_id and self._ticks() - last <= sender.quiet_seconds else ""

    def _join(self, sender: Sender) -> str:
        metadata = {QUARANTINE: sender.quarantine} if sender.quarantine else None
        return self._senders.join(sender.project, DOOR, str(sender), sender.dataset, metadata)

    def _note(self, delivery: Delivery) -> None:
        with self._lock:
            self._known[delivery.sender] = (delivery.intake_id, self._ticks())
