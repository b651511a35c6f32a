"""From packs alone: members that the ledger does not know get their index row, their intake and, where it is gone too, their project.

Used after a crash (the tail of a pack that was being written), after the ledger was restored from an older backup, and by
`hilum verify --repair` when the ledger is lost. Importing then writes the catalogue anew, from the members' own bytes.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select

from hilum.model.identity import ADMIN_PROJECT, SYSTEM
from hilum.model.lifecycle import Kind, Stage, Status
from hilum.model.members import StoredMember
from hilum.stores.database import Database
from hilum.stores.intakes import Intakes
from hilum.stores.moving import ITEM_ROWS, create_item, item_of, move_item
from hilum.stores.pack_index import PackIndex
from hilum.stores.schema import intakes, items, members, projects

WHY = "Found in the packs, and not known to the ledger."


class Rebuilder:
    """Adopts members that were found in packs."""

    def __init__(self, database: Database, clock: Callable[[], datetime], intakes: Intakes, pack_index: PackIndex) -> None:
        self.database = database
        self._clock = clock
        self._intakes = intakes
        self._pack_index = pack_index

    def adopt(self, kind: str, found: Sequence[StoredMember]) -> int:
        """Index what is not indexed yet. Returns how many members were new to the ledger.

        Args:
            kind: of their pack. What was made by a workitem that the ledger does not know becomes `orphaned`: it is kept, and shown by
                `hilum verify`; importing makes another workitem, which makes its own.
        """
        new = self._unknown(found)
        if not new:
            return 0
        if kind != "received":
            self._pack_index.adopt_made(new)
            return len(new)
        firsts: dict[str, StoredMember] = {}
        for member in new:
            firsts.setdefault(member.note.intake_id, member)
        with self.database.writing() as connection:
            for first in firsts.values():
                self._adopt_intake(connection, first)
        self._intakes.index(new)
        return len(new)

    def _unknown(self, found: Sequence[StoredMember]) -> list[StoredMember]:
        with self.database.reading() as connection:
            known: dict[str, set[int]] = {}
            for pack_id in {member.pack_id for member in found}:
                known[pack_id] = set(connection.scalars(select(members.c.offset).where(members.c.pack_id == pack_id)))
        return [member for member in found if member.offset not in known[member.pack_id]]

    def _adopt_intake(self, connection: Connection, member: StoredMember) -> None:
        """The intake of a found member: made anew where it is gone, imported again where it was through."""
        now, note = self._clock(), member.note
        row = connection.execute(ITEM_ROWS.where(items.c.id == note.intake_id)).first()
        if row is not None:
            item = item_of(row)
            if item.status not in (Status.DEFERRED, Status.READY, Status.CLAIMED):
                move_item(connection, item, "reopen", SYSTEM.who, WHY, now, to_stage=Stage.IMPORTING)
            return
        project_id = _project(connection, note.project or ADMIN_PROJECT, now)
        connection.execute(
            insert(intakes).values(
                id=note.intake_id,
                project_id=project_id,
                door=note.door,
                report_type="",
                dataset=note.dataset,
                force_reprocessing=False,
                metadata={},
                who=SYSTEM.who,
                started_at=note.received_at,
                completed_at=now,
                imported=False,
            )
        )
        create_item(connection, project_id, note.intake_id, Kind.INTAKE, Stage.IMPORTING, Status.READY, WHY, SYSTEM.who, now)


def _project(connection: Connection, name: str, now: datetime) -> int:
    known = connection.scalar(select(projects.c.id).where(projects.c.name == name))
    if known is not None:
        return int(known)
    made = insert(projects).values(name=name, description=WHY, accepts={}, created_at=now).returning(projects.c.id)
    return int(connection.execute(made).scalar_one())
