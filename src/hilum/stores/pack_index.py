"""The packs as the ledger knows them: which exist, which are open, and what was made (not received) lies where in them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam, delete, exists, insert, literal_column, select, update

from hilum.model.lifecycle import Status
from hilum.model.members import StoredMember
from hilum.model.records import MemberState
from hilum.stores.database import Database
from hilum.stores.schema import artifacts, derivatives, items, members, packs, workitems

_CHUNK = 500
_LOOK = 50_000  # members that one round of reclaiming looks at
_ALL = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class PackRow:
    """A pack: its kind and state ("open" or "sealed"), and where its indexed members end, rounded up to a tar block."""

    id: str
    kind: str
    state: str
    indexed_end: int


@dataclass(frozen=True, slots=True)
class Orphan:
    """A copy or result whose workitem the ledger does not know."""

    pack_id: str
    offset: int
    name: str
    workitem_id: str


class PackIndex:
    """Told by the pools, asked by recovery and housekeeping."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self.database = database
        self._clock = clock
        self._looked_at = 0

    def open_pack(self, kind: str, pack_id: str) -> None:
        """A new pack, before anything is in it."""
        with self.database.writing() as connection:
            connection.execute(
                insert(packs).values(id=pack_id, kind=kind, state="open", size=0, seal_wanted=False, created_at=self._clock())
            )

    def seal_pack(self, pack_id: str, size: int) -> None:
        """Nothing more will be appended."""
        with self.database.writing() as connection:
            connection.execute(update(packs).where(packs.c.id == pack_id).values(state="sealed", size=size, seal_wanted=False))

    def forget_pack(self, pack_id: str) -> None:
        """A pack that never got a file."""
        with self.database.writing() as connection:
            connection.execute(delete(packs).where(packs.c.id == pack_id))

    def index_made(self, made: Sequence[StoredMember]) -> None:
        """De-identified copies and results of workitems. Those of a workitem that was deleted meanwhile are erased with the next round."""
        self._index_made(made, MemberState.DELETED)

    def adopt_made(self, found: Sequence[StoredMember]) -> None:
        """The same, found in packs: where the ledger does not know the workitem it may be older than it, and nothing is erased."""
        self._index_made(found, MemberState.ORPHANED)

    def _index_made(self, made: Sequence[StoredMember], without_workitem: MemberState) -> None:
        with self.database.writing("lazy") as connection:
            owners = {member.note.intake_id for member in made}
            query = select(workitems.c.id, workitems.c.study_id).where(workitems.c.id.in_(owners))
            rows = connection.execute(query.with_for_update(read=True, key_share=True))  # they are not deleted before this is written
            studies = {row.id: row.study_id for row in rows}
            connection.execute(
                insert(members), [_made_row(member, studies.get(member.note.intake_id), without_workitem) for member in made]
            )

    def list_orphaned(self) -> list[Orphan]:
        """What was made by workitems that the ledger does not know."""
        query = select(members).where(members.c.state == MemberState.ORPHANED).order_by(members.c.pack_id, members.c.offset)
        with self.database.reading() as connection:
            return [Orphan(row.pack_id, row.offset, row.file_name, row.intake_id) for row in connection.execute(query)]

    def give_up_orphaned(self) -> int:
        """A person has looked: what is listed as orphaned is erased with the next round of a server. Returns how many."""
        orphaned = members.c.state == MemberState.ORPHANED
        with self.database.writing() as connection:
            theirs = packs.c.id.in_(select(members.c.pack_id).where(orphaned))
            connection.execute(update(packs).where(theirs, packs.c.state == "open").values(seal_wanted=True))
            return connection.execute(update(members).where(orphaned).values(state=MemberState.DELETED)).rowcount

    def reclaim_replaced(self) -> int:
        """Give up copies and results that nothing points to, of workitems that have ended: a later run replaced them, or theirs was killed.

        Their packs are written again without them. What was received is never given up, not even where the same bytes were held already:
        it is what a sender delivered, and goes with its study.

        Each call looks at some of what was made, from where the last one ended; at the end it begins anew.

        Returns:
            how many members.
        """
        with self.database.reading() as connection:
            last = connection.scalar(_LAST_OF_PAGE, {"after": self._looked_at, "more": _LOOK - 1})
            keys = list(connection.scalars(_REPLACED, {"after": self._looked_at, "last": _ALL if last is None else last}))
        self._looked_at = last or 0
        for start in range(0, len(keys), _CHUNK):
            with self.database.writing() as connection:
                connection.execute(
                    update(members)
                    .where(members.c.key.in_(keys[start : start + _CHUNK]), members.c.state == MemberState.MADE)
                    .values(state=MemberState.DELETED)
                )
        return len(keys)

    def list_packs(self, state: str | None = None) -> list[PackRow]:
        """All packs, or those in a state."""
        last = select(members.c.offset + members.c.size).where(members.c.pack_id == packs.c.id)
        end = last.order_by(members.c.offset.desc()).limit(1).scalar_subquery()  # one look into an index a pack, however many members
        query = select(packs, end.label("end")).order_by(packs.c.id)
        if state is not None:
            query = query.where(packs.c.state == state)
        with self.database.reading() as connection:
            return [PackRow(row.id, row.kind, row.state, -(-(row.end or 0) // 512) * 512) for row in connection.execute(query)]

    def pack_ids(self) -> set[str]:
        """Of all packs."""
        with self.database.reading() as connection:
            return set(connection.scalars(select(packs.c.id)))

    def members_of(self, pack_id: str) -> dict[int, bytes]:
        """Offset -> SHA-256 of what is indexed of a pack."""
        with self.database.reading() as connection:
            rows = connection.execute(select(members.c.offset, members.c.sha256).where(members.c.pack_id == pack_id))
            return {row.offset: row.sha256 for row in rows}

    def wanted_sealed(self) -> set[str]:
        """Packs that somebody waits for."""
        with self.database.reading() as connection:
            return set(connection.scalars(select(packs.c.id).where(packs.c.seal_wanted, packs.c.state == "open")))


def _points_to_member(table: Table) -> ColumnElement[bool]:
    return exists().where(table.c.pack_id == members.c.pack_id, table.c.offset == members.c.offset)


_is_made = members.c.state == literal_column(f"'{MemberState.MADE}'")  # as the partial index has it, not as a parameter
_LAST_OF_PAGE = (
    select(members.c.key).where(_is_made, members.c.key > bindparam("after")).order_by(members.c.key).offset(bindparam("more")).limit(1)
)
# A workitem that goes on may be about to point to what it has just made; one that has ended never points to anything old again.
_REPLACED = (
    select(members.c.key)
    .join(items, items.c.id == members.c.intake_id)
    .where(
        _is_made,
        members.c.key > bindparam("after"),
        members.c.key <= bindparam("last"),
        items.c.status.in_([Status.FINISHED, Status.REFUSED, Status.CANCELLED]),
        ~_points_to_member(derivatives),
        ~_points_to_member(artifacts),
    )
)


def _made_row(member: StoredMember, study_id: str | None, without_workitem: MemberState) -> dict[str, Any]:
    return {
        "pack_id": member.pack_id,
        "offset": member.offset,
        "size": member.size,
        "sha256": member.sha256,
        "intake_id": member.note.intake_id,
        "file_name": member.name,
        "state": without_workitem if study_id is None else MemberState.MADE,
        "study_id": study_id,
    }
