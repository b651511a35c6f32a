"""Telling the index what is durable: before whoever stored it hears yes, or behind that.

token = indexing.join(durable)      quick, in the order of the pack
indexing.finish(token)              before the yes
indexing.settle()                   before a pack is sealed: all that joined is indexed
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from hilum.model.errors import HilumError, StorageError
from hilum.model.members import StoredMember
from hilum.stores.packs.grouping import GroupCommit
from hilum.stores.packs.open_pack import Durable, IndexRound

Index = Callable[[Sequence[StoredMember]], None]

_GATHER_SECONDS = 0.03  # what becomes durable within it shares a transaction
_PAUSE_SECONDS = 0.008  # behind a burst of so many members nothing more is waited for
_BURST_MEMBERS = 16
_GATHER_MEMBERS = 256  # so many do not wait for more
_RETRY_SECONDS = 0.5
_MOST_BEHIND_BYTES = 1 << 30  # with more the index is too slow for what comes, and a start after a kill would read for long
_SETTLE_SECONDS = 60.0

_LOG = logging.getLogger(__name__)


class Indexing(Protocol):
    """What a pool needs."""

    def require(self) -> None:
        """Raise where nothing more may be taken."""

    def join(self, durable: Durable) -> IndexRound | None:
        """Members of a pack that are durable now, in the order of the pack."""

    def finish(self, mine: IndexRound | None) -> None:
        """Return when whoever stored them may hear yes; raise where they must hear no."""

    def settle(self) -> None:
        """Return when all that joined before is indexed; raise where it is not."""

    def close(self) -> None:
        """Index what there is; nothing joins any more."""


class IndexBefore:
    """The yes waits for the index: where that fails, what could not be indexed is refused and cut off.

    Args:
        index: is told durable members, those of a pack in its order; one call at a time, many members a call.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._rounds: GroupCommit[Durable, None] = GroupCommit(self._index_round, _refuse_unindexed)
        self.join = self._rounds.join

    def require(self) -> None:
        """Whatever is wrong shows when it is tried."""

    def finish(self, mine: IndexRound | None) -> None:
        if mine is not None:
            self._rounds.finish(mine)

    def settle(self) -> None:
        """Whoever joined waits by itself."""

    def close(self) -> None:
        """Nothing is left."""

    def _index_round(self, told: list[Durable]) -> None:
        """Where members of a pack could not be indexed none behind them is: they are cut off together."""
        taken = [each for each in told if not each.pack.is_refused]
        members = [member for each in taken for member in each.members]
        try:
            if members:
                self._index(members)
        except BaseException:
            for each in taken:
                if each.members:
                    each.pack.refuse()
            raise
        for each in taken:
            each.pack.indexed_end = each.end


class IndexBehind:
    """The yes waits for the disk alone: packs are the journal, and the index follows in batches, in a thread.

    A kill between the two is what recovery is for: it reads from the last indexed member on. While the index fails nothing more is taken,
    and what is durable is told again until it succeeds.

    Args:
        index: as that of `IndexBefore`.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._changed = threading.Condition()
        self._waiting: deque[Durable] = deque()
        self._behind = self._behind_bytes = 0  # members in it
        self._joined = self._told = 0
        self._tries = self._tried = 0  # begun, ended
        self._is_hurried = self._is_closed = False
        self._trouble: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="hilum-index", daemon=True)
        self._thread.start()

    def require(self) -> None:
        if self._trouble is not None:
            self.settle()  # it may be over: whoever comes first finds out
        if self._behind_bytes > _MOST_BEHIND_BYTES:
            raise StorageError("The pack index is too far behind.", "Send again in a while, and look at the ledger's disk.")

    def join(self, durable: Durable) -> None:
        with self._changed:
            self._waiting.append(durable)
            self._joined += 1
            self._count(durable, +1)
            if len(self._waiting) == 1 or self._behind >= _GATHER_MEMBERS:  # else it gathers anyway, and waking it costs a switch each time
                self._changed.notify_all()

    def finish(self, mine: IndexRound | None) -> None:
        """It is durable: that is all."""

    def settle(self) -> None:
        with self._changed:
            wanted, next_try = self._joined, self._tries + 1
            self._is_hurried = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._told >= wanted or (self._trouble and self._tried >= next_try), _SETTLE_SECONDS)
            if self._told < wanted:
                raise _refuse_unindexed(self._trouble or TimeoutError())

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()

    def _count(self, durable: Durable, sign: int) -> None:
        self._behind += sign * len(durable.members)
        self._behind_bytes += sign * sum(member.size for member in durable.members)

    def _run(self) -> None:
        while told := self._gather():
            if self._is_indexed(told):
                self._forget(len(told))
            elif self._is_closed:
                _LOG.warning("%d durable members are not indexed; the next start finds them in their packs.", self._behind)
                return

    def _gather(self) -> list[Durable]:
        """What is to be told next; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            if self._trouble is not None:
                self._changed.wait_for(lambda: self._is_hurried or self._is_closed, _RETRY_SECONDS)
            else:
                self._wait_for_more()
            self._is_hurried = False
            self._tries += 1
            return list(self._waiting)

    def _wait_for_more(self) -> None:
        """What comes shortly after shares the transaction."""
        now = time.monotonic()
        until, seen = now + _GATHER_SECONDS, -1
        while now < until and (self._joined > seen or self._behind < _BURST_MEMBERS):
            seen = self._joined
            if self._changed.wait_for(lambda: self._is_hurried or self._is_closed or self._behind >= _GATHER_MEMBERS, _PAUSE_SECONDS):
                return
            now = time.monotonic()

    def _is_indexed(self, told: Sequence[Durable]) -> bool:
        members = [member for each in told for member in each.members]
        try:
            if members:
                self._index(members)
        except Exception as error:  # noqa: BLE001 - kept for whoever wants to store; it is tried again
            if self._trouble is None:
                _LOG.warning("The pack index cannot be written: %s", type(error).__name__)
            with self._changed:
                self._trouble = error
                self._tried = self._tries
                self._changed.notify_all()
            return False
        for each in told:
            each.pack.indexed_end = each.end
        return True

    def _forget(self, count: int) -> None:
        with self._changed:
            self._told += count
            for _ in range(count):
                self._count(self._waiting.popleft(), -1)
            self._trouble = None
            self._tried = self._tries
            self._changed.notify_all()


def _refuse_unindexed(error: Exception) -> HilumError:
    if isinstance(error, HilumError):
        return type(error)(error.sentence, error.mend)
    reason = type(error).__name__
    return StorageError(f"What is durable is not indexed: the pack index could not be written ({reason}).", "Send again what was refused.")
