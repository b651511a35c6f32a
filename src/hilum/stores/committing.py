"""Storage commitment (PS3.4 J): which instances a project holds, and the reports of it that are owed to peers until they confirm them."""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from hilum.model.identity import ADMIN_PROJECT, Right, Scope
from hilum.model.outcomes import StoredBytes
from hilum.model.records import Commitment, FailedReference, MemberState, OwedReport
from hilum.stores.database import Database
from hilum.stores.inserting import chunks
from hilum.stores.schema import commitment_reports, instances, intakes, members
from hilum.stores.scoping import project_id_of, require
from hilum.stores.storable import storable

GRACE = timedelta(seconds=30)
"""So long a report is left to the association that asked for it; what is not confirmed then, or when that ends, goes out on one of ours."""


class Commitments:
    """Held instances and owed reports.

    Args:
        clock: gives aware UTC times.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self.database = database
        self._clock = clock

    def held(self, scope: Scope, project: str, sop_instance_uids: Collection[str]) -> Iterator[tuple[str, StoredBytes]]:
        """Those of the given instances whose bytes the project holds, imported or about to be, and where: what came again, several times.

        They come in parts, pack by pack in each, and no transaction is open while the caller reads them.

        Raises:
            NotFoundError: the project is gone.
        """
        for uids in chunks(sop_instance_uids):
            with self.database.reading() as connection:
                found = _held(connection, project_id_of(connection, scope, project), uids)
            yield from sorted(found, key=lambda one: (one[1].pack_id, one[1].offset))

    def owe(self, scope: Scope, project: str, names: tuple[str, str, str], commitment: Commitment) -> OwedReport:
        """A report that a peer waits for from now on, whatever becomes of its association or of this process.

        Args:
            names: calling AE title, called AE title and address of the association that asked.
        """
        now = self._clock()
        calling_ae_title, called_ae_title, address = names
        with self.database.writing() as connection:
            values = {
                "project_id": project_id_of(connection, scope, project),
                "calling_ae_title": calling_ae_title,
                "called_ae_title": called_ae_title,
                "address": address,
                "transaction_uid": commitment.transaction_uid,
                "committed": storable(commitment.committed),
                "failed": storable(commitment.failed),
                "attempt": 0,
                "owed_at": now,
                "not_before_at": now + GRACE,
            }
            key = connection.execute(insert(commitment_reports).values(**values).returning(commitment_reports.c.key)).scalar_one()
        return OwedReport(int(key), calling_ae_title, called_ae_title, address, commitment, 0, now)

    def settle(self, scope: Scope, key: int) -> None:
        """The peer has heard it, or never will."""
        require(scope, Right.OPERATE, ADMIN_PROJECT)
        with self.database.writing() as connection:
            connection.execute(delete(commitment_reports).where(commitment_reports.c.key == key))

    def postpone(self, scope: Scope, key: int, delay: timedelta, *, in_vain: bool = True) -> None:
        """To be told again after `delay`; `in_vain`: it was tried on an association of ours."""
        require(scope, Right.OPERATE, ADMIN_PROJECT)
        change = {"not_before_at": self._clock() + delay, "attempt": commitment_reports.c.attempt + int(in_vain)}
        with self.database.writing() as connection:
            connection.execute(update(commitment_reports).where(commitment_reports.c.key == key).values(**change))

    def due(self, scope: Scope, limit: int = 100) -> list[OwedReport]:
        """What is to be told now, the longest waiting first."""
        require(scope, Right.OPERATE, ADMIN_PROJECT)
        query = select(commitment_reports).where(commitment_reports.c.not_before_at <= self._clock())
        with self.database.reading() as connection:
            rows = connection.execute(query.order_by(commitment_reports.c.not_before_at).limit(limit))
            return [_owed(row) for row in rows]


_PLACE = members.c.pack_id, members.c.offset, members.c.size, members.c.sha256


def _held(connection: Connection, project_id: int, uids: Sequence[str]) -> list[tuple[str, StoredBytes]]:
    imported = (
        select(instances.c.sop_instance_uid, *_PLACE)
        .join(members, members.c.key == instances.c.member_key)
        .where(instances.c.project_id == project_id, instances.c.sop_instance_uid.in_(uids))
    )
    # What a C-STORE brought is named by its SOP Instance UID until importing has read it.
    received = (
        select(members.c.file_name, *_PLACE)
        .join(intakes, intakes.c.id == members.c.intake_id)
        .where(intakes.c.project_id == project_id, intakes.c.sender.is_not(None), members.c.state == MemberState.RECEIVED)
        .where(members.c.file_name.in_([f"{uid}.dcm" for uid in uids]))
    )
    found = [(uid, StoredBytes(*place)) for uid, *place in connection.execute(imported)]
    return found + [(name.removesuffix(".dcm"), StoredBytes(*place)) for name, *place in connection.execute(received)]


def _owed(row: Row[Any]) -> OwedReport:
    committed = tuple((one, two) for one, two in row.committed)
    failed = tuple(FailedReference(*one) for one in row.failed)
    names = row.calling_ae_title, row.called_ae_title, row.address
    return OwedReport(row.key, *names, Commitment(row.transaction_uid, committed, failed), row.attempt, row.owed_at)
