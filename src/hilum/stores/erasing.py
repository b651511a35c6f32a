"""Deletion for good: the study, its copies and results leave the ledger's sight at once, then the packs are written again without them.

The order, so that a kill at any moment leaves the study whole or gone:

1. one transaction writes the tombstone: from then on no query shows the study, and `erase_all` finishes what a kill interrupted;
2. each pack that holds something of it is written again without it, the ledger is switched to the new pack in one transaction, the
   old pack is removed (stores/packs/rewriting.py);
3. one transaction removes the rows and stamps the tombstone as erased.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, delete, insert, literal_column, select, update

from hilum.model.errors import ConflictError, HilumError, InvalidError, NotFoundError
from hilum.model.identity import ADMIN_PROJECT, SYSTEM, Right, Scope
from hilum.model.members import StoredMember
from hilum.model.records import MemberState
from hilum.stores.catalogue import STUDY_ROWS
from hilum.stores.database import Database
from hilum.stores.forgetting import forget_study
from hilum.stores.packs import Disk, RewrittenPack, count_free_bytes, pack_path, remove, rewrite, successor
from hilum.stores.replies import forget_mentions
from hilum.stores.schema import (
    artifacts,
    derivatives,
    instances,
    intake_studies,
    intakes,
    items,
    members,
    packs,
    pictures,
    projects,
    series,
    studies,
    tombstones,
    workitems,
)
from hilum.stores.scoping import in_scope, lock_project, require

ROOM_LEFT = 64 << 20  # bytes that stay free while a pack is written again: the ledger needs some too
_MEMBER_OVERHEAD = 4096  # header and padding of a member, rounded up
REST = timedelta(minutes=1)  # until a pack that could not be written again is tried again

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Failure:
    """What stood in the way of a pack, and when it is tried again."""

    kind: type[HilumError]
    again_at: datetime


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What stays of a deleted study: that it was there, who deleted it and why. No identity."""

    study_id: str
    study_instance_uid: str
    number_of_instances: int
    reason: str
    who: str
    at: datetime
    erased_at: datetime | None


class Eraser:
    """Deletes studies and set-aside members.

    Args:
        folder: of the packs.
        free_bytes: tells the room in it.
        withdraw: takes back all that was delivered of a workitem (its id, template, version); raises HilumError where it cannot for now.
        forget_pseudonyms: removes what the pseudonyms of a project's study stand for; answers with the keys that it lacks for the rest.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        folder: Path,
        free_bytes: Callable[[Path], int] = count_free_bytes,
        withdraw: Callable[[str, str, int], None] = lambda _workitem_id, _template, _version: None,
        forget_pseudonyms: Callable[[Connection, str, str], list[str]] = lambda _connection, _project, _study_id: [],
    ) -> None:
        self.database = database
        self._clock = clock
        self._folder = folder
        # Less than a sender must leave: what is erased makes room.
        self._disk = Disk(folder, ROOM_LEFT, free_bytes=free_bytes)
        self._withdraw = withdraw
        self._forget_pseudonyms = forget_pseudonyms
        self._failures: dict[str, _Failure] = {}

    def delete_study(self, scope: Scope, study_id: str, reason: str) -> Tombstone:
        """Bury a study. It is gone for everybody when this returns; its bytes go with `erase_all`.

        Raises:
            InvalidError: there is no reason.
            ConflictError: an upload of it is still being imported; the rest of it would come back as half a study.
            ForbiddenError: the caller is no administrator of its project.
        """
        if not reason.strip():
            raise InvalidError("A deletion needs a reason.", "Say why the study is deleted.")
        with self.database.writing() as connection:
            row = _find(connection, scope, study_id)
            require(scope, Right.ADMINISTER, row.item_project)
            lock_project(connection, row.project_id)
            _find(connection, scope, study_id)  # somebody may have deleted it while this waited
            _refuse_while_arriving(connection, study_id)
            self._forget_pseudonyms(connection, row.item_project, study_id)  # at once: with the keys that are here no row opens any more
            return _bury(connection, study_id, reason, scope.who, self._clock())

    def delete_set_aside(self, scope: Scope, key: int) -> None:
        """Delete one member that was set aside: its pack is written again without it."""
        with self.database.writing() as connection:
            row = connection.execute(
                select(members.c.state, projects.c.name, members.c.pack_id)
                .join(intakes, intakes.c.id == members.c.intake_id)
                .join(projects, projects.c.id == intakes.c.project_id)
                .where(members.c.key == key, in_scope(scope, intakes.c.project_id))
            ).first()
            if row is None or row.state not in (MemberState.SET_ASIDE, MemberState.CONFLICT):
                raise NotFoundError(f"Nothing set aside has the id {key}.", "Look at GET /set-aside.")
            require(scope, Right.ADMINISTER, row.name)
            connection.execute(update(members).where(members.c.key == key).values(state=MemberState.DELETED, study_id=None, reason=None))
            connection.execute(update(packs).where(packs.c.id == row.pack_id, packs.c.state == "open").values(seal_wanted=True))

    def erase_all(self) -> int:
        """Erase what is buried, pack by pack; to be run by one process at a time. What lies in a pack that is still open waits.

        Returns:
            how many studies were erased to the end. A pack that cannot be written again stops no other.
        """
        for pack_id in self._packs_to_rewrite():
            self._try_to_rewrite(pack_id)
        return self._stamp_erased()

    def erase_next(self) -> int:
        """As `erase_all`, one pack only; one that failed rests for a while. For who has other things to do too."""
        waiting = (pack_id for pack_id in self._packs_to_rewrite() if not self._rests(pack_id))
        any(self._try_to_rewrite(pack_id) for pack_id in waiting)
        return self._stamp_erased()

    def follow(self, pack_id: str, new_pack_id: str, size: int, found: Sequence[StoredMember]) -> int:
        """The ledger was restored from a copy that is older than an erasing: it learns which pack stands in the place of one that is gone.

        Args:
            pack_id: what the ledger knows, and is gone.
            new_pack_id: of the pack that a rewriting put in its place; `size` bytes, with the members `found`.

        Returns:
            how many studies were buried, because their bytes had been erased.
        """
        with self.database.writing() as connection:
            rows = connection.execute(select(members).where(members.c.pack_id == pack_id)).all()
            moved = _match(rows, found)
            erased = {row.study_id for row in rows if row.offset not in moved and row.state == MemberState.IMPORTED}
            for study_id in sorted(erased):
                _bury(connection, study_id, "It was erased before the ledger was restored from an older copy.", SYSTEM.who, self._clock())
            _switch(connection, pack_id, RewrittenPack(new_pack_id, size, moved, [], []))
        return len(erased)

    def is_erased(self, study_id: str) -> bool:
        """Whether nothing of a buried study is left."""
        with self.database.reading() as connection:
            return connection.scalar(select(tombstones.c.erased_at).where(tombstones.c.study_id == study_id)) is not None

    def tombstones(self, scope: Scope) -> list[Tombstone]:
        """What was deleted, newest first."""
        require(scope, Right.ADMINISTER, ADMIN_PROJECT)
        with self.database.reading() as connection:
            rows = connection.execute(select(tombstones).order_by(tombstones.c.at.desc()))
            return [
                Tombstone(row.study_id, row.study_instance_uid, row.number_of_instances, row.reason, row.who, row.at, row.erased_at)
                for row in rows
            ]

    # --- packs ------------------------------------------------------------------------------------------------------------

    def _packs_to_rewrite(self) -> list[str]:
        with self.database.reading() as connection:
            # Two queries, an index each: with OR, SQLite reads the whole table of members.
            doomed = {
                pack_id for which in (_is_buried(), _is_deleted()) for pack_id in connection.scalars(select(members.c.pack_id).where(which))
            }
            sealed = sorted(connection.scalars(select(packs.c.id).where(packs.c.id.in_(doomed), packs.c.state == "sealed")))
        # What lies on another machine is written again there.
        return [pack_id for pack_id in sealed if not self.database.is_shared or pack_path(self._folder, pack_id).exists()]

    def _rests(self, pack_id: str) -> bool:
        failure = self._failures.get(pack_id)
        return failure is not None and self._clock() < failure.again_at

    def _try_to_rewrite(self, pack_id: str) -> bool:
        """Whether it was written again; why not is logged, once as long as it stays so."""
        try:
            self._rewrite(pack_id)
        except HilumError as error:
            before = self._failures.get(pack_id)
            if before is None or before.kind is not type(error):
                _LOG.error("what was deleted stays in pack %s for now: %s", pack_id, error)
            self._failures[pack_id] = _Failure(type(error), self._clock() + REST)
            return False
        self._failures.pop(pack_id, None)
        return True

    def _rewrite(self, pack_id: str) -> None:
        with self.database.reading() as connection:
            if connection.scalar(select(packs.c.id).where(packs.c.id == successor(pack_id))) is not None:
                raise ConflictError(f"The ledger knows pack {pack_id} and the one in its place.", "Run `hilum verify`.")
            kept = _kept(connection, pack_id)
        self._disk.require_space(sum(kept.values()) + _MEMBER_OVERHEAD * len(kept))

        def keep(member: StoredMember) -> bool:
            return member.offset in kept  # what the ledger does not know was never acknowledged: it goes too

        rewritten = rewrite(pack_path(self._folder, pack_id), keep)
        with self.database.writing() as connection:
            _switch(connection, pack_id, rewritten)
        remove(self._folder, pack_id)

    def _is_withdrawn(self, study_id: str) -> bool:
        """Take back what was delivered; where that fails the tombstone stays open, and the next round tries again.

        By workitem and not by receipt: a worker that was killed, or overtaken by the deletion, delivered without one.
        """
        with self.database.reading() as connection:
            made = connection.execute(
                select(workitems.c.id, workitems.c.template, workitems.c.template_version).where(workitems.c.study_id == study_id)
            ).all()
        try:
            for row in made:
                self._withdraw(row.id, row.template, row.template_version)
        except HilumError as error:
            _LOG.error("what was delivered of study %s stays for now: %s", study_id, error)
            return False
        return True

    def _stamp_erased(self) -> int:
        with self.database.reading() as connection:
            open_ones = list(connection.scalars(select(tombstones.c.study_id).where(tombstones.c.erased_at.is_(None))))
            left = set(connection.scalars(select(members.c.study_id).where(members.c.study_id.in_(open_ones)).distinct()))
        erased = [study_id for study_id in open_ones if study_id not in left and self._is_withdrawn(study_id)]
        return sum(self._try_to_stamp(study_id) for study_id in erased)

    def _try_to_stamp(self, study_id: str) -> bool:
        try:
            return self._stamp(study_id)
        except HilumError as error:  # its project's keys cannot be read: that stops no other study
            _LOG.error("the rows of deleted study %s stay for now: %s", study_id, error)
            return False

    def _stamp(self, study_id: str) -> bool:
        """The rows go and the tombstone is closed, unless a key is missing that pseudonyms of the study may be found with."""
        with self.database.writing() as connection:
            project_id, project = _project_of(connection, study_id)
            lock_project(connection, project_id)
            missing = self._forget_pseudonyms(connection, project, study_id)
            if not missing:
                forget_study(connection, study_id)
                connection.execute(update(tombstones).where(tombstones.c.study_id == study_id).values(erased_at=self._clock()))
        if missing:
            _LOG.error(
                "pseudonyms of study %s stay: project %s lacks the keys %s (lost? `hilum crosswalk give-up`)", study_id, project, missing
            )
        return not missing


def _find(connection: Connection, scope: Scope, study_id: str) -> Row[Any]:
    row = connection.execute(STUDY_ROWS.where(studies.c.id == study_id, in_scope(scope, studies.c.project_id))).first()
    if row is None:
        raise NotFoundError(f"There is no study {study_id}.", "Look at `hilum status`.")
    return row


def _bury(connection: Connection, study_id: str, reason: str, who: str, at: datetime) -> Tombstone:
    row = connection.execute(select(studies).where(studies.c.id == study_id)).one()
    lock_project(connection, row.project_id)
    connection.execute(
        insert(tombstones).values(
            study_id=study_id,
            project_id=row.project_id,
            study_instance_uid=row.study_instance_uid,
            number_of_instances=row.number_of_instances,
            reason=reason,
            who=who,
            at=at,
        )
    )
    _stop_items(connection, study_id)
    _free_identifiers(connection, study_id)
    forget_mentions(connection, study_id)
    affected = set(connection.scalars(_packs_of(study_id)))
    connection.execute(update(packs).where(packs.c.id.in_(affected), packs.c.state == "open").values(seal_wanted=True))
    return Tombstone(study_id, row.study_instance_uid, row.number_of_instances, reason, who, at, None)


def _match(rows: Sequence[Row[Any]], found: Sequence[StoredMember]) -> dict[int, StoredMember]:
    """Offset in the index -> where the member lies now: the same bytes of the same delivery. Of equal ones an instance's goes first."""
    places: dict[tuple[bytes, str], list[StoredMember]] = {}
    for member in reversed(found):
        places.setdefault((member.sha256, member.note.intake_id), []).append(member)
    instances_first = sorted(rows, key=lambda row: (row.state != MemberState.IMPORTED, row.offset))
    return {row.offset: same.pop() for row in instances_first if (same := places.get((row.sha256, row.intake_id)))}


def _is_buried() -> ColumnElement[bool]:
    return members.c.study_id.in_(select(tombstones.c.study_id).where(tombstones.c.erased_at.is_(None)))


def _is_deleted() -> ColumnElement[bool]:
    return members.c.state == literal_column(f"'{MemberState.DELETED}'")  # as the partial index has it, not as a parameter


def _kept(connection: Connection, pack_id: str) -> dict[int, int]:
    """Offset -> size of what stays of a pack."""
    rows = connection.execute(
        select(members.c.offset, members.c.size).where(
            members.c.pack_id == pack_id,
            members.c.state != MemberState.DELETED,
            members.c.study_id.is_(None) | members.c.study_id.not_in(select(tombstones.c.study_id)),
        )
    )
    return {row.offset: row.size for row in rows}


def _project_of(connection: Connection, study_id: str) -> tuple[int, str]:
    named = select(projects.c.id, projects.c.name).join(tombstones, tombstones.c.project_id == projects.c.id)
    row = connection.execute(named.where(tombstones.c.study_id == study_id)).one()
    return row.id, row.name


def _refuse_while_arriving(connection: Connection, study_id: str) -> None:
    arriving = (
        select(items.c.id)
        .join(intakes, intakes.c.id == items.c.id)
        .join(intake_studies, intake_studies.c.intake_id == intakes.c.id)
        .where(intake_studies.c.study_id == study_id, items.c.status.in_(["ready", "claimed"]))
    )
    if connection.scalar(arriving.limit(1)) is not None:
        raise ConflictError("An upload of this study is still being imported.", "Delete the study when the upload is through.")


def _packs_of(study_id: str) -> Select[Any]:
    return select(members.c.pack_id).where(members.c.study_id == study_id).distinct()


def _stop_items(connection: Connection, study_id: str) -> None:
    """Nothing works on it any more: a worker that has it loses its claim."""
    its = select(workitems.c.id).where(workitems.c.study_id == study_id)
    connection.execute(select(items.c.id).where(items.c.id == study_id).with_for_update())  # before its workitems, as everybody does
    connection.execute(
        update(items)
        .where((items.c.id == study_id) | items.c.id.in_(its))
        .values(status="cancelled", version=items.c.version + 1, not_before_at=None, lease_until_at=None, why="Deleted.")
    )


def _free_identifiers(connection: Connection, study_id: str) -> None:
    """Its UIDs may arrive again at once: the buried rows give up theirs."""
    keys = select(series.c.key).where(series.c.study_id == study_id)
    connection.execute(delete(instances).where(instances.c.series_key.in_(keys)))
    connection.execute(delete(pictures).where(pictures.c.series_key.in_(keys)))
    connection.execute(update(series).where(series.c.study_id == study_id).values(series_instance_uid=series.c.id))
    connection.execute(update(studies).where(studies.c.id == study_id).values(study_instance_uid=studies.c.id))
    connection.execute(
        update(members).where(members.c.study_id == study_id, members.c.state == MemberState.IMPORTED).values(state=MemberState.DELETED)
    )


def _switch(connection: Connection, pack_id: str, rewritten: RewrittenPack) -> None:
    """The ledger knows the new pack instead of the old one."""
    row = connection.execute(select(packs).where(packs.c.id == pack_id)).one()
    connection.execute(
        insert(packs).values(
            id=rewritten.new_pack_id, kind=row.kind, state="sealed", size=rewritten.size, seal_wanted=False, created_at=row.created_at
        )
    )
    moved = [{"old": old, "new": member.offset} for old, member in rewritten.moved.items()]
    for table in (members, derivatives, artifacts):
        if moved:
            # Upwards or downwards, a new place may be another member's old one: the pack id tells them apart.
            connection.execute(
                update(table)
                .where(table.c.pack_id == pack_id, table.c.offset == bindparam("old"))
                .values(pack_id=rewritten.new_pack_id, offset=bindparam("new")),
                moved,
            )
        connection.execute(delete(table).where(table.c.pack_id == pack_id))
    connection.execute(delete(packs).where(packs.c.id == pack_id))
