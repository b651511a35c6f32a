"""What a project holds of the instances that a peer asks storage commitment for, and of which SOP class, by the first bytes of each."""

import logging
from collections.abc import Collection
from functools import lru_cache

from hilum.dicom.part10 import read_sop_classes
from hilum.doors.dimse_commitment import Held
from hilum.model.errors import StorageError
from hilum.model.identity import SYSTEM
from hilum.model.outcomes import StoredBytes
from hilum.runtime.assembling import Application
from hilum.stores.packs import PackReader

_HEAD_BYTES = 4096  # preamble, File Meta group and the first elements of the data set (PS3.10 7.1)
_UNREAD = Held(frozenset(), has_unread=True)
_LOG = logging.getLogger(__name__)


def find_held(app: Application, project: str, sop_instance_uids: Collection[str]) -> dict[str, Held]:
    """Those of the given instances that the project holds, by SOP Instance UID."""
    held = _look(app, project, sop_instance_uids)
    # Erasing may have written a pack again between the query and the read: where they lie now is asked once more.
    lost = [uid for uid, one in held.items() if one.has_unread]
    for uid in lost:
        del held[uid]
    held |= _look(app, project, lost)
    unread = sum(one.has_unread for one in held.values())
    if unread:
        _LOG.error("storage commitment: %d held instances cannot be read. Run `hilum verify`.", unread)
    return held


def _look(app: Application, project: str, sop_instance_uids: Collection[str]) -> dict[str, Held]:
    held: dict[str, Held] = {}
    for uid, stored in app.commitments.held(SYSTEM, project, sop_instance_uids):
        copy = _read(app.vault, stored)
        held[uid] = _together(held[uid], copy) if uid in held else copy
    return held


def _read(vault: PackReader, stored: StoredBytes) -> Held:
    try:
        head = vault.read_at(stored.pack_id, stored.offset, min(stored.size, _HEAD_BYTES))
    except StorageError:
        return _UNREAD
    return _named(read_sop_classes(head))


@lru_cache(256)  # tens of thousands of instances are of a few SOP classes
def _named(sop_classes: frozenset[str]) -> Held:
    return Held(sop_classes, has_untold=not sop_classes)


def _together(one: Held, other: Held) -> Held:
    return Held(one.sop_classes | other.sop_classes, one.has_untold or other.has_untold, one.has_unread or other.has_unread)
