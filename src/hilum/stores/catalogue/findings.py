"""What checking found on a study, and which templates matched it."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Row, select

from hilum.model.identity import Scope
from hilum.model.outcomes import Finding, Severity
from hilum.model.records import Study
from hilum.stores.database import Database
from hilum.stores.schema import findings, intake_studies, intakes, matches, studies
from hilum.stores.scoping import in_scope


class FindingQueries:
    """Findings and verdicts of a study's present revision, and the report types that senders named."""

    database: Database

    def findings(self, scope: Scope, study: Study) -> list[Finding]:
        """Of the study's present revision."""
        query = (
            select(findings)
            .join(studies, studies.c.id == findings.c.study_id)
            .where(findings.c.study_id == study.id, findings.c.revision == study.revision, in_scope(scope, studies.c.project_id))
            .order_by(findings.c.key)
        )
        with self.database.reading() as connection:
            return [_finding(row) for row in connection.execute(query)]

    def verdicts(self, scope: Scope, study: Study) -> list[Mapping[str, Any]]:
        """Why each template matched the study's present revision, or did not."""
        query = (
            select(matches)
            .join(studies, studies.c.id == matches.c.study_id)
            .where(matches.c.study_id == study.id, matches.c.revision == study.revision, in_scope(scope, studies.c.project_id))
            .order_by(matches.c.key)
        )
        with self.database.reading() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def asked_report_types(self, scope: Scope, study_ids: Collection[str]) -> list[tuple[str, str]]:
        """(study id, report type) of what senders asked for by name."""
        query = (
            select(intake_studies.c.study_id, intakes.c.report_type)
            .join(intakes, intakes.c.id == intake_studies.c.intake_id)
            .where(intake_studies.c.study_id.in_(study_ids), intakes.c.report_type != "", in_scope(scope, intakes.c.project_id))
            .distinct()
            .order_by(intakes.c.report_type)
        )
        with self.database.reading() as connection:
            return [(row.study_id, row.report_type) for row in connection.execute(query)]


def _finding(row: Row[Any]) -> Finding:
    return Finding(
        check=row.check,
        severity=Severity(row.severity),
        sentence=row.sentence,
        template=row.template,
        series_id=row.series_id or "",
        instances=tuple(row.instances),
        accepted=row.accepted,
    )
