"""A pack whose writer died is read from the last indexed member on, its torn tail cut off, and sealed."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hilum.model.errors import StorageError
from hilum.model.members import StoredMember
from hilum.stores.packs.disk import lock, reason_of, sync_durably, sync_folder, write_fully
from hilum.stores.packs.layout import END_OF_ARCHIVE
from hilum.stores.packs.scanning import verify_open


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was found from `start` on.

    Args:
        members: whole, durable, to be indexed.
        damaged: no longer what their header says, though something whole stands behind them: to be reported.
        cut_at: where the torn tail began.
        size: of the sealed file, in bytes.
    """

    members: Sequence[StoredMember]
    damaged: Sequence[StoredMember]
    cut_at: int
    size: int


def recover(path: Path, start: int = 0, *, end: int | None = None, sync: Callable[[int], None] = sync_durably) -> Recovery:
    """Make an open pack whole and seal it; doing it twice does no harm.

    Args:
        path: of the pack.
        start: `end` of the last indexed member, or 0; what lies before is neither read nor touched.
        end: what lies behind was refused and goes, whole or not.
        sync: makes a file durable.

    Raises:
        ConflictError: somebody writes the pack.
        StorageError: it cannot be read or made durable, or is shorter than `start`; nothing of it may be indexed then.
    """
    try:
        fd = os.open(path, os.O_RDWR)
        try:
            return _recover(fd, path, start, end, sync)
        finally:
            os.close(fd)
    except OSError as error:
        raise StorageError(f"Pack {path.stem} cannot be recovered: {reason_of(error)}.", "Look at the disk.") from error


def _recover(fd: int, path: Path, start: int, end: int | None, sync: Callable[[int], None]) -> Recovery:
    lock(fd, path)
    _forget_cached(fd)
    found = verify_open(fd, path.stem, start, end)
    size = found.cut_at + len(END_OF_ARCHIVE)
    if not found.is_sealed:
        os.ftruncate(fd, found.cut_at)
        # As OpenPack.seal: the members are durable before the end of the archive says so.
        sync(fd)
        write_fully(fd, END_OF_ARCHIVE, found.cut_at)
    sync(fd)
    sync_folder(path.parent)
    return Recovery(found.members, found.damaged, found.cut_at, size)


def _forget_cached(fd: int) -> None:
    """Pages that a failed sync left in memory as if they were on disk must be read from the disk."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
