"""Who has which open pack. A slow sender keeps one; the others go on with the rest."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from hilum.model.errors import StorageError
from hilum.model.members import StoredMember
from hilum.stores.packs.open_pack import OpenPack, SyncRound, Use


class OpenPacks:
    """Hands packs out, one hand a pack, and opens more where all are held.

    Args:
        open_pack: makes another pack.
        pack_bytes: a pack that has grown to this is given out no more.
        most: packs open at once.
        wait_seconds: the longest wait for a pack.
        clock: seconds, monotonic.
    """

    def __init__(
        self, open_pack: Callable[[], OpenPack], *, pack_bytes: int, most: int, wait_seconds: float, clock: Callable[[], float]
    ) -> None:
        self._open_pack = open_pack
        self._pack_bytes = pack_bytes
        self._most = most
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._changed = threading.Condition()
        self._packs: list[OpenPack] = []
        self._opening: list[Use] = []
        self._is_closed = False

    def take(self, use: Use) -> OpenPack:
        """A pack for this hand alone, until `give_back`.

        Raises:
            StorageError: all are held and stay so, or the vault is closed, or the disk failed.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_closed or self._has_place(use), self._wait_seconds):
                raise StorageError(f"All {self._most} open packs are held by slow senders.", "Allow more packs to be open at once.")
            if self._is_closed:
                raise StorageError("The vault is closed.", "Send again when the server is back.")
            pack = self._free_pack()
            if pack is not None:
                pack.use = use
                return pack
            self._opening.append(use)
        return self._open(use)

    def give_back(self, pack: OpenPack) -> bool:
        """Free the pack; whether it left instead and is the caller's to seal."""
        with self._changed:
            pack.use = Use.FREE
            pack.used_at = self._clock()
            leaves = self._is_closed or pack.should_leave or pack.has_failed or pack.end >= self._pack_bytes
            if leaves:
                self._packs.remove(pack)
            self._changed.notify_all()
            return leaves

    def take_out(self, is_wanted: Callable[[OpenPack], bool]) -> list[OpenPack]:
        """The free packs that are wanted; they are the caller's to seal."""
        with self._changed:
            leaving = [pack for pack in self._packs if pack.use is Use.FREE and is_wanted(pack)]
            self._packs = [pack for pack in self._packs if pack not in leaving]
            self._changed.notify_all()
            return leaving

    def send_out(self, is_wanted: Callable[[OpenPack], bool]) -> list[OpenPack]:
        """As `take_out`; wanted packs that are held leave when they are given back."""
        with self._changed:
            for pack in filter(is_wanted, self._packs):
                pack.should_leave = True
        return self.take_out(is_wanted)

    def close(self) -> list[OpenPack]:
        """Give no more packs out; the free ones are the caller's to seal, the others leave when they are given back."""
        with self._changed:
            self._is_closed = True
        return self.take_out(lambda _pack: True)

    def _open(self, use: Use) -> OpenPack:
        """Outside the lock: it waits for the disk and the ledger."""
        pack = None
        try:
            pack = self._open_pack()
            pack.use = use
            return pack
        finally:
            with self._changed:
                self._opening.remove(use)
                if pack is not None:
                    self._packs.append(pack)
                self._changed.notify_all()

    def _has_place(self, use: Use) -> bool:
        busy = [pack.use for pack in self._packs if pack.use is not Use.FREE] + self._opening
        if use is Use.BRIEF and Use.BRIEF in busy:
            # Waiting for a body that is in memory is shorter than opening a pack, and shares its sync.
            return self._free_pack() is not None
        held = sum(1 for each in busy if each is not Use.BRIEF)
        if use is not Use.BRIEF and held >= max(1, self._most - 1):
            return False  # one pack is left to whole bodies, so that slow senders cannot hold up everybody
        return self._free_pack() is not None or len(self._packs) + len(self._opening) < self._most

    def _free_pack(self) -> OpenPack | None:
        return next((pack for pack in self._packs if pack.use is Use.FREE and not pack.has_failed), None)


class Lease:
    """One hand's use of a pack: ended once, by `finish` or by `drop`; dropped when its `with` block ends without either.

    Args:
        packs: where the pack is given back.
        pack: taken there for `use`.
        wait: returns when a sync is done and what it covers is indexed.
        retire: seals a pack that has left.
    """

    def __init__(
        self,
        packs: OpenPacks,
        pack: OpenPack,
        use: Use,
        wait: Callable[[OpenPack, SyncRound], None],
        retire: Callable[[OpenPack], None],
    ) -> None:
        self.pack = pack
        self._start = self.pack.end
        self._packs = packs
        self._use = use
        self._wait = wait
        self._retire = retire
        self._is_over = False

    def finish(self, members: list[StoredMember]) -> None:
        """Give the pack back, then wait until the members are durable and indexed, so that the next hand writes meanwhile.

        Raises:
            HilumError: they are not.
        """
        self.hand_over(members)()

    def hand_over(self, members: list[StoredMember]) -> Callable[[], None]:
        """Give the pack back; the call that is returned waits as `finish` does, and must be made."""
        self._is_over = True
        sync = self.pack.join(members)
        # What stands after a batch proves to recovery that the batch was durable, so nobody may write behind it before it is.
        leaves = None if self._use is Use.BATCH else self._packs.give_back(self.pack)
        return lambda: self._wait_for(sync, leaves)

    def _wait_for(self, sync: SyncRound, leaves: bool | None) -> None:
        try:
            self._wait(self.pack, sync)
        finally:
            self._after(self._packs.give_back(self.pack) if leaves is None else leaves)

    def drop(self) -> None:
        """Cut the pack back to where the lease began and give it back."""
        self._is_over = True
        try:
            self.pack.cut(self._start)
        finally:
            self._after(self._packs.give_back(self.pack))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self._is_over:
            self.drop()

    def _after(self, leaves: bool) -> None:
        if leaves or (self.pack.has_failed and self._packs.take_out(lambda pack: pack is self.pack)):
            self._retire(self.pack)
