"""Places for associations, shared by all DIMSE processes of a data directory: bytes of one empty file, each locked by who has it.

The kernel frees the locks of a process that ends, however it ends; there is nothing to clean up. A byte need not exist to be locked.
"""

import fcntl
import os
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

_ROOM = 1 << 16  # bytes for the places of one name


class Slots:
    """The places that this process has. Open a file once in a process: closing it anywhere in there frees all of its locks (fcntl(2)).

    Args:
        path: of the file; made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._taken: set[int] = set()

    def take(self, name: str, most: int) -> int | None:
        """One of the `most` places of a name (at most 65,536); None where all are taken, here or in other processes."""
        base = _base_of(name)
        first = os.getpid() * 31  # so that processes do not try the same places
        for number in range(min(most, _ROOM)):
            place = base + (first + number) % min(most, _ROOM)
            if place not in self._taken and self._lock(place):
                self._taken.add(place)
                return place
        return None

    def give_back(self, place: int) -> None:
        """It is free again."""
        self._taken.discard(place)
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)

    def close(self) -> None:
        """All are free again."""
        os.close(self._file)

    def _lock(self, place: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except (BlockingIOError, PermissionError):  # POSIX lets it be either
            return False
        return True


@lru_cache(1024)
def _base_of(name: str) -> int:
    """The first place of a name."""
    return int.from_bytes(sha256(name.encode()).digest()[:5]) * _ROOM
