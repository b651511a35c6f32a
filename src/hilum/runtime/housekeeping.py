"""What must be done now and then, by one process at a time: due items wake, the log is written back, what is buried is erased.

What others wait for is brief and has a thread of its own; what may take minutes (a large pack is written again) cannot delay it, and
neither can peers that do not answer.
"""

import fcntl
import logging
import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hilum.model.errors import HilumError
from hilum.model.identity import SYSTEM
from hilum.runtime.assembling import Application
from hilum.runtime.preparing import finish_rewritings, recover_open_packs
from hilum.runtime.settings import Settings

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chore:
    """One thing to do, every so many seconds; `do` tells what a person must know, which is logged once as long as it stays so."""

    name: str
    seconds: float
    do: Callable[[Application], Sequence[str] | None]


def wake_due(app: Application) -> None:
    """Deferred items whose time has come, and items of silent workers."""
    app.ledger.wake_due(SYSTEM)


def checkpoint(app: Application) -> None:
    """SQLite's log back into its file; nobody else does (docs/architecture.md 5)."""
    app.database.checkpoint()


def erase(app: Application) -> None:
    """Studies that were deleted: their bytes go, a pack a round."""
    app.eraser.erase_next()


def recover(app: Application) -> Sequence[str]:
    """Packs that a killed process left open, and what a killed rewriting left."""
    told: list[str] = []
    finish_rewritings(app)
    recover_open_packs(app, told.append)
    return told


def reclaim(app: Application) -> None:
    """Copies and results that later ones replaced."""
    app.pack_index.reclaim_replaced()


def retire(app: Application) -> None:
    """Studies older than their project keeps them."""
    app.retention.retire_due()


def fill_in(app: Application) -> None:
    """Attributes that a template named after their instances came."""
    from hilum.runtime.filling_in import fill_in_attributes

    fill_in_attributes(app)


def forget_replies(app: Application) -> None:
    """Stored replies to changes, when nobody repeats these any more."""
    app.replies.purge(app.clock() - timedelta(days=1))


def discard_unkept(app: Application) -> None:
    """Archives whose process was killed before they were durable."""
    app.intakes.discard_unkept()


def sweep_scratch(app: Application) -> None:
    """Scratch folders that a killed worker left: nothing runs as long as a day."""
    old = time.time() - 86_400
    for path in app.settings.scratch.iterdir():
        with suppress(FileNotFoundError):  # its owner has just removed it
            if path.stat().st_mtime < old:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def report_commitments(app: Application) -> Sequence[str]:
    """Storage commitment: peers that left before they heard."""
    from hilum.runtime.reporting import report_commitments as report

    return report(app)


def brief_chores(settings: Settings) -> tuple[Chore, ...]:
    """What others wait for."""
    return (Chore("wake due items", 0.25, wake_due), Chore("checkpoint", settings.checkpoint_seconds, checkpoint))


def long_chores() -> tuple[Chore, ...]:
    """What may take its time."""
    return (
        Chore("erase", 1, erase),
        Chore("fill in attributes", 2, fill_in),
        Chore("recover packs", 5, recover),
        Chore("retire", 600, retire),
        Chore("reclaim", 300, reclaim),
        Chore("discard unkept archives", 3600, discard_unkept),
        Chore("sweep scratch", 3600, sweep_scratch),
        Chore("forget replies", 3600, forget_replies),
    )


def asking_chores() -> tuple[Chore, ...]:
    """What waits for others' answers."""
    return (Chore("report commitments", 1, report_commitments),)


class Housekeeping:
    """Runs the chores in three threads, in the one process that has the lock; the others stand by."""

    def __init__(self, app: Application) -> None:
        stop = threading.Event()
        self._stop = stop
        self._keeper = _OneKeeper(app.settings.data / "housekeeping.lock")
        kinds = (brief_chores(app.settings), long_chores(), asking_chores())
        self._rounds = [_Round(app, chores, self._keeper, stop) for chores in kinds]

    def start(self) -> None:
        """Begin."""
        for each in self._rounds:
            each.thread.start()

    def stop(self) -> None:
        """End after the chores that are being done, or leave them to the end of the process."""
        self._stop.set()
        for each in self._rounds:
            if each.thread.is_alive():
                each.thread.join(timeout=10)
        if not any(each.thread.is_alive() for each in self._rounds):
            self._keeper.close()


class _Round:
    """Some chores, one after another, in a thread."""

    def __init__(self, app: Application, chores: Sequence[Chore], keeper: "_OneKeeper", stop: threading.Event) -> None:
        self.thread = threading.Thread(target=self._run, name=f"housekeeping: {chores[0].name}", daemon=True)
        self._app = app
        self._chores = chores
        self._keeper = keeper
        self._stop = stop
        self._last = dict.fromkeys((chore.name for chore in chores), -math.inf)
        self._told: dict[str, set[str]] = {}

    def _run(self) -> None:
        while not self._stop.wait(0.25):
            if self._keeper.is_mine():
                self._keep()

    def _keep(self) -> None:
        for chore in self._chores:
            now = time.monotonic()
            if now - self._last[chore.name] >= chore.seconds and not self._stop.is_set():
                self._last[chore.name] = now
                self._tell(chore, self._do(chore))

    def _do(self, chore: Chore) -> Sequence[str]:
        try:
            return chore.do(self._app) or ()
        except HilumError as error:
            return (str(error),)
        except Exception:  # noqa: BLE001 - one chore's surprise must not stop the others
            _LOG.exception("housekeeping: %s met a surprise", chore.name)
            return ()

    def _tell(self, chore: Chore, said: Sequence[str]) -> None:
        for sentence in set(said) - self._told.get(chore.name, set()):
            _LOG.warning("housekeeping: %s: %s", chore.name, sentence)
        self._told[chore.name] = set(said)


class _OneKeeper:
    """A lock that the first process takes and keeps; when it ends, another one's `is_mine` becomes true."""

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)

    def close(self) -> None:
        """Let the next process be it; doing it twice does no harm."""
        self._file.close()

    def is_mine(self) -> bool:
        """Whether this process keeps house."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # taking it again does no harm
        except BlockingIOError:
            return False
        return True
