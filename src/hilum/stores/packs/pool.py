"""The packs that a process writes: many threads store, few packs grow."""

import hashlib
import logging
import threading
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from hilum.model.errors import StorageError
from hilum.model.members import MemberNote, StoredMember
from hilum.stores.packs.disk import Disk, count_free_bytes, pack_path, reason_of, refusal, sync_durably
from hilum.stores.packs.indexing import Index, IndexBefore, IndexBehind, Indexing
from hilum.stores.packs.leasing import Lease, OpenPacks
from hilum.stores.packs.open_pack import Durable, OpenPack, SyncRound, Use, WholeBody
from hilum.stores.packs.recovering import recover
from hilum.stores.packs.syncing import AHEAD_BYTES
from hilum.stores.packs.writing import Batch, MemberWriter, require_digest

_LOG = logging.getLogger(__name__)


class PackPool:
    """Stores members so that what it returned is on stable storage and indexed, or soon will be.

    Args:
        folder: of all packs; on a local file system.
        kind: what these packs are for: `received`, `deidentified` or `results`.
        index: is told durable members, those of a pack in its order; one call at a time, many members a call. What it was told is
            where recovery begins, so all members of a call belong into one transaction.
        indexes_behind: what is returned is durable, and the index follows; `settle` waits for it.
        on_opened: is told a new pack's id before anything is in it.
        on_sealed: is told a pack's id and size in bytes after its last member was indexed.
        pack_bytes: a pack is sealed when it has grown to this; the last member may go beyond.
        idle_seconds: `tend` seals a pack in which nothing was stored for so long.
        writers: the most packs open at once. Streams and batches leave one of them to whole bodies.
        wait_seconds: how long anyone waits for a pack when all are held.
        free_bytes_watermark: bytes that are left free on the disk.
        clock: seconds, monotonic.
        new_id: makes the UUIDs of packs and batches.
        sync: makes a file durable.
        free_bytes: tells the room in a folder.
        ahead_bytes: after so many bytes of a long delivery the disk begins to work, while the rest still arrives.
    """

    def __init__(
        self,
        folder: Path,
        *,
        kind: str,
        index: Index,
        on_opened: Callable[[str], None],
        on_sealed: Callable[[str, int], None],
        indexes_behind: bool = False,
        pack_bytes: int = 1 << 30,
        idle_seconds: float = 300.0,
        writers: int = 32,
        wait_seconds: float = 30.0,
        free_bytes_watermark: int = 1 << 30,
        clock: Callable[[], float] = time.monotonic,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        sync: Callable[[int], None] = sync_durably,
        free_bytes: Callable[[Path], int] = count_free_bytes,
        ahead_bytes: int = AHEAD_BYTES,
    ) -> None:
        self._disk = Disk(folder, free_bytes_watermark, sync, free_bytes, ahead_bytes)
        self._kind = kind
        self._on_opened = on_opened
        self._on_sealed = on_sealed
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._new_id = new_id
        self._indexing: Indexing = IndexBehind(index) if indexes_behind else IndexBefore(index)
        self._retire_left = self._retire_apart if indexes_behind else self._retire
        self._packs = OpenPacks(self._open, pack_bytes=pack_bytes, most=writers, wait_seconds=wait_seconds, clock=clock)
        self._unsettled: list[OpenPack] = []  # abandoned, or not sealed
        self._settling = threading.Lock()
        self._retiring: list[threading.Thread] = []

    def store(self, body: bytes | bytearray | memoryview, note: MemberNote, expected_sha256: bytes | None = None) -> StoredMember:
        """Keep a whole body; callers of the same moment share one sync and one call of `index`.

        Raises:
            DigestError: `expected_sha256` is that of other bytes; nothing is kept.
            StorageFullError: no room; nothing was lost, and it works again when there is.
            StorageError: the disk or the index failed: not acknowledged, to be sent again.
        """
        sha256 = hashlib.sha256(body).digest()
        require_digest(sha256, expected_sha256)
        with self._lease(Use.BRIEF) as lease:
            [member] = lease.pack.append([(body, self._marked(note), sha256)])
            lease.finish([member])
        return member

    def store_all(self, bodies: Sequence[WholeBody]) -> list[StoredMember]:
        """Keep whole bodies with one sync and one call of `index`: cheaper than as many threads that each `store` one.

        Args:
            bodies: each with its note and its SHA-256.

        Raises:
            StorageFullError, StorageError: as `store`; none of them is acknowledged.
        """
        members, wait = self.write_all(bodies)
        wait()
        return members

    def write_all(self, bodies: Sequence[WholeBody]) -> tuple[list[StoredMember], Callable[[], None]]:
        """Write whole bodies; the call that is returned must be made, and waits until they are kept as `store_all` keeps them.

        Raises:
            StorageFullError, StorageError: as `store`, here and from the call that waits.
        """
        with self._lease(Use.BRIEF) as lease:
            members = lease.pack.append([(body, self._marked(note), sha256) for body, note, sha256 in bodies])
            return members, lease.hand_over(members)

    def begin(self, note: MemberNote) -> MemberWriter:
        """Begin a member of unknown length; it holds a pack until it is committed or abandoned.

        Raises:
            StorageFullError: no room.
            StorageError: the disk failed, or every pack is held by a slow sender.
        """
        lease = self._lease(Use.STREAM)
        return MemberWriter(lease.pack, self._marked(note), lambda member: lease.finish([member]), lease.drop)

    def batch(self) -> Batch:
        """Begin members that become visible all or none; raises as `begin`."""
        return Batch(self._new_id(), self._kind, self._lease(Use.BATCH))

    def seal(self, pack_ids: Collection[str]) -> None:
        """Seal these packs now, or as soon as their writers are through (they are to be rewritten, uploaded, ...)."""
        for pack in self._packs.send_out(lambda pack: pack.pack_id in pack_ids):
            self._retire(pack)

    def tend(self) -> None:
        """Seal idle packs and read abandoned ones again; to be called now and then."""
        idle_since = self._clock() - self._idle_seconds
        for pack in self._packs.take_out(lambda pack: pack.used_at <= idle_since):
            self._retire(pack)
        with self._settling:
            self._unsettled = [pack for pack in self._unsettled if not self._settle(pack)]

    def close(self) -> None:
        """Take nothing more and seal all packs; one that a stream still holds is sealed when it ends."""
        for pack in self._packs.close():
            self._retire(pack)
        for thread in self._retiring:
            thread.join()
        self._indexing.close()

    def settle(self) -> None:
        """Return when all that was stored before is indexed.

        Raises:
            StorageError: the index fails; it is told again until it succeeds.
        """
        self._indexing.settle()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _marked(self, note: MemberNote) -> MemberNote:
        return note if note.kind == self._kind else replace(note, kind=self._kind)

    def _lease(self, use: Use) -> Lease:
        self._disk.require_space(0)
        self._indexing.require()
        return Lease(self._packs, self._packs.take(use), use, self._wait, self._retire_left)

    def _open(self) -> OpenPack:
        path = pack_path(self._disk.folder, self._new_id())
        pack = OpenPack(path, self._disk, self._indexing.join)
        try:
            self._on_opened(pack.pack_id)
        except Exception as error:
            pack.close()
            path.unlink()
            raise refusal(error, pack.pack_id) from error
        return pack

    def _wait(self, pack: OpenPack, sync: SyncRound) -> None:
        self._indexing.finish(pack.finish(sync))
        if pack.is_refused and pack.indexed_end < sync.items[-1].end:
            raise StorageError(f"What stands before it in pack {pack.pack_id} could not be indexed.", "Send it again.")

    def _retire_apart(self, pack: OpenPack) -> None:
        """Nobody waits for it: sealing waits for the index, and a member's yes does not."""
        thread = threading.Thread(target=self._retire, args=(pack,), name=f"sealing {pack.pack_id}")
        self._retiring = [other for other in self._retiring if other.is_alive()] + [thread]
        thread.start()

    def _retire(self, pack: OpenPack) -> None:
        """Seal a pack that left the pool."""
        if pack.is_refused:
            self._abandon(pack)
            return
        try:
            # Whoever still waits for a sync of this pack joined before us: their members are indexed before the ledger calls it sealed.
            self._wait(pack, pack.join([]))
            self._indexing.settle()
            self._on_sealed(pack.pack_id, pack.seal())
        except Exception:  # noqa: BLE001 - the caller's own member may be safe, and this pack is not lost: `tend` comes back to it
            _LOG.warning("Pack %s could not be sealed; it will be read again.", pack.pack_id, exc_info=True)
            with self._settling:
                self._unsettled.append(pack)
        finally:
            pack.close()

    def _abandon(self, pack: OpenPack) -> None:
        """Take what was refused out of a pack at once, lest a start after a kill believes it; `tend` seals the rest."""
        _LOG.warning("Pack %s is written no more: what came last could not be indexed, and was refused.", pack.pack_id)
        try:
            pack.cut_refused()
        except OSError as error:
            _LOG.warning("Pack %s could not be cut yet: %s", pack.pack_id, reason_of(error))
        finally:
            with self._settling:
                self._unsettled.append(pack)
            pack.close()

    def _settle(self, pack: OpenPack) -> bool:
        """Read a pack again from disk: what was acknowledged must be there, what was refused goes. Returns whether it is sealed now."""
        try:
            # What is durable and still waits for the index comes first: only then is it known where the pack ends.
            self._indexing.finish(self._indexing.join(Durable(pack, [], pack.durable_end)))
            self._indexing.settle()
            recovery = recover(pack_path(self._disk.folder, pack.pack_id), end=pack.indexed_end, sync=self._disk.sync)
            for member in recovery.damaged:
                _LOG.error("The acknowledged member at %d of pack %s is damaged.", member.offset, pack.pack_id)
            self._on_sealed(pack.pack_id, recovery.size)
        except Exception:  # noqa: BLE001 - the disk may be bad for a while; the pack stays open in the ledger and is tried again
            _LOG.warning("Pack %s could not be read again.", pack.pack_id, exc_info=True)
            return False
        return True
