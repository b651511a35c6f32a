"""What the ledger forgets of a study whose bytes are erased: all but its tombstone."""

from typing import Any

from sqlalchemy import Connection, Select, delete, select, update

from hilum.model.records import MemberState
from hilum.stores.schema import files, intake_studies, items, members, moves, patients, studies, workitems


def forget_study(connection: Connection, study_id: str) -> None:
    """The rows of an erased study: names, headers, findings, results, history."""
    its = list(connection.scalars(select(workitems.c.id).where(workitems.c.study_id == study_id)))
    patient_key = connection.scalar(select(studies.c.patient_key).where(studies.c.id == study_id))
    intake_ids = list(connection.scalars(select(intake_studies.c.intake_id).where(intake_studies.c.study_id == study_id)))
    for item_id in (*its, study_id):
        connection.execute(delete(moves).where(moves.c.item_id == item_id))
        connection.execute(delete(items).where(items.c.id == item_id))
    connection.execute(delete(studies).where(studies.c.id == study_id))  # and, by its foreign keys, all that hangs on it
    # What a worker that had one of its workitems made meanwhile goes with the next round.
    connection.execute(update(members).where(members.c.study_id == study_id).values(state=MemberState.DELETED, study_id=None))
    if connection.scalar(select(studies.c.id).where(studies.c.patient_key == patient_key).limit(1)) is None:
        connection.execute(delete(patients).where(patients.c.key == patient_key))
    _forget_file_names(connection, intake_ids)


def _forget_file_names(connection: Connection, intake_ids: list[str]) -> None:
    """A sender's file names may name a patient: those of files that nothing is left of go."""
    for intake_id in intake_ids:
        left = select(members.c.file_name).where(members.c.intake_id == intake_id)
        touched = select(intake_studies.c.study_id).where(intake_studies.c.intake_id == intake_id)
        if connection.scalar(touched.limit(1)) is None and connection.scalar(left.limit(1)) is None:
            connection.execute(delete(files).where(files.c.intake_id == intake_id))
        else:
            connection.execute(
                delete(files).where(files.c.intake_id == intake_id, files.c.name.not_in(left), files.c.sha256.not_in(_digests(intake_id)))
            )


def _digests(intake_id: str) -> Select[Any]:
    return select(members.c.sha256).where(members.c.intake_id == intake_id)
