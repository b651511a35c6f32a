"""Which instances a project holds: the ledger's answer to a request for storage commitment (PS3.4 J)."""

from collections.abc import Collection

from sqlalchemy import select

from hilum.model.identity import Scope
from hilum.model.records import MemberState
from hilum.stores.database import Database
from hilum.stores.inserting import CHUNK
from hilum.stores.schema import instances, intakes, members
from hilum.stores.scoping import project_id_of


def held_instances(database: Database, scope: Scope, project: str, sop_instance_uids: Collection[str]) -> set[str]:
    """Those of the given instances whose bytes the project holds, imported or about to be.

    Raises:
        NotFoundError: the project is gone.
    """
    held: set[str] = set()
    wanted = sorted(sop_instance_uids)
    with database.reading() as connection:
        project_id = project_id_of(connection, scope, project)
        for start in range(0, len(wanted), CHUNK):
            some = wanted[start : start + CHUNK]
            imported = select(instances.c.sop_instance_uid).where(
                instances.c.project_id == project_id, instances.c.sop_instance_uid.in_(some)
            )
            # What a C-STORE brought is named by its SOP Instance UID until importing has read it.
            received = (
                select(members.c.file_name)
                .join(intakes, intakes.c.id == members.c.intake_id)
                .where(intakes.c.project_id == project_id, intakes.c.sender.is_not(None), members.c.state == MemberState.RECEIVED)
                .where(members.c.file_name.in_([f"{uid}.dcm" for uid in some]))
            )
            held.update(connection.scalars(imported))
            held.update(name.removesuffix(".dcm") for name in connection.scalars(received))
    return held
