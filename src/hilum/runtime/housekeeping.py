"""What must be done now and then, by one process at a time: due items wake, the log is written back, what is buried is erased."""

import fcntl
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hilum.model.errors import HilumError
from hilum.model.identity import SYSTEM
from hilum.runtime.assembling import Application
from hilum.runtime.settings import Settings

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chore:
    """One thing to do, every so many seconds."""

    name: str
    seconds: float
    do: Callable[[Application], object]


def wake_due(app: Application) -> None:
    """Deferred items whose time has come, and items of silent workers."""
    app.ledger.wake_due(SYSTEM)


def checkpoint(app: Application) -> None:
    """SQLite's log back into its file; nobody else does (docs/architecture.md 5)."""
    app.database.checkpoint()


def erase(app: Application) -> None:
    """Studies that were deleted: their bytes go."""
    app.eraser.erase_all()


def retire(app: Application) -> None:
    """Studies older than their project keeps them."""
    app.eraser.retire_due()


def fill_in(app: Application) -> None:
    """Attributes that a template named after their instances came."""
    from hilum.runtime.filling_in import fill_in_attributes

    fill_in_attributes(app)


def sweep_scratch(app: Application) -> None:
    """Scratch folders that a killed worker left: nothing runs as long as a day."""
    old = time.time() - 86_400
    for path in app.settings.scratch.iterdir():
        with suppress(FileNotFoundError):  # its owner has just removed it
            if path.stat().st_mtime < old:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def chores(settings: Settings) -> tuple[Chore, ...]:
    """All of them."""
    return (
        Chore("wake due items", 0.25, wake_due),
        Chore("checkpoint", settings.checkpoint_seconds, checkpoint),
        Chore("erase", 1, erase),
        Chore("fill in attributes", 2, fill_in),
        Chore("retire", 600, retire),
        Chore("sweep scratch", 3600, sweep_scratch),
    )


class Housekeeping:
    """Runs the chores in a thread, in the one process that has the lock; the others stand by."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._chores = chores(app.settings)
        self._last = {chore.name: 0.0 for chore in self._chores}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        with _OneKeeper(self._app.settings.data / "housekeeping.lock") as keeper:
            while not self._stop.wait(0.25):
                if keeper.is_mine():
                    self._keep()

    def _keep(self) -> None:
        now = time.monotonic()
        for chore in self._chores:
            if now - self._last[chore.name] >= chore.seconds and not self._stop.is_set():
                self._last[chore.name] = now
                self._do(chore)

    def _do(self, chore: Chore) -> None:
        try:
            chore.do(self._app)
        except HilumError as error:
            _LOG.warning("housekeeping: %s: %s", chore.name, error)
        except Exception:  # noqa: BLE001 - one chore's surprise must not stop the others
            _LOG.exception("housekeeping: %s met a surprise", chore.name)


class _OneKeeper:
    """A lock that the first process takes and keeps; when it ends, another one's `is_mine` becomes true."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mine = False

    def __enter__(self) -> "_OneKeeper":
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def is_mine(self) -> bool:
        if not self._mine:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self._mine = True
        return True
