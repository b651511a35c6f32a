"""Bytes out of packs, compared with their digest."""

import hashlib
import mmap
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hilum.model.errors import StorageError
from hilum.model.members import StoredMember
from hilum.model.outcomes import StoredBytes
from hilum.stores.packs.disk import pack_path, reason_of

CHUNK: Final = 1 << 20
_RESTORE = "Run `hilum verify`, and restore the pack from a copy."


class PackReader:
    """Reads members of any pack in a folder, those still being written included. Safe for many threads.

    Args:
        folder: of the packs.
        most_open: files kept open between reads.
        most_bytes: the largest member that `read` brings into memory.
    """

    def __init__(self, folder: Path, *, most_open: int = 32, most_bytes: int = 1 << 28) -> None:
        self._folder = folder
        self._most_open = most_open
        self._most_bytes = most_bytes
        self._open: OrderedDict[str, _PackFile] = OrderedDict()  # the least recently read first
        self._lock = threading.Lock()

    def read(self, member: StoredMember | StoredBytes, *, check: bool = True) -> bytes:
        """A whole member.

        Raises:
            StorageError: damaged (with `check`), missing, or larger than `most_bytes`.
        """
        if member.size > self._most_bytes:
            raise StorageError(f"A member of {member.size} bytes is too large to be read at once (most {self._most_bytes}).", "Stream it.")
        body = self.read_at(member.pack_id, member.offset, member.size)
        if check and hashlib.sha256(body).digest() != member.sha256:
            raise _damage(member)
        return body

    def read_at(self, pack_id: str, offset: int, size: int) -> bytes:
        """Exactly `size` bytes from `offset` of a pack; unchecked, for headers and parts.

        Raises:
            StorageError: the pack is missing, cannot be read, or ends before.
        """
        pack, parts, missing = self._file(pack_id), [], size
        try:
            while missing and (part := os.pread(pack.fd, missing, offset + size - missing)):
                parts.append(part)
                missing -= len(part)
        except OSError as error:
            raise StorageError(f"Pack {pack_id} cannot be read at {offset}: {reason_of(error)}.", "Look at the disk.") from error
        if missing:
            raise StorageError(f"Pack {pack_id} ends before {offset + size}.", _RESTORE)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def stream(self, member: StoredMember | StoredBytes, chunk: int = CHUNK) -> Iterator[bytes]:
        """A member in chunks. The last one is given only after the digest of all agreed, so that no damaged member is ever complete.

        Raises:
            StorageError: damaged, missing or unreadable.
        """
        digest = hashlib.sha256()
        for at in range(0, member.size, chunk):
            body = self.read_at(member.pack_id, member.offset + at, min(chunk, member.size - at))
            digest.update(body)
            if at + chunk >= member.size and digest.digest() != member.sha256:
                raise _damage(member)
            yield body

    def mapped(self, member: StoredMember | StoredBytes) -> memoryview:
        """A member as memory that is read from disk where it is looked at, however large it is; let go with the last view of it.

        Raises:
            StorageError: damaged, missing or unreadable.
        """
        if not member.size:
            return memoryview(b"")
        before = member.offset % mmap.ALLOCATIONGRANULARITY  # a map begins at a page
        try:
            whole = mmap.mmap(self._file(member.pack_id).fd, before + member.size, access=mmap.ACCESS_READ, offset=member.offset - before)
        except (OSError, ValueError) as error:  # ValueError: the file is shorter
            raise StorageError(f"Pack {member.pack_id} cannot be read at {member.offset}.", _RESTORE) from error
        view = memoryview(whole)[before:]
        if hashlib.sha256(view).digest() != member.sha256:
            raise _damage(member)
        return view

    def close(self) -> None:
        """Let all files go; reading opens them again."""
        with self._lock:
            self._open.clear()

    def _file(self, pack_id: str) -> "_PackFile":
        with self._lock:
            pack = self._open.pop(pack_id, None)
            if pack is None or pack.is_removed():
                pack = _PackFile(pack_path(self._folder, pack_id))
            self._open[pack_id] = pack
            while len(self._open) > self._most_open:
                self._open.popitem(last=False)
            return pack


class _PackFile:
    """An open pack, closed when the last reader lets go of it: one that is pushed out may still be in use by another thread."""

    def __init__(self, path: Path) -> None:
        self.fd = -1
        try:
            self.fd = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise StorageError(f"Pack {path.stem} cannot be opened: {reason_of(error)}.", _RESTORE) from error

    def is_removed(self) -> bool:
        """Whether the pack was erased meanwhile: its bytes must not be readable through us."""
        return os.fstat(self.fd).st_nlink == 0

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)


def _damage(member: StoredMember | StoredBytes) -> StorageError:
    return StorageError(f"The member at {member.offset} of pack {member.pack_id} is damaged: its bytes have another SHA-256.", _RESTORE)
