"""Intakes: what one delivery through one door brought, file by file, and how it stands."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast

from sqlalchemy import Connection, Row, Table, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hilum.model.errors import ConflictError, NotFoundError
from hilum.model.identity import SYSTEM, Right, Scope
from hilum.model.lifecycle import Item, Kind, Stage, Status
from hilum.model.members import StoredMember
from hilum.model.outcomes import StoredBytes
from hilum.model.records import Intake, MemberState, ReceivedMember
from hilum.stores.database import Database
from hilum.stores.moving import ITEM_ROWS, create_item, item_of, lock_item, move_item
from hilum.stores.schema import files, intake_studies, intakes, items, members, moves, projects, study_datasets, tombstones
from hilum.stores.scoping import in_scope, project_id_of, require

INTAKE_ROWS = select(*intakes.c, projects.c.name.label("project")).join(projects, projects.c.id == intakes.c.project_id)
CHUNK = 500  # values in one IN (...)

# Built once: a door writes its index hundreds of times a second.
_INSERT_MEMBERS = insert(members)
_TOUCH_INTAKE = update(intakes).where(intakes.c.id == bindparam("wanted_id")).values(last_received_at=bindparam("now"))
_ITEM_OF_INTAKE = (
    ITEM_ROWS.add_columns(intakes.c.sender)
    .join(intakes, intakes.c.id == items.c.id)
    .where(items.c.id == bindparam("wanted_id"))
    .with_for_update(of=items)
)
SENDER_WAIT = timedelta(seconds=10)
"""The longest that importing waits for more of a sender that never says it is through; a project's shorter quiet time goes before."""


@dataclass(frozen=True, slots=True)
class NewIntake:
    """What a door knows when a delivery begins."""

    project: str
    door: str
    report_type: str = ""
    dataset: str = ""
    force_reprocessing: bool = False
    metadata: Mapping[str, Any] | None = None
    sender: str = ""  # who goes on with it, where senders do not say when they are through


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file of an intake under its sender's name. `offered`: the project held it already, so it was not sent again."""

    name: str
    size: int
    sha256: bytes
    offered: bool = False


class Intakes:
    """The doors' memory.

    Args:
        abandon_after: an intake that its sender never completes is imported this long after its last file.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        wake: Callable[[], None] = lambda: None,
        *,
        abandon_after: timedelta = timedelta(days=1),
    ) -> None:
        self.database = database
        self._clock = clock
        self._wake = wake
        self._abandon_after = abandon_after

    def start(self, scope: Scope, new: NewIntake, intake_id: str = "") -> Intake:
        """Begin a delivery, under an id that the door has made already or a new one.

        Raises:
            ForbiddenError: the caller has no right to send. NotFoundError: the project is unknown.
        """
        intake_id = intake_id or str(uuid.uuid4())
        with self.database.writing() as connection:
            self.create(connection, scope, new, intake_id)
            return find_intake(connection, scope, intake_id)

    def check_sender(self, scope: Scope, project: str) -> None:
        """Raise as `start` would, before a byte is taken."""
        with self.database.reading() as connection:
            project_id_of(connection, scope, project)
        require(scope, Right.SEND, project)

    def discard(self, scope: Scope, intake_id: str) -> None:
        """Take back a delivery that nothing came of: its archive could not be kept."""
        with self.database.writing() as connection:
            find_intake(connection, scope, intake_id)
            for table, column in ((moves, moves.c.item_id), (items, items.c.id), (intakes, intakes.c.id)):
                connection.execute(delete(table).where(column == intake_id))

    def create(self, connection: Connection, scope: Scope, new: NewIntake, intake_id: str) -> None:
        """As `start`, in a transaction of the caller's."""
        project_id = project_id_of(connection, scope, new.project)
        require(scope, Right.SEND, new.project)
        now = self._clock()
        connection.execute(
            insert(intakes).values(
                id=intake_id,
                project_id=project_id,
                door=new.door,
                report_type=new.report_type,
                dataset=new.dataset,
                force_reprocessing=new.force_reprocessing,
                metadata=dict(new.metadata or {}),
                who=scope.who,
                started_at=now,
                imported=False,
                sender=new.sender or None,
            )
        )
        until, why = now + self._abandon_after, "Waiting for the sender to complete the upload."
        if new.sender:
            until, why = now + SENDER_WAIT, "Waiting for more of the same sender."
        create_item(
            connection, project_id, intake_id, Kind.INTAKE, Stage.IMPORTING, Status.DEFERRED, why, scope.who, now, not_before_at=until
        )

    def find(self, scope: Scope, intake_id: str) -> Intake:
        """The intake, or NotFoundError."""
        with self.database.reading() as connection:
            return find_intake(connection, scope, intake_id)

    def complete(self, scope: Scope, intake_id: str, expected_files: int | None = None) -> Intake:
        """The sender says that this is all. Idempotent. ConflictError with the missing count when the numbers differ."""
        with self.database.writing() as connection:
            item = lock_item(connection, scope, intake_id)
            intake = find_intake(connection, scope, intake_id)
            require(scope, Right.SEND, intake.project)
            if intake.completed_at is None:
                _check_count(connection, intake_id, expected_files)
                connection.execute(
                    update(intakes).where(intakes.c.id == intake_id).values(completed_at=self._clock(), expected_files=expected_files)
                )
                self._seal(connection, scope, item)
            completed = find_intake(connection, scope, intake_id)
        self._wake()
        return completed

    def _seal(self, connection: Connection, scope: Scope, item: Item) -> None:
        why = "The sender completed the upload."
        if item.status is Status.DEFERRED:
            move_item(connection, item, "seal", scope.who, why, self._clock())
        elif item.status is not Status.READY:  # it was abandoned, or a worker just looks whether it was, and has seen it open
            move_item(connection, item, "reopen", scope.who, why, self._clock(), to_stage=Stage.IMPORTING)

    def abandoned_until(self, scope: Scope, intake_id: str) -> datetime:
        """When an intake that nobody completes is taken as it is: some time after its last file."""
        with self.database.reading() as connection:
            intake = find_intake(connection, scope, intake_id)
            query = (
                select(func.coalesce(intakes.c.last_received_at, intakes.c.started_at).label("last"), projects.c.quiet_seconds)
                .join(projects, projects.c.id == intakes.c.project_id)
                .where(intakes.c.id == intake_id)
            )
            last, quiet_seconds = connection.execute(query).one()
        wait = min(timedelta(seconds=quiet_seconds), SENDER_WAIT) if intake.sender else self._abandon_after
        return cast(datetime, last) + wait

    # --- files ----------------------------------------------------------------------------------------------------------

    def index(self, received: Sequence[StoredMember]) -> None:
        """Write the pack index of members that have just become durable, and their file names. Called by the pools of a door."""
        with self.database.writing("lazy") as connection:
            self._index_in(connection, received)

    def _index_in(self, connection: Connection, received: Sequence[StoredMember]) -> None:
        clashing = self._name_files(connection, [member for member in received if not member.note.batch])
        connection.execute(_INSERT_MEMBERS, [_member_row(member, (member.pack_id, member.offset) in clashing) for member in received])
        for intake_id in sorted({member.note.intake_id for member in received}):
            self._import_late(connection, intake_id)
            connection.execute(_TOUCH_INTAKE, {"wanted_id": intake_id, "now": self._clock()})

    def _name_files(self, connection: Connection, received: Sequence[StoredMember]) -> set[tuple[str, int]]:
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
        return {
            (member.pack_id, member.offset) for member in received if known[member.note.intake_id, member.note.file_name] != member.sha256
        }

    def _import_late(self, connection: Connection, intake_id: str) -> None:
        """What becomes durable while or after its upload is imported (completed elsewhere, or abandoned) is imported after all.

        The item is locked until this is committed, so that nobody claims or completes it and overlooks what is being indexed.
        """
        row = connection.execute(_ITEM_OF_INTAKE, {"wanted_id": intake_id}).one()
        item = item_of(row)
        # A sender that goes on and on would take the item away from every worker: importing itself looks again at the end.
        if item.status not in (Status.DEFERRED, Status.READY) and not (row.sender and item.status is Status.CLAIMED):
            why = "A file became durable after its upload was taken up."
            move_item(connection, item, "reopen", SYSTEM.who, why, self._clock(), to_stage=Stage.IMPORTING)

    def record_archive(self, scope: Scope, intake_id: str, archive: SentFile, skipped: int) -> None:
        """An archive's own line in the file list; its members are indexed already."""
        with self.database.writing() as connection:
            find_intake(connection, scope, intake_id)
            connection.execute(
                insert_or_ignore(connection, files).values(
                    intake_id=intake_id, name=archive.name, size=archive.size, sha256=archive.sha256, offered=False, skipped=skipped
                )
            )

    def find_file(self, scope: Scope, intake_id: str, name: str) -> SentFile | None:
        """The file that the sender put under `name`; None when there is none."""
        with self.database.reading() as connection:
            find_intake(connection, scope, intake_id)
            row = connection.execute(select(files).where(files.c.intake_id == intake_id, files.c.name == name)).first()
        return None if row is None else _sent_file(row)

    def list_files(self, scope: Scope, intake_id: str, after: str = "", limit: int = 1000) -> list[SentFile]:
        """Files by name, from the one after `after`."""
        with self.database.reading() as connection:
            find_intake(connection, scope, intake_id)
            rows = connection.execute(
                select(files).where(files.c.intake_id == intake_id, files.c.name > after).order_by(files.c.name).limit(limit)
            )
            return [_sent_file(row) for row in rows]

    def offer(self, scope: Scope, intake_id: str, offered: Sequence[SentFile]) -> list[str]:
        """Which of the offered files are wanted; the others are held in this project already and count as such.

        Raises:
            ConflictError: a file that is held is offered under a name that stands for other bytes in this upload.
        """
        with self.database.reading() as connection:  # a hundred thousand digests: nobody waits to write meanwhile
            intake = find_intake(connection, scope, intake_id)
            require(scope, Right.SEND, intake.project)
            project_id = project_id_of(connection, scope, intake.project)
            found = _studies_holding(connection, project_id, {file.sha256 for file in offered})
        with self.database.writing() as connection:
            _check_open(find_intake(connection, scope, intake_id))
            buried = _buried(connection, set(found.values()))
            held = {sha256: study_id for sha256, study_id in found.items() if study_id not in buried}
            here = {
                row.name: row.sha256
                for row in connection.execute(select(files.c.name, files.c.sha256).where(files.c.intake_id == intake_id))
            }
            wanted = [file for file in offered if file.sha256 not in held and here.get(file.name) != file.sha256]
            spared = [file for file in offered if file.sha256 in held and file.name not in here]
            _check_names(here, [file for file in offered if file.sha256 in held])
            self._spare(connection, intake, spared, {held[file.sha256] for file in spared})
        return [file.name for file in wanted]

    def _spare(self, connection: Connection, intake: Intake, spared: Iterable[SentFile], study_ids: set[str]) -> None:
        rows = [{"intake_id": intake.id, "name": f.name, "size": f.size, "sha256": f.sha256, "offered": True} for f in spared]
        if rows:
            connection.execute(insert_or_ignore(connection, files), rows)
        touch_studies(connection, intake.id, dict.fromkeys(study_ids, 0))
        if intake.dataset and study_ids:
            labels = [{"study_id": study_id, "dataset": intake.dataset} for study_id in sorted(study_ids)]
            connection.execute(insert_or_ignore(connection, study_datasets), labels)

    # --- importing -------------------------------------------------------------------------------------------------------

    def next_received(self, scope: Scope, intake_id: str, limit: int) -> list[ReceivedMember]:
        """Members that wait for importing, in the order they lie in their packs."""
        with self.database.reading() as connection:
            find_intake(connection, scope, intake_id)
            rows = connection.execute(
                select(members)
                .where(members.c.intake_id == intake_id, members.c.state == MemberState.RECEIVED)
                .order_by(members.c.key)
                .limit(limit)
            )
            return [
                ReceivedMember(row.key, row.intake_id, row.file_name, StoredBytes(row.pack_id, row.offset, row.size, row.sha256))
                for row in rows
            ]

    def counts(self, scope: Scope, intake_id: str) -> dict[str, int]:
        """received, imported, already_held, set_aside, conflicts, skipped: the first is the sum of the others and of what still waits.

        What a person deleted is no longer counted.
        """
        with self.database.reading() as connection:
            find_intake(connection, scope, intake_id)
            by_state: dict[str, int] = {
                row.state: row.number
                for row in connection.execute(
                    select(members.c.state, func.count().label("number")).where(members.c.intake_id == intake_id).group_by(members.c.state)
                )
            }
            spared = connection.scalar(select(func.count()).where(files.c.intake_id == intake_id, files.c.offered)) or 0
        by_state.pop(MemberState.DELETED, None)
        return {
            "received": sum(by_state.values()) + spared,
            "imported": by_state.get(MemberState.IMPORTED, 0),
            "already_held": by_state.get(MemberState.ALREADY_HELD, 0) + spared,
            "set_aside": by_state.get(MemberState.SET_ASIDE, 0),
            "conflicts": by_state.get(MemberState.CONFLICT, 0),
            "skipped": by_state.get(MemberState.SKIPPED, 0),
        }


def find_intake(connection: Connection, scope: Scope, intake_id: str) -> Intake:
    """The intake, or NotFoundError."""
    row = connection.execute(INTAKE_ROWS.where(intakes.c.id == intake_id, in_scope(scope, intakes.c.project_id))).first()
    if row is None:
        raise NotFoundError(f"There is no upload {intake_id}.", "Start one with POST /uploads.")
    return Intake(
        id=row.id,
        project=row.project,
        door=row.door,
        report_type=row.report_type,
        dataset=row.dataset,
        force_reprocessing=row.force_reprocessing,
        metadata=row.metadata,
        started_at=row.started_at,
        completed_at=row.completed_at,
        expected_files=row.expected_files,
        who=row.who,
        sender=row.sender or "",
        interrupted=row.interrupted,
    )


def touch_studies(connection: Connection, intake_id: str, new_instances: Mapping[str, int]) -> None:
    """Remember that an intake brought `new_instances[study id]` instances that were not there before; may be called batch by batch."""
    for study_id, number in sorted(new_instances.items()):
        known = connection.execute(
            update(intake_studies)
            .where(intake_studies.c.intake_id == intake_id, intake_studies.c.study_id == study_id)
            .values(new_instances=intake_studies.c.new_instances + number, told=False)
        )
        if known.rowcount == 0:
            connection.execute(insert(intake_studies).values(intake_id=intake_id, study_id=study_id, new_instances=number, answered=False))


def insert_or_ignore(connection: Connection, table: Table) -> Any:
    """INSERT that leaves a row which is there already; both dialects know ON CONFLICT DO NOTHING."""
    return _insert_or_ignore(connection.dialect.name, table)


@cache
def _insert_or_ignore(dialect: str, table: Table) -> Any:
    maker = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return maker(table).on_conflict_do_nothing()


def _check_open(intake: Intake) -> None:
    if intake.completed_at is not None:
        raise ConflictError("The upload is complete; nothing can be added to it.", "Start another upload.")


def _check_count(connection: Connection, intake_id: str, expected: int | None) -> None:
    found = connection.scalar(select(func.count()).where(files.c.intake_id == intake_id)) or 0
    if expected is not None and expected != found:
        missing = expected - found
        what = (
            f"{missing} of {expected} files are missing" if missing > 0 else f"{-missing} files more than the {expected} expected are here"
        )
        raise ConflictError(f"The upload is not complete: {what}.", "Compare with GET /uploads/{id}/files, send the rest, complete again.")


def _check_names(here: Mapping[str, bytes], held: Iterable[SentFile]) -> None:
    """What is not sent again needs its name all the same: else it would be missing from the upload, and nobody would say so."""
    standing = dict(here)
    for file in held:
        if standing.setdefault(file.name, file.sha256) != file.sha256:
            raise ConflictError("This upload holds other bytes under an offered file name.", "Offer the file under another name.")


def _buried(connection: Connection, study_ids: set[str]) -> set[str]:
    """Those that were deleted."""
    return set(connection.scalars(select(tombstones.c.study_id).where(tombstones.c.study_id.in_(study_ids))))


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


def _studies_holding(connection: Connection, project_id: int, digests: set[bytes]) -> dict[bytes, str]:
    """SHA-256 -> study, for digests whose instance the project holds."""
    held: dict[bytes, str] = {}
    wanted = sorted(digests)
    for start in range(0, len(wanted), CHUNK):
        query = (
            select(members.c.sha256, members.c.study_id)
            .join(intakes, intakes.c.id == members.c.intake_id)
            .where(
                members.c.sha256.in_(wanted[start : start + CHUNK]),
                members.c.state == MemberState.IMPORTED,
                intakes.c.project_id == project_id,
            )
        )
        held |= {row.sha256: row.study_id for row in connection.execute(query)}
    return held


def _sent_file(row: Row[Any]) -> SentFile:
    return SentFile(row.name, row.size, row.sha256, row.offered)
