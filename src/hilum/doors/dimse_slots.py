"""Places for associations, shared by all DIMSE processes of a data directory: bytes of one empty file, each locked by who has it.

The kernel frees the locks of a process that ends, however it ends; there is nothing to clean up. A byte need not exist to be locked.

A modality that opens an association for each image takes and gives back hundreds in a second. So some of what is given back stays locked
for a moment, for the next one: never more places than there are, but for that moment a few fewer for the other processes.
"""

import fcntl
import os
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

_Places = tuple[str, int]  # a name, and how many it has
_ROOM = 1 << 16  # bytes for the places of one name
_KEPT_PART = 16  # one in so many places of a name may stay locked: of few places none


class Slots:
    """The places that this process has. Open a file once in a process: closing it anywhere in there frees all of its locks (fcntl(2)).

    Args:
        path: of the file; made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._first = os.getpid() * 31  # so that processes do not try the same places
        self._locked: dict[int, _Places] = {}
        self._kept: dict[_Places, list[int]] = {}  # of those: nobody's
        self._is_closed = False

    def take(self, name: str, most: int) -> int | None:
        """One of the `most` places of a name (at most 65,536); None where all are taken, here or in other processes."""
        places = name, most
        if kept := self._kept.get(places):
            return kept.pop()
        base, first = _base_of(name), self._first
        for number in range(min(most, _ROOM)):
            place = base + (first + number) % min(most, _ROOM)
            if place not in self._locked and self._lock(place):
                self._locked[place] = places
                return place
        return None

    def give_back(self, place: int) -> None:
        """It is free again, at the latest with the next `let_go`."""
        if self._is_closed:
            return
        places = self._locked[place]
        kept = self._kept.setdefault(places, [])
        if len(kept) < places[1] // _KEPT_PART:
            kept.append(place)
        else:
            self._unlock(place)

    def let_go(self) -> None:
        """What was given back is free for all processes."""
        if self._is_closed:
            return
        for place in [place for kept in self._kept.values() for place in kept]:
            self._unlock(place)
        self._kept.clear()

    def close(self) -> None:
        """All are free again."""
        self._is_closed = True
        os.close(self._file)

    def _unlock(self, place: int) -> None:
        del self._locked[place]
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)

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
