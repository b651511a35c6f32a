"""An intake's row as a record, and the studies it touches."""

from collections.abc import Mapping

from sqlalchemy import Connection, insert, select, update

from hilum.model.errors import NotFoundError
from hilum.model.identity import Scope
from hilum.model.records import Intake
from hilum.stores.schema import intake_studies, intakes, projects
from hilum.stores.scoping import in_scope

INTAKE_ROWS = select(*intakes.c, projects.c.name.label("project")).join(projects, projects.c.id == intakes.c.project_id)


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
