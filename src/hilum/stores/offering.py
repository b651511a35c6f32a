"""What a sender offers and this project holds already need not be sent again: it is put into the upload as it is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from hilum.model.errors import ConflictError
from hilum.model.records import Intake, MemberState
from hilum.stores.inserting import CHUNK, insert_or_ignore
from hilum.stores.intake_rows import touch_studies
from hilum.stores.schema import files, intakes, members, study_datasets, tombstones


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file of an intake under its sender's name. `offered`: the project held it already, so it was not sent again."""

    name: str
    size: int
    sha256: bytes
    offered: bool = False


def take_offer(connection: Connection, intake: Intake, offered: Sequence[SentFile], found: Mapping[bytes, str]) -> list[str]:
    """Put what is held into the upload, and name the files that are wanted. `found`: SHA-256 -> study, as `studies_holding` gives it."""
    buried = _buried(connection, set(found.values()))
    held = {sha256: study_id for sha256, study_id in found.items() if study_id not in buried}
    here = {row.name: row.sha256 for row in connection.execute(select(files.c.name, files.c.sha256).where(files.c.intake_id == intake.id))}
    wanted = [file for file in offered if file.sha256 not in held and here.get(file.name) != file.sha256]
    spared = [file for file in offered if file.sha256 in held and file.name not in here]
    _check_names(here, [file for file in offered if file.sha256 in held])
    _spare(connection, intake, spared, {held[file.sha256] for file in spared})
    return [file.name for file in wanted]


def studies_holding(connection: Connection, project_id: int, digests: set[bytes]) -> dict[bytes, str]:
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


def _spare(connection: Connection, intake: Intake, spared: Iterable[SentFile], study_ids: set[str]) -> None:
    rows = [{"intake_id": intake.id, "name": f.name, "size": f.size, "sha256": f.sha256, "offered": True} for f in spared]
    if rows:
        connection.execute(insert_or_ignore(connection, files), rows)
    touch_studies(connection, intake.id, dict.fromkeys(study_ids, 0))
    if intake.dataset and study_ids:
        labels = [{"study_id": study_id, "dataset": intake.dataset} for study_id in sorted(study_ids)]
        connection.execute(insert_or_ignore(connection, study_datasets), labels)


def _check_names(here: Mapping[str, bytes], held: Iterable[SentFile]) -> None:
    """What is not sent again needs its name all the same: else it would be missing from the upload, and nobody would say so."""
    standing = dict(here)
    for file in held:
        if standing.setdefault(file.name, file.sha256) != file.sha256:
            raise ConflictError("This upload holds other bytes under an offered file name.", "Offer the file under another name.")


def _buried(connection: Connection, study_ids: set[str]) -> set[str]:
    """Those that were deleted."""
    return set(connection.scalars(select(tombstones.c.study_id).where(tombstones.c.study_id.in_(study_ids))))
