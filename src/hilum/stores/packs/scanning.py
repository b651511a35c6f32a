"""A walk over a pack that believes nothing: a member is whole only if its bytes have its sha256 (a header may reach the disk first)."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hilum.model.errors import StorageError
from hilum.model.members import StoredMember
from hilum.stores.packs.disk import reason_of
from hilum.stores.packs.layout import END_OF_ARCHIVE, HEADER_BYTES, HeaderError, decode_header, encode_commit, is_commit

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class ScannedMember:
    """A member as found. `is_whole`: its bytes are all there and have its digest. `is_commit`: it is a batch's commit member, no image."""

    member: StoredMember
    is_whole: bool
    is_commit: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """What a pack holds.

    Args:
        members: the visible ones: whole, and of no batch that was never committed.
        damaged: members that stand before something whole and are not what their header says; never a torn tail.
        cut_at: where the last whole thing ends; what lies behind it was never acknowledged.
        size: of the file, in bytes.
        is_sealed: the archive is ended, with nothing behind it.
    """

    members: Sequence[StoredMember]
    damaged: Sequence[StoredMember]
    cut_at: int
    size: int
    is_sealed: bool


def read_headers(fd: int, pack_id: str, start: int, end: int) -> Iterator[StoredMember]:
    """The members whose headers stand one after another from `start` on, until there is none or its bytes go beyond `end`.

    Damage is never skipped by searching for the next header: a body may hold what looks like one.
    """
    at = start
    while at + HEADER_BYTES <= end:
        try:
            member = decode_header(os.pread(fd, HEADER_BYTES, at), pack_id, at)
        except HeaderError:
            return
        if member.size < 0 or member.offset + member.size > end:
            return
        yield member
        at = member.end


def scan(path: Path, start: int = 0) -> Iterator[ScannedMember]:
    """Every member from `start` (a member's `end`) on, its bytes read and their digest compared; nothing large is held.

    Raises:
        StorageError: the pack cannot be read.
    """
    try:
        with path.open("rb", buffering=0) as pack:
            yield from scan_open(pack.fileno(), path.stem, start, os.fstat(pack.fileno()).st_size)
    except OSError as error:
        raise StorageError(f"Pack {path.stem} cannot be read: {reason_of(error)}.", "Look at the disk.") from error


def scan_open(fd: int, pack_id: str, start: int, end: int) -> Iterator[ScannedMember]:
    """As `scan`, of an open file and no further than `end`."""
    for member in read_headers(fd, pack_id, start, end):
        yield ScannedMember(member, _digest(fd, member) == member.sha256, is_commit(member))


def verify(path: Path, start: int = 0) -> Verification:
    """Read a pack from `start` on and say what it holds; changes nothing.

    Raises:
        StorageError: the pack cannot be read, or ends before `start`.
    """
    try:
        with path.open("rb", buffering=0) as pack:
            return verify_open(pack.fileno(), path.stem, start)
    except OSError as error:
        raise StorageError(f"Pack {path.stem} cannot be read: {reason_of(error)}.", "Look at the disk.") from error


def verify_open(fd: int, pack_id: str, start: int = 0, end: int | None = None) -> Verification:
    """As `verify`, of an open file; nothing behind `end` is looked at."""
    size = os.fstat(fd).st_size
    if start > size:
        raise StorageError(f"Pack {pack_id} has {size} bytes, but members up to {start} were acknowledged.", "Restore it from a copy.")
    sieve = _Sieve(fd, start)
    for scanned in scan_open(fd, pack_id, start, size if end is None else min(size, end)):
        sieve.add(scanned)
    is_sealed = os.pread(fd, len(END_OF_ARCHIVE) + 1, sieve.walked) == END_OF_ARCHIVE
    if is_sealed:
        sieve.trust_all_before()
    return Verification(sieve.members, sieve.damaged, sieve.end, size, is_sealed)


@dataclass(slots=True)
class _Sieve:
    """Tells what is whole from what was torn off, member by member.

    Something whole behind a member that is not proves that this is no torn tail: it may have been acknowledged and rotted since. Then it
    is damaged, and stays.
    """

    fd: int
    start: int
    members: list[StoredMember] = field(default_factory=list)
    damaged: list[StoredMember] = field(default_factory=list)
    end: int = -1
    walked: int = -1
    _doubtful: list[ScannedMember] = field(default_factory=list)  # members behind the last whole thing
    _begun_in: str = ""  # the batch in which the walk began

    def __post_init__(self) -> None:
        self.end = self.walked = self.start

    def add(self, scanned: ScannedMember) -> None:
        if self.walked == self.start > 0:
            self._begun_in = scanned.member.note.batch
        self.walked = scanned.member.end
        if scanned.is_commit:
            self._commit(scanned)
        elif scanned.is_whole and not scanned.member.note.batch:
            self.trust_all_before()
            self.members.append(scanned.member)
        else:
            self._doubtful.append(scanned)

    def trust_all_before(self) -> None:
        """What stands here was written after all before it was durable, or may have been: an open batch never has anything behind it."""
        committed = {scanned.member.note.batch for scanned in self._doubtful if scanned.is_commit}
        for scanned in self._doubtful:
            if scanned.is_commit:
                continue
            is_visible = scanned.is_whole and scanned.member.note.batch in committed
            (self.members if is_visible else self.damaged).append(scanned.member)
        self._doubtful.clear()
        self.end = self.walked

    def _commit(self, scanned: ScannedMember) -> None:
        batch = [each for each in self._doubtful if each.member.note.batch == scanned.member.note.batch]
        self._doubtful.append(scanned)
        if all(each.is_whole for each in (*batch, scanned)) and self._agrees(scanned.member, [each.member for each in batch]):
            self.trust_all_before()

    def _agrees(self, commit: StoredMember, members: list[StoredMember]) -> bool:
        body = os.pread(self.fd, commit.size, commit.offset)
        # A walk that began inside a batch sees its rest only; that its beginning was indexed says that all of it was durable.
        return body == encode_commit(members) or (self._begun_in == commit.note.batch and json.loads(body)["members"] > len(members))


def _digest(fd: int, member: StoredMember) -> bytes:
    digest, at, last = hashlib.sha256(), member.offset, member.offset + member.size
    while at < last and (chunk := os.pread(fd, min(_CHUNK, last - at), at)):
        digest.update(chunk)
        at += len(chunk)
    return digest.digest()
