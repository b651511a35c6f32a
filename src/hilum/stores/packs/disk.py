"""What packs need of a disk: bytes that stay, a lock, room."""

import errno
import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hilum.model.errors import ConflictError, HilumError, StorageError, StorageFullError
from hilum.stores.packs.syncing import AHEAD_BYTES

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_MOST_GATHERED = 1024  # pwritev(2): EINVAL for more, IOV_MAX of all systems that have it


def sync_durably(fd: int) -> None:
    """Return when what was written to `fd` is on stable storage."""
    if hasattr(fcntl, "F_FULLFSYNC"):
        # macOS: fsync(2) leaves the bytes in the drive's own cache.
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(fd)


def sync_folder(folder: Path) -> None:
    """Return when the names in `folder` are on stable storage: a durable file without its name is lost all the same."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def count_free_bytes(folder: Path) -> int:
    """Bytes that this process may still write below `folder`."""
    return shutil.disk_usage(folder).free


class RecentFreeBytes:
    """As `count_free_bytes`, but while there is plenty asked again only now and then: each of thousands of images a second wants it.

    Args:
        plenty: so many bytes are not used up in `seconds`.
    """

    def __init__(self, plenty: int, seconds: float = 0.05, ticks: Callable[[], float] = time.monotonic) -> None:
        self._plenty = plenty
        self._seconds = seconds
        self._ticks = ticks
        self._found: dict[Path, tuple[float, int]] = {}

    def __call__(self, folder: Path) -> int:
        until, free = self._found.get(folder, (0.0, 0))
        now = self._ticks()
        if now >= until or free < self._plenty:
            free = count_free_bytes(folder)
            self._found[folder] = now + self._seconds, free
        return free


@dataclass(frozen=True, slots=True)
class Disk:
    """The folder of packs and what is allowed there.

    Args:
        folder: where the packs lie.
        watermark: bytes that are left free for the ledger and for people.
        sync: makes a file durable.
        free_bytes: tells the room.
        ahead_bytes: so much of a long delivery is written before the disk begins to work on it.
    """

    folder: Path
    watermark: int = 0
    sync: Callable[[int], None] = sync_durably
    free_bytes: Callable[[Path], int] = count_free_bytes
    ahead_bytes: int = AHEAD_BYTES

    def require_space(self, wanted: int) -> None:
        """Return where `wanted` more bytes leave the watermark free.

        Raises:
            StorageFullError: they do not.
            StorageError: the folder is not there.
        """
        try:
            free = self.free_bytes(self.folder)
        except OSError as error:
            raise StorageError(f"The vault's folder cannot be used: {reason_of(error)}.", "Look at the disk.") from error
        if free - wanted < self.watermark:
            raise StorageFullError(
                f"The vault's disk has {free} bytes left and must keep {self.watermark}.", "Free some space; nothing was lost."
            )


def pack_path(folder: Path, pack_id: str) -> Path:
    """Where a pack lies.

    Raises:
        StorageError: `pack_id` is no UUID in its usual form, so no path is made of it.
    """
    if not is_pack_id(pack_id):
        raise StorageError(f"{pack_id!r:.60} is not the id of a pack.")
    return folder / f"{pack_id}.tar"


def is_pack_id(text: str) -> bool:
    """Whether this is a UUID in its usual form."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def find_packs(folder: Path) -> list[Path]:
    """All packs by name. A file with another name is a person's own, a copy perhaps, and is left alone."""
    return sorted(path for path in folder.glob("*.tar") if is_pack_id(path.stem))


def write_fully(fd: int, body: bytes | bytearray | memoryview, at: int) -> None:
    """Write all of `body` at offset `at`, however many calls it takes."""
    rest = memoryview(body).cast("B")
    while rest:
        written = os.pwrite(fd, rest, at)
        rest, at = rest[written:], at + written


def write_gathered(fd: int, buffers: Sequence[bytes | bytearray | memoryview], at: int) -> None:
    """Write all of `buffers`, one behind the other, at offset `at`, with as few calls as the system allows."""
    for start in range(0, len(buffers), _MOST_GATHERED):
        some = buffers[start : start + _MOST_GATHERED]
        size, written = sum(map(len, some)), os.pwritev(fd, some, at)
        if written < size:
            _write_rest(fd, some, at, written)
        at += size


def _write_rest(fd: int, buffers: Sequence[bytes | bytearray | memoryview], at: int, written: int) -> None:
    """Of `buffers`, which belong at offset `at`, the first `written` bytes are there."""
    for buffer in buffers:
        if written < len(buffer):
            write_fully(fd, memoryview(buffer)[written:], at + written)
        at, written = at + len(buffer), max(0, written - len(buffer))


def lock(fd: int, path: Path) -> None:
    """Own an open pack until it is closed.

    Raises:
        ConflictError: another process, or another part of this one, writes it.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConflictError(f"Pack {path.stem} is being written by another process.", "Stop it first.") from error


def is_full(error: Exception) -> bool:
    """Whether the disk, or our share of it, has no room."""
    return isinstance(error, OSError) and error.errno in _FULL


def reason_of(error: OSError) -> str:
    """What the operating system says, without the path that it names: a pack is known by its id."""
    return error.strerror or type(error).__name__


def refusal(error: Exception, pack_id: str) -> HilumError:
    """What the sender of a member is told when the disk failed it; a new exception for each, as each has its own traceback."""
    if is_full(error):
        return StorageFullError(f"The vault's disk is full (pack {pack_id}).", "Free some space; what was acknowledged is kept.")
    if isinstance(error, HilumError):
        return type(error)(error.sentence, error.mend)
    # Not the error's own words: a database's may quote what was sent.
    reason = reason_of(error) if isinstance(error, OSError) else type(error).__name__
    return StorageError(f"Pack {pack_id} could not be written ({reason}).", "Send again what was not acknowledged, and look at the disk.")
