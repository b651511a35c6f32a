"""A pack that is being written: one hand at a time, many waiting for the same sync."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from hilum.model.errors import StorageError
from hilum.model.members import MemberNote, StoredMember
from hilum.stores.packs.disk import Disk, is_full, lock, refusal, sync_folder, write_fully, write_gathered
from hilum.stores.packs.grouping import GroupCommit, Round
from hilum.stores.packs.layout import END_OF_ARCHIVE, HEADER_BYTES, commit_name, encode_header, member_name, padding
from hilum.stores.packs.syncing import Syncing


class Use(Enum):
    """What a pack is doing in its pool."""

    FREE = auto()
    BRIEF = auto()  # a whole body is being appended: worth waiting for
    STREAM = auto()  # held for as long as a sender takes
    BATCH = auto()  # the same, and until all of it is durable


WholeBody = tuple[bytes | bytearray | memoryview, MemberNote, bytes]
"""A member's bytes, its note and its SHA-256."""


@dataclass(frozen=True, slots=True)
class Appended:
    """Members that are written but perhaps not durable, and where the pack ended after them."""

    members: Sequence[StoredMember]
    end: int


@dataclass(frozen=True, slots=True)
class Durable:
    """Members of a pack that are on stable storage up to `end`, to be indexed."""

    pack: "OpenPack"
    members: Sequence[StoredMember]
    end: int


IndexRound = Round[Durable, None]
SyncRound = Round[Appended, IndexRound | None]


class OpenPack:
    """The tail of one file. Appending needs the pack to itself; `join` and `finish` do not.

    Args:
        path: of the new file; its name is the pack's id.
        disk: how to write.
        announce: is told the members of a sync once they are durable, in the order of the file; returns the round of the index they joined.

    Raises:
        HilumError: the file cannot be made.
    """

    def __init__(self, path: Path, disk: Disk, announce: Callable[[Durable], IndexRound | None]) -> None:
        self.pack_id = path.stem
        self.end = 0  # of the last member that is filled in
        self.durable_end = 0
        self.indexed_end = 0  # what stands behind it and was refused is cut off
        self.is_refused = False  # the index could not be written: nothing of this pack is indexed any more
        self.use = Use.FREE
        self.used_at = 0.0
        self.has_failed = False
        self.should_leave = False  # somebody asked for it to be sealed
        self._disk = disk
        self._announce = announce
        self._size = 0  # of the member being written
        self._syncs: GroupCommit[Appended, IndexRound | None] = GroupCommit(self._sync, lambda error: refusal(error, self.pack_id))
        self._fd = _create(path)
        self._syncing = Syncing(lambda: disk.sync(self._fd), disk.ahead_bytes)

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append to the member being written; its header's place stays empty until `fill_in`.

        Raises:
            StorageFullError: no room. The member is gone, the pack goes on.
            StorageError: the disk failed. The pack is to be abandoned.
        """
        at = self.end + HEADER_BYTES + self._size
        try:
            self._require_sound()
            self._disk.require_space(len(chunk))
            write_fully(self._fd, chunk, at)
        except Exception as error:
            self._give_up(error)
            raise refusal(error, self.pack_id) from error
        self._size += len(chunk)
        self._syncing.note(len(chunk))

    def fill_in(self, note: MemberNote, sha256: bytes, *, is_commit: bool = False) -> StoredMember:
        """Write the header of the member being written: it stands now, though it may not be durable.

        Raises:
            HilumError: as `write`; InvalidError: the note does not fit.
        """
        name = commit_name(note.batch) if is_commit else member_name(note, sha256)
        member = StoredMember(self.pack_id, self.end + HEADER_BYTES, self._size, sha256, name, note)
        try:
            self._require_sound()
            write_fully(self._fd, padding(member.size), member.offset + member.size)
            write_fully(self._fd, encode_header(member), self.end)
        except Exception as error:
            self._give_up(error)
            raise refusal(error, self.pack_id) from error
        self.end, self._size = member.end, 0
        return member

    def append(self, bodies: Sequence[WholeBody]) -> list[StoredMember]:
        """Write whole members, one behind the other, with one call.

        Header and bytes may reach the disk in any order: what follows them is believed only where the bytes have the header's digest.

        Raises:
            HilumError: as `write` and `fill_in`; none of them stands.
        """
        buffers: list[bytes | bytearray | memoryview] = []
        members: list[StoredMember] = []
        end = self.end
        try:
            for body, note, sha256 in bodies:
                member = StoredMember(self.pack_id, end + HEADER_BYTES, len(body), sha256, member_name(note, sha256), note)
                buffers += encode_header(member), body, padding(member.size)
                members.append(member)
                end = member.end
            self._require_sound()
            self._disk.require_space(end - self.end)
            write_gathered(self._fd, buffers, self.end)
        except Exception as error:
            self._give_up(error)
            raise refusal(error, self.pack_id) from error
        self._syncing.note(sum(member.size for member in members))
        self.end = end
        return members

    def cut(self, end: int) -> None:
        """Take back what was written from `end` on and never acknowledged.

        Raises:
            StorageError: the disk failed. The pack is to be abandoned.
        """
        self._size = 0
        if self.has_failed:
            return
        try:
            os.ftruncate(self._fd, end)
        except OSError as error:
            self.has_failed = True
            raise refusal(error, self.pack_id) from error
        self.end = end

    def join(self, members: Sequence[StoredMember]) -> SyncRound:
        """Take part in the next sync; done before the pack goes to the next hand, so that the order of syncs is the order of the file."""
        return self._syncs.join(Appended(members, self.end))

    def finish(self, sync: SyncRound) -> IndexRound | None:
        """Wait until the members that joined are durable; return what `announce` returned.

        Raises:
            HilumError: they are not; the pack is to be abandoned.
        """
        return self._syncs.finish(sync)

    def seal(self) -> int:
        """End the archive and return the size of the file.

        Raises:
            OSError: the end may not be durable; the members are.
        """
        # All members were durable before, so whoever reads these blocks knows that no member before them is half there.
        write_fully(self._fd, END_OF_ARCHIVE, self.end)
        self._syncing.sync()
        return self.end + len(END_OF_ARCHIVE)

    def refuse(self) -> None:
        """The index could not be written: whoever waits is told so, and nothing is appended any more."""
        self.is_refused = self.has_failed = True

    def cut_refused(self) -> None:
        """Take back what was written behind the last indexed member and refused, lest a start believes it. Nobody has the pack any more.

        Raises:
            OSError: it may still be there.
        """
        os.ftruncate(self._fd, self.indexed_end)

    def close(self) -> None:
        """Let the file and its lock go."""
        self._syncing.close(lambda: os.close(self._fd))

    def _sync(self, appended: list[Appended]) -> IndexRound | None:
        self._require_sound()
        try:
            self._syncing.sync()
        except BaseException:
            # fsync(2): after an error the pages count as clean, so that a second call may succeed falsely. Never again on this file.
            self.has_failed = True
            raise
        self.durable_end = appended[-1].end
        return self._announce(Durable(self, [member for each in appended for member in each.members], self.durable_end))

    def _require_sound(self) -> None:
        if self.has_failed:
            raise StorageError(f"Pack {self.pack_id} is abandoned: the disk failed.", "Send again what was not acknowledged.")

    def _give_up(self, error: Exception) -> None:
        """Drop the member being written. Only a disk that is full leaves the pack sound: what stands in it was written and stays."""
        if isinstance(error, OSError) and not is_full(error):
            self.has_failed = True
        self.cut(self.end)


def _create(path: Path) -> int:
    """A new file, owned, whose name is durable before the first member in it can be acknowledged."""
    fd = -1
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        lock(fd, path)
        sync_folder(path.parent)
    except Exception as error:
        if fd >= 0:
            os.close(fd)
            path.unlink()
        raise refusal(error, path.stem) from error
    return fd
