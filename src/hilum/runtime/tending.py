"""A process' own packs: open while it runs, sealed when idle, when somebody waits for them, and at the end."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from hilum.model.errors import HilumError
from hilum.runtime.assembling import Application, open_pool
from hilum.stores.packs import PackPool

_LOG = logging.getLogger(__name__)
SECONDS = 0.5


@contextmanager
def tended_pool(app: Application, kind: str, *, indexes_behind: bool = False) -> Iterator[PackPool]:
    """A pool of packs of one kind, tended by a thread of its own."""
    ended = threading.Event()
    with open_pool(app, kind, indexes_behind=indexes_behind) as pool:
        thread = threading.Thread(target=_tend, args=(app, pool, ended), name=f"tending {kind} packs", daemon=True)
        thread.start()
        try:
            yield pool
        finally:
            ended.set()
            thread.join()


def _tend(app: Application, pool: PackPool, ended: threading.Event) -> None:
    while not ended.wait(SECONDS):
        try:
            wanted = app.pack_index.wanted_sealed()
            if wanted:
                pool.seal(wanted)
            pool.tend()
        except Exception as error:  # noqa: BLE001 - the disk or the ledger may fail for a while; packs are tended again
            _LOG.warning("packs could not be tended: %s", error if isinstance(error, HilumError) else type(error).__name__)
