"""The syncs of one file. A long delivery is written back while the rest of it still arrives, so that the sync before the yes is short."""

import logging
import threading
from collections.abc import Callable

AHEAD_BYTES = 32 << 20

_LOG = logging.getLogger(__name__)


class Syncing:
    """One sync of the file at a time, and none after one has failed.

    fsync(2) reports an error once and then counts the pages as clean: whoever asks next, in whatever thread, must be told of it by us.

    Args:
        sync: makes what was written durable.
        ahead_bytes: after so many bytes without a sync, one begins in the background.
    """

    def __init__(self, sync: Callable[[], None], ahead_bytes: int = AHEAD_BYTES) -> None:
        self._sync = sync
        self._ahead_bytes = ahead_bytes
        self._turn = threading.Lock()
        self._unsynced = 0  # only a hint: read and written without the lock
        self._error: BaseException | None = None
        self._is_closed = False

    def note(self, size: int) -> None:
        """So many bytes were written; quick, and never tells of an error."""
        self._unsynced += size
        if self._unsynced >= self._ahead_bytes and not self._turn.locked():
            self._unsynced = 0
            threading.Thread(target=self._sync_ahead, name="hilum-ahead", daemon=True).start()

    def sync(self) -> None:
        """Return when what was written before is durable.

        Raises:
            OSError: it is not, or an earlier sync failed.
        """
        with self._turn:
            self._unsynced = 0
            self._sync_in_turn()

    def close(self, close: Callable[[], None]) -> None:
        """Close the file, which nobody syncs any more."""
        with self._turn:
            self._is_closed = True
            close()

    def _sync_ahead(self) -> None:
        with self._turn:
            if self._is_closed:
                return
            try:
                self._sync_in_turn()
            except Exception as error:  # noqa: BLE001 - kept: the sync that somebody waits for raises it
                _LOG.warning("A sync in the background failed: %s", error)

    def _sync_in_turn(self) -> None:
        if self._error is not None:
            raise self._error
        try:
            self._sync()
        except BaseException as error:
            self._error = error
            raise
