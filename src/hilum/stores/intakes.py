"""Intakes: what one delivery through one door brought, file by file, and how it stands."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, Row, delete, exists, func, insert, select, update

from hilum.model.completeness import EXPECTED_COUNTS, expected_counts_of
from hilum.model.errors import ConflictError
from hilum.model.identity import Right, Scope
from hilum.model.lifecycle import Item, Kind, Stage, Status
from hilum.model.members import StoredMember
from hilum.model.outcomes import StoredBytes
from hilum.model.records import Intake, MemberState, ReceivedMember
from hilum.model.words import count
from hilum.stores.database import Database
from hilum.stores.indexing import index_members, waits_for_archive
from hilum.stores.inserting import insert_or_ignore
from hilum.stores.intake_rows import find_intake
from hilum.stores.moving import create_item, lock_item, move_item
from hilum.stores.offering import SentFile, studies_holding, take_offer
from hilum.stores.schema import files, intakes, items, members, moves, projects
from hilum.stores.scoping import project_id_of, require

UNKEPT_AFTER = timedelta(hours=1)  # far longer than the sync of any archive takes
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
            _discard(connection, intake_id)

    def start_archive(self, scope: Scope, new: NewIntake, intake_id: str, archive: SentFile, skipped: int) -> None:
        """Begin a delivery that is one archive, complete as soon as its members are indexed: in that transaction, so all or nothing.

        Raises as `start`. `seal_archive` follows when the members are durable, or `discard` when they cannot be.
        """
        with self.database.writing() as connection:
            self.create(connection, scope, new, intake_id, "Waiting for its archive to be durable.")
            connection.execute(update(intakes).where(intakes.c.id == intake_id).values(completed_at=self._clock(), expected_files=1))
            _record_archive(connection, intake_id, archive, skipped)

    def seal_archive(self, scope: Scope, intake_id: str) -> None:
        """An archive without any member has nothing to be indexed, and is complete all the same."""
        with self.database.writing() as connection:
            item = lock_item(connection, scope, intake_id)
            if waits_for_archive(item):
                self._seal(connection, scope, item)
        self._wake()

    def discard_unkept(self) -> int:
        """Take back the archives whose process was killed before any of it was durable: their senders heard no yes. Returns how many."""
        unkept = (
            select(items.c.id)
            .join(intakes, intakes.c.id == items.c.id)
            .where(
                items.c.status == Status.DEFERRED,
                items.c.version == 1,
                intakes.c.completed_at <= self._clock() - UNKEPT_AFTER,
                ~exists().where(members.c.intake_id == intakes.c.id),
            )
        )
        with self.database.writing() as connection:
            found = list(connection.scalars(unkept.with_for_update(of=items)))
            for intake_id in found:
                _discard(connection, intake_id)
        return len(found)

    def create(self, connection: Connection, scope: Scope, new: NewIntake, intake_id: str, why: str = "") -> None:
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
        until, why = now + self._abandon_after, why or "Waiting for the sender to complete the upload."
        if new.sender:
            until, why = now + SENDER_WAIT, "Waiting for more of the same sender."
        create_item(
            connection, project_id, intake_id, Kind.INTAKE, Stage.IMPORTING, Status.DEFERRED, why, scope.who, now, not_before_at=until
        )

    def find(self, scope: Scope, intake_id: str) -> Intake:
        """The intake, or NotFoundError."""
        with self.database.reading() as connection:
            return find_intake(connection, scope, intake_id)

    def complete(
        self, scope: Scope, intake_id: str, expected_files: int | None = None, expected_counts: Mapping[str, int] | None = None
    ) -> Intake:
        """The sender says that this is all. Idempotent. ConflictError with the missing count when the numbers differ.

        Args:
            expected_counts: UID of a study or series -> how many instances it has; goes with what the upload's metadata announced.
        """
        with self.database.writing() as connection:
            item = lock_item(connection, scope, intake_id)
            intake = find_intake(connection, scope, intake_id)
            require(scope, Right.SEND, intake.project)
            if intake.completed_at is None:
                _check_count(connection, intake_id, expected_files)
                announced = {**expected_counts_of(intake.metadata), **(expected_counts or {})}
                noted = {**intake.metadata, EXPECTED_COUNTS: announced} if announced else intake.metadata
                now = self._clock()
                changed = update(intakes).where(intakes.c.id == intake_id)
                connection.execute(changed.values(completed_at=now, expected_files=expected_files, metadata=dict(noted)))
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
            index_members(connection, received, self._clock())

    def record_archive(self, scope: Scope, intake_id: str, archive: SentFile, skipped: int) -> None:
        """An archive's own line in the file list; its members are indexed already."""
        with self.database.writing() as connection:
            find_intake(connection, scope, intake_id)
            _record_archive(connection, intake_id, archive, skipped)

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
            found = studies_holding(connection, project_id, {file.sha256 for file in offered})
        with self.database.writing() as connection:
            intake = find_intake(connection, scope, intake_id)
            _check_open(intake)
            return take_offer(connection, intake, offered, found)

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


def _record_archive(connection: Connection, intake_id: str, archive: SentFile, skipped: int) -> None:
    connection.execute(
        insert_or_ignore(connection, files).values(
            intake_id=intake_id, name=archive.name, size=archive.size, sha256=archive.sha256, offered=False, skipped=skipped
        )
    )


def _discard(connection: Connection, intake_id: str) -> None:
    for table, column in ((moves, moves.c.item_id), (items, items.c.id), (files, files.c.intake_id), (intakes, intakes.c.id)):
        connection.execute(delete(table).where(column == intake_id))


def _check_open(intake: Intake) -> None:
    if intake.completed_at is not None:
        raise ConflictError("The upload is complete; nothing can be added to it.", "Start another upload.")


def _check_count(connection: Connection, intake_id: str, expected: int | None) -> None:
    found = connection.scalar(select(func.count()).where(files.c.intake_id == intake_id)) or 0
    if expected is not None and expected != found:
        missing, more = expected - found, found - expected
        says_missing = f"{missing} of {count(expected, 'file')} {'is' if missing == 1 else 'are'} missing"
        says_more = f"{count(more, 'file')} more than expected {'is' if more == 1 else 'are'} here"
        raise ConflictError(
            f"The upload is not complete: {says_missing if missing > 0 else says_more}.",
            "Compare with GET /uploads/{id}/files, send the rest, complete again.",
        )


def _sent_file(row: Row[Any]) -> SentFile:
    return SentFile(row.name, row.size, row.sha256, row.offered)
