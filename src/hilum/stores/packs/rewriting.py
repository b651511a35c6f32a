"""Erasing: a pack is written again without some members. A kill at any moment leaves it whole or gone.

The order, and what a start finds after a kill at that place:

1. `rewrite` writes `<new id>.tar.rewriting`          -> `settle` removes it; the old pack is whole
2. it makes that durable, renames it to `<new id>.tar`  -> `settle` removes it: the ledger knows the old pack; that is whole. Without a
                                                         start, the next `rewrite` replaces it
3. the caller switches the ledger to `moved` and forgets `dropped`, in one transaction
4. `remove(old)`                                      -> `settle` removes it: the ledger knows its successor; they are gone

The new id is `successor(old id)`, so that a start can tell which of two packs takes the other's place from their names alone. A pack of
which nothing is kept is written all the same: without a successor, what is left of it after step 3 would look like a pack nobody indexed.
"""

import hashlib
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hilum.model.errors import HilumError, StorageError
from hilum.model.members import StoredMember
from hilum.stores.packs.disk import find_packs, is_pack_id, lock, pack_path, reason_of, refusal, sync_durably, sync_folder, write_fully
from hilum.stores.packs.layout import END_OF_ARCHIVE, HEADER_BYTES, encode_header, is_commit, padding, successor
from hilum.stores.packs.scanning import read_headers

_CHUNK = 1 << 20
_SUFFIX = ".tar.rewriting"
_GENERATIONS = 64  # rewritings of one pack that are followed


@dataclass(frozen=True, slots=True)
class RewrittenPack:
    """A pack that may take another's place.

    Args:
        new_pack_id: sealed and durable.
        size: of its file, in bytes.
        moved: offset in the old pack -> where the member is now.
        dropped: the members that are not in it.
        damaged: members that were copied as they are, but are not what their header says.
    """

    new_pack_id: str
    size: int
    moved: Mapping[int, StoredMember]
    dropped: Sequence[StoredMember]
    damaged: Sequence[StoredMember]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a start found in the folder of packs.

    Args:
        removed: names of files that a killed rewriting left.
        unknown: ids of packs that the ledger does not know: opened just before a kill, or the ledger is older than the packs.
    """

    removed: Sequence[str]
    unknown: Sequence[str]


def rewrite(path: Path, keep: Callable[[StoredMember], bool], *, sync: Callable[[int], None] = sync_durably) -> RewrittenPack:
    """Write a sealed pack again with the members that `keep` wants; the old one stays until `remove`.

    Bytes and notes are copied as they are; members of batches stand alone from now on, as all of them were committed. What a killed
    rewriting left in the new one's place is replaced: the caller makes sure that the ledger does not know it.

    Raises:
        ConflictError: the pack is still being written.
        StorageFullError: no room for the new one; nothing has changed.
        StorageError: the pack cannot be read to its end; nothing has changed.
    """
    new_path = pack_path(path.parent, successor(path.stem))
    half = new_path.with_suffix(_SUFFIX)
    try:
        with path.open("rb", buffering=0) as old:
            lock(old.fileno(), path)
            rewritten = _write_half(old.fileno(), path.stem, half, keep, sync)
            half.rename(new_path)
            sync_folder(path.parent)
            return rewritten
    except (OSError, HilumError) as error:
        half.unlink(missing_ok=True)
        raise refusal(error, path.stem) from error


def remove(folder: Path, pack_id: str) -> None:
    """Remove a pack for good, after the ledger knows it no more; nothing happens when it is gone.

    Raises:
        StorageError: it may come back after a power cut.
    """
    try:
        pack_path(folder, pack_id).unlink(missing_ok=True)
        sync_folder(folder)
    except OSError as error:
        raise StorageError(f"Pack {pack_id} could not be removed: {reason_of(error)}.", "Look at the disk.") from error


def settle(folder: Path, known: Collection[str]) -> Settlement:
    """Finish or take back the rewritings that a kill interrupted; to be called at start, or by the one that rewrites.

    Args:
        folder: of the packs; files whose name is no UUID are left alone.
        known: ids of all packs that the ledger counts as present.

    Raises:
        StorageError: a file cannot be removed.
    """
    halves = [path.name for path in folder.glob(f"*{_SUFFIX}") if is_pack_id(path.name.removesuffix(_SUFFIX))]
    strangers = [path.stem for path in find_packs(folder) if path.stem not in known]
    # Where the old pack is gone, its successor is all there is, whatever a ledger restored from an older copy says.
    takes_the_place = {successor(pack_id) for pack_id in known if pack_path(folder, pack_id).exists()}
    leftover = [pack_id for pack_id in strangers if pack_id in takes_the_place or has_successor(pack_id, known)]
    removed = [*halves, *(f"{pack_id}.tar" for pack_id in leftover)]
    try:
        for name in removed:
            (folder / name).unlink()
        sync_folder(folder)
    except OSError as error:
        raise StorageError(f"What a killed rewriting left could not be removed: {reason_of(error)}.", "Look at the disk.") from error
    superseded = {pack_id for pack_id in strangers if has_successor(pack_id, strangers)}
    return Settlement(removed, [pack_id for pack_id in strangers if pack_id not in leftover and pack_id not in superseded])


def has_successor(pack_id: str, known: Collection[str]) -> bool:
    """Whether one of these packs took this one's place, so that what is left of it counts no more."""
    for _generation in range(_GENERATIONS):
        pack_id = successor(pack_id)
        if pack_id in known:
            return True
    return False


def find_successor(folder: Path, pack_id: str) -> Path | None:
    """The pack that was put in the place of one that is gone; None when there is none."""
    for _generation in range(_GENERATIONS):
        pack_id = successor(pack_id)
        if (path := pack_path(folder, pack_id)).exists():
            return path
    return None


def _write_half(old: int, pack_id: str, half: Path, keep: Callable[[StoredMember], bool], sync: Callable[[int], None]) -> RewrittenPack:
    moved: dict[int, StoredMember] = {}
    dropped: list[StoredMember] = []
    damaged: list[StoredMember] = []
    new_id, at, walked = successor(pack_id), 0, 0
    with open(half, "wb", buffering=0, opener=_open_private) as new:
        for member in read_headers(old, pack_id, 0, os.fstat(old).st_size):
            walked = member.end
            if is_commit(member):
                continue
            if not keep(member):
                dropped.append(member)
                continue
            placed = replace(member, pack_id=new_id, offset=at + HEADER_BYTES, note=replace(member.note, batch=""))
            if _copy(old, member, new.fileno(), placed) != member.sha256:
                damaged.append(placed)
            moved[member.offset], at = placed, placed.end
        _require_end(old, pack_id, walked)
        write_fully(new.fileno(), END_OF_ARCHIVE, at)
        sync(new.fileno())
    return RewrittenPack(new_id, at + len(END_OF_ARCHIVE), moved, dropped, damaged)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _copy(old: int, member: StoredMember, new: int, placed: StoredMember) -> bytes:
    """Copy one member and return the digest of what was copied."""
    write_fully(new, encode_header(placed), placed.offset - HEADER_BYTES)
    digest, done = hashlib.sha256(), 0
    while done < member.size and (chunk := os.pread(old, min(_CHUNK, member.size - done), member.offset + done)):
        digest.update(chunk)
        write_fully(new, chunk, placed.offset + done)
        done += len(chunk)
    write_fully(new, padding(member.size), placed.offset + member.size)
    return digest.digest()


def _require_end(fd: int, pack_id: str, walked: int) -> None:
    """A walk that stops early would drop the rest silently."""
    if os.pread(fd, len(END_OF_ARCHIVE) + 1, walked) != END_OF_ARCHIVE:
        raise StorageError(f"Pack {pack_id} is not sealed, or cannot be read beyond {walked}.", "Run `hilum verify`.")
