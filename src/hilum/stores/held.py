"""What a project holds of the UIDs that are being registered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from hilum.model.outcomes import StoredBytes
from hilum.model.records import ScannedInstance
from hilum.stores.inserting import chunks
from hilum.stores.schema import instances, members, series


@dataclass(frozen=True, slots=True)
class HeldInstance:
    """An instance of the catalogue: its bytes and its study."""

    stored: StoredBytes
    study_id: str


@dataclass(slots=True)
class HeldSeries:
    """A series, with how many instances this batch `added` to it."""

    key: int
    study_id: str
    attributes: Mapping[str, Any]
    kept_generation: int
    added: int = 0


def look_up_instances(connection: Connection, project_id: int, scanned: Sequence[ScannedInstance]) -> dict[str, HeldInstance]:
    """Those of the scanned instances that the project holds, by SOP Instance UID."""
    held: dict[str, HeldInstance] = {}
    for uids in chunks({one.sop_instance_uid for one in scanned}):
        query = (
            select(instances.c.sop_instance_uid, members)
            .join(members, members.c.key == instances.c.member_key)
            .where(instances.c.project_id == project_id, instances.c.sop_instance_uid.in_(uids))
        )
        for row in connection.execute(query):
            held[row.sop_instance_uid] = HeldInstance(StoredBytes(row.pack_id, row.offset, row.size, row.sha256), row.study_id)
    return held


def look_up_series(connection: Connection, project_id: int, scanned: Sequence[ScannedInstance]) -> dict[str, HeldSeries]:
    """Those of their series that it holds, by Series Instance UID."""
    held: dict[str, HeldSeries] = {}
    for uids in chunks({one.series_instance_uid for one in scanned}):
        query = select(series).where(series.c.project_id == project_id, series.c.series_instance_uid.in_(uids))
        for row in connection.execute(query):
            held[row.series_instance_uid] = HeldSeries(row.key, row.study_id, row.attributes, row.kept_generation)
    return held
