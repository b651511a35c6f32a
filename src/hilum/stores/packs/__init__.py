"""The vault: packs of members, kept exactly as they came.

A pack is a plain POSIX tar, `<pack id>.tar`, that any tar lists and unpacks. It is the journal too: what `PackPool` returned is durable.

    layout      a member's header and bytes
    disk        sync, lock, room
    grouping    group commit
    open_pack   the tail of one file being written
    indexing    the index, before the yes or behind it
    leasing     which hand has which open pack
    writing     members that stream in, and batches that are visible all or none
    pool        PackPool: the door's way in
    reading     PackReader: the way out
    scanning    a walk that compares every digest
    recovering  the torn tail of a pack whose writer died
    rewriting   erasing

Why losing an acknowledged member takes a broken disk:

1. The folder is synced before the first member of a new pack is acknowledged, bytes and header of each member before it is.
2. The index is told in the order of the pack, before the yes or behind it: recovery starts behind the last indexed member.
3. What follows is believed only if its bytes have its digest, since header and bytes reach the disk in any order.
4. After a failed sync nothing is written to that file again but its end, and nothing that was waiting for the sync is acknowledged.
5. Nothing is cut off that stands before something whole.
"""

from hilum.stores.packs.disk import Disk, RecentFreeBytes, count_free_bytes, find_packs, pack_path, sync_durably
from hilum.stores.packs.layout import successor
from hilum.stores.packs.pool import PackPool
from hilum.stores.packs.reading import PackReader
from hilum.stores.packs.recovering import Recovery, recover
from hilum.stores.packs.rewriting import RewrittenPack, Settlement, find_successor, has_successor, remove, rewrite, settle
from hilum.stores.packs.scanning import ScannedMember, Verification, scan, verify
from hilum.stores.packs.writing import Batch, MemberWriter

__all__ = [
    "Batch",
    "Disk",
    "MemberWriter",
    "PackPool",
    "PackReader",
    "RecentFreeBytes",
    "Recovery",
    "RewrittenPack",
    "ScannedMember",
    "Settlement",
    "Verification",
    "count_free_bytes",
    "find_packs",
    "find_successor",
    "has_successor",
    "pack_path",
    "recover",
    "remove",
    "rewrite",
    "scan",
    "settle",
    "successor",
    "sync_durably",
    "verify",
]
