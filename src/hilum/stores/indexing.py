"""The pack index and the list of files, written by a door as its members become durable."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import Item, Stage, Status
from hilum.model.members import StoredMember
from hilum.model.records import MemberState
from hilum.stores.inserting import CHUNK, insert_or_ignore
from hilum.stores.moving import ITEM_ROWS, item_of, move_item
from hilum.stores.schema import files, intakes, items, members

# Built once: a door writes its index hundreds of times a second.
_INSERT_MEMBERS = insert(members)
_TOUCH_INTAKE = update(intakes).where(intakes.c.id == bindparam("wanted_id")).values(last_received_at=bindparam("now"))
_ITEM_OF_INTAKE = (
    ITEM_ROWS.add_columns(intakes.c.sender, intakes.c.who, intakes.c.completed_at)
    .join(intakes, intakes.c.id == items.c.id)
    .where(items.c.id == bindparam("wanted_id"))
    .with_for_update(of=items)
)


def index_members(connection: Connection, received: Sequence[StoredMember], now: datetime) -> None:
    """Write the rows of members that have just become durable, and see to it that their intakes are imported."""
    clashing = _name_files(connection, [member for member in received if not member.note.batch])
    for start in range(0, len(received), CHUNK):  # an archive's members come all at once: their rows are never in memory together
        rows = [_member_row(member, (member.pack_id, member.offset) in clashing) for member in received[start : start + CHUNK]]
        connection.execute(_INSERT_MEMBERS, rows)
    for intake_id in sorted({member.note.intake_id for member in received}):
        _import_late(connection, intake_id, now)
        connection.execute(_TOUCH_INTAKE, {"wanted_id": intake_id, "now": now})


def waits_for_archive(item: Item) -> bool:
    """Whether a complete intake has never moved: it is an archive's, and waits for its members."""
    return item.status is Status.DEFERRED and item.version == 1


def _name_files(connection: Connection, received: Sequence[StoredMember]) -> set[tuple[str, int]]:
    """Put members into the list of files. Returns the places of those whose name stands there for other bytes.

    What came without a name is in no list: a C-STORE sends objects, not files.
    """
    received = [member for member in received if member.note.file_name]
    if not received:
        return set()
    first: dict[tuple[str, str], StoredMember] = {}
    for member in received:
        first.setdefault((member.note.intake_id, member.note.file_name), member)
    named = connection.execute(insert_or_ignore(connection, files), [_file_row(member) for member in first.values()])
    if named.rowcount == len(received):
        return set()
    known = _known_names(connection, received)
    return {(member.pack_id, member.offset) for member in received if known[member.note.intake_id, member.note.file_name] != member.sha256}


def _import_late(connection: Connection, intake_id: str, now: datetime) -> None:
    """What becomes durable while or after its upload is imported (completed elsewhere, or abandoned) is imported after all.

    The item is locked until this is committed, so that nobody claims or completes it and overlooks what is being indexed.
    """
    row = connection.execute(_ITEM_OF_INTAKE, {"wanted_id": intake_id}).one()
    item = item_of(row)
    if row.completed_at is not None and waits_for_archive(item):
        move_item(connection, item, "seal", row.who, "All of its archive is durable.", now)
        return
    # A sender that goes on and on would take the item away from every worker: importing itself looks again at the end.
    if item.status not in (Status.DEFERRED, Status.READY) and not (row.sender and item.status is Status.CLAIMED):
        why = "A file became durable after its upload was taken up."
        move_item(connection, item, "reopen", SYSTEM.who, why, now, to_stage=Stage.IMPORTING)


def _known_names(connection: Connection, received: Sequence[StoredMember]) -> dict[tuple[str, str], bytes]:
    known: dict[tuple[str, str], bytes] = {}
    by_intake: dict[str, list[str]] = {}
    for member in received:
        by_intake.setdefault(member.note.intake_id, []).append(member.note.file_name)
    for intake_id, names in by_intake.items():
        for start in range(0, len(names), CHUNK):
            query = select(files.c.name, files.c.sha256).where(
                files.c.intake_id == intake_id, files.c.name.in_(names[start : start + CHUNK])
            )
            known |= {(intake_id, row.name): row.sha256 for row in connection.execute(query)}
    return known


def _file_row(member: StoredMember) -> dict[str, Any]:
    note = member.note
    return {"intake_id": note.intake_id, "name": note.file_name, "size": member.size, "sha256": member.sha256, "offered": False}


def _member_row(member: StoredMember, clash: bool) -> dict[str, Any]:
    return {
        "pack_id": member.pack_id,
        "offset": member.offset,
        "size": member.size,
        "sha256": member.sha256,
        "intake_id": member.note.intake_id,
        "file_name": member.note.file_name or member.name,
        "state": MemberState.SET_ASIDE if clash else MemberState.RECEIVED,
        "reason": "The same file name was used before in this upload for other bytes." if clash else None,
    }
