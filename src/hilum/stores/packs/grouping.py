"""Group commit: whoever comes while the disk works shares the next turn."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from hilum.model.errors import HilumError

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Round(Generic[Item, Answer]):
    """Items that are worked on together, and what came of it."""

    __slots__ = ("answer", "error", "is_done", "items")

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.answer: Answer | None = None
        self.error: BaseException | None = None
        self.is_done = False


class GroupCommit(Generic[Item, Answer]):
    """Rounds of `work`, one after another, in the order in which they were joined.

    `join` is quick and fixes the order; `finish` waits. While a round is led the next one gathers; whoever of it wakes first leads it.

    Args:
        work: does all items of a round at once.
        refuse: makes the error for one caller from what `work` raised.
    """

    def __init__(self, work: Callable[[list[Item]], Answer], refuse: Callable[[Exception], HilumError]) -> None:
        self._work = work
        self._refuse = refuse
        self._changed = threading.Condition()
        self._is_led = False
        self._next: Round[Item, Answer] = Round()

    def join(self, item: Item) -> Round[Item, Answer]:
        """Take part in the next round; the caller must `finish` it."""
        with self._changed:
            self._next.items.append(item)
            return self._next

    def finish(self, mine: Round[Item, Answer]) -> Answer:
        """Wait until the round is done, leading it when nobody does, and return what `work` returned.

        Raises:
            HilumError: what `refuse` made of the failure; every caller of the round gets one.
        """
        if self._must_lead(mine):
            self._lead(mine)
        if isinstance(mine.error, Exception):
            raise self._refuse(mine.error) from mine.error
        if mine.error is not None:
            raise mine.error
        return mine.answer  # type: ignore[return-value]  # set where there was no error

    def _must_lead(self, mine: Round[Item, Answer]) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: mine.is_done or not self._is_led)
            if mine.is_done:
                return False
            # Rounds are led one at a time, so one that is not done when nobody leads is the one that is being joined.
            self._is_led, self._next = True, Round()
            return True

    def _lead(self, mine: Round[Item, Answer]) -> None:
        try:
            mine.answer = self._work(mine.items)
        except BaseException as error:  # noqa: BLE001 - kept for every caller of the round; finish() raises it
            mine.error = error
        finally:
            with self._changed:
                mine.is_done, self._is_led = True, False
                self._changed.notify_all()
