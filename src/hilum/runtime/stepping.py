"""One worker: claims an item, runs its stage, writes the answer; a surprise is recorded with its traceback and tried again."""

import logging
import threading
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from hilum.model.errors import HilumError, LeaseLostError
from hilum.model.identity import Scope
from hilum.model.lifecycle import Item, Kind, Stage
from hilum.model.outcomes import Outcome
from hilum.model.ports import Tools
from hilum.stages import STAGE_FILES, Run

_LOG = logging.getLogger(__name__)


class StopError(Exception):
    """This worker is to stop: the item is given back."""


class Ledger(Protocol):
    """What a worker needs of the ledger."""

    def claim(self, scope: Scope, worker: str, lease: timedelta, kinds: Collection[Kind] = ...) -> Item | None: ...
    def renew(self, scope: Scope, item: Item, lease: timedelta) -> bool: ...
    def finish(self, scope: Scope, item: Item, outcome: Outcome) -> Item: ...
    def fail(self, scope: Scope, item: Item, why: str, traceback: str) -> Item: ...
    def give_back(self, scope: Scope, item: Item, why: str) -> None: ...


class Stop:
    """A worker's stop: asked for once, seen between steps, and heard at once by whatever is waited for."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._cancels: list[Callable[[], None]] = []

    def ask(self) -> None:
        """From a signal handler or another thread."""
        self._asked.set()
        for cancel in list(self._cancels):
            cancel()

    def is_asked(self) -> bool:
        return self._asked.is_set()

    def check(self) -> None:
        """Raise StopError when a stop was asked for."""
        if self._asked.is_set():
            raise StopError

    @contextmanager
    def until_stopped(self, cancel: Callable[[], None]) -> Iterator[None]:
        """Call `cancel` when a stop is asked for within the context."""
        self._cancels.append(cancel)
        try:
            if self._asked.is_set():
                cancel()
            yield
        finally:
            self._cancels.remove(cancel)


class Hand:
    """What stops a stage: its worker's stop, or that somebody else has taken the item that it has in hand."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._lost = Stop()

    def take(self) -> None:
        """Another item is in hand."""
        self._lost = Stop()

    def lose(self) -> None:
        """The item was taken; from another thread."""
        self._lost.ask()

    def check(self) -> None:
        """Raise StopError when the worker is to stop, LeaseLostError when the item was taken."""
        self._stop.check()
        if self._lost.is_asked():
            raise LeaseLostError("The item was moved by somebody else while its stage ran.", "Its newer state stands.")

    @contextmanager
    def until_stopped(self, cancel: Callable[[], None]) -> Iterator[None]:
        """Call `cancel` when either happens within the context."""
        with self._stop.until_stopped(cancel), self._lost.until_stopped(cancel):
            yield


class Worker:
    """Runs stages one at a time.

    Args:
        name: written into the history as who claimed.
        attempts: an item whose workers died so often is failed without another try.
        wait: waits for work at most so many seconds; returns early when woken.
    """

    def __init__(
        self,
        name: str,
        ledger: Ledger,
        tools: Tools,
        stop: Stop,
        *,
        lease: timedelta,
        attempts: int,
        wait: Callable[[float], object],
        stages: Mapping[Stage, Run] = STAGE_FILES,
        kinds: Collection[Kind] = tuple(Kind),
    ) -> None:
        self._name = name
        self._ledger = ledger
        self._stop = stop
        self._hand = Hand(stop)
        self._tools = replace(tools, check_stop=self._hand.check, until_stopped=self._hand.until_stopped)
        self._lease = lease
        self._attempts = attempts
        self._wait = wait
        self._stages = stages
        self._kinds = kinds

    def run(self) -> None:
        """Work until the stop is asked for."""
        while not self._stop.is_asked():
            if not self.step():
                self._wait(1.0)

    def step(self) -> bool:
        """Take one item through its stage. False when nothing was ready."""
        item = self._ledger.claim(self._tools.scope, self._name, self._lease, self._kinds)
        if item is None:
            return False
        if item.attempt > self._attempts:
            self._ledger.fail(self._tools.scope, item, f"{item.stage} ended its worker each time.", "")
            return True
        try:
            self._hand.take()
            with self._kept_alive(item):
                outcome = self._stages[item.stage](item, self._tools)
            self._ledger.finish(self._tools.scope, item, outcome)
        except StopError:
            self._give_back(item)
        except LeaseLostError:
            _LOG.info("%s %s was moved by somebody else while %s ran; its results are dropped", item.kind, item.id, item.stage)
        except Exception as error:  # noqa: BLE001 - a stage may raise anything; the surprise is recorded and tried again
            self._record(item, error)
        return True

    def _record(self, item: Item, error: Exception) -> None:
        if self._stop.is_asked():
            self._give_back(item)
            return
        # The sentence of a HilumError names no patient; any other message may quote one, so only its kind is logged.
        why = str(error) if isinstance(error, HilumError) else f"{item.stage} met a surprise: {type(error).__name__}."
        _LOG.warning("%s %s at %s: %s", item.kind, item.id, item.stage, why)
        try:
            self._ledger.fail(self._tools.scope, item, why, "".join(traceback.format_exception(error)))
        except LeaseLostError:
            _LOG.info("%s %s was moved by somebody else meanwhile", item.kind, item.id)

    def _give_back(self, item: Item) -> None:
        with suppress(LeaseLostError):  # somebody has taken it from this worker already
            self._ledger.give_back(self._tools.scope, item, "Its worker was stopped; it starts again.")

    @contextmanager
    def _kept_alive(self, item: Item) -> Iterator[None]:
        """Renew the lease from a thread while the stage runs; the stage is stopped where somebody else has taken the item."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(self._lease.total_seconds() / 3):
                try:
                    if not self._ledger.renew(self._tools.scope, item, self._lease):
                        self._hand.lose()
                        return
                except Exception:  # noqa: BLE001 - the ledger may be away for a moment; the next round may reach it in time
                    _LOG.warning("the lease of %s %s could not be renewed", item.kind, item.id, exc_info=True)

        thread = threading.Thread(target=renew, name=f"lease of {item.id}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
