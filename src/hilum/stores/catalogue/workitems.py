"""Workitems, and what was made of them."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from hilum.model.errors import NotFoundError
from hilum.model.identity import ADMIN_PROJECT, Scope
from hilum.model.outcomes import StoredBytes
from hilum.model.records import Artifact, MemberState, Workitem
from hilum.stores.catalogue.paging import Page
from hilum.stores.catalogue.rows import ERASED, WORKITEM_ROWS, workitem_of
from hilum.stores.database import Database
from hilum.stores.schema import artifacts, deidentifications, derivatives, items, members, projects, receipts, workitems
from hilum.stores.scoping import in_scope


class WorkitemQueries:
    """Workitems, their copies, results, reviews and receipts, and how many items stand where."""

    database: Database

    def find_workitem(self, scope: Scope, workitem_id: str) -> Workitem:
        """The workitem, or NotFoundError."""
        query = WORKITEM_ROWS.where(workitems.c.id == workitem_id, in_scope(scope, workitems.c.project_id))
        with self.database.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFoundError(f"There is no workitem {workitem_id}.", "Look at GET /workitems.")
        return workitem_of(row)

    def list_workitems(
        self, scope: Scope, *, study_id: str = "", stage: str = "", status: str = "", page: Page | None = None
    ) -> list[Workitem]:
        """Oldest first."""
        query = WORKITEM_ROWS.where(in_scope(scope, workitems.c.project_id)).order_by(workitems.c.created_at, workitems.c.id)
        for column, value in ((workitems.c.study_id, study_id), (items.c.stage, stage), (items.c.status, status)):
            if value:
                query = query.where(column == value)
        if page is not None:
            query = query.limit(page.limit)
            if page.after:
                at, _, workitem_id = page.after.partition(" ")
                moment = datetime.fromisoformat(at)
                query = query.where(
                    or_(workitems.c.created_at > moment, and_(workitems.c.created_at == moment, workitems.c.id > workitem_id))
                )
        with self.database.reading() as connection:
            return [workitem_of(row) for row in connection.execute(query)]

    def workitems_of_studies(self, scope: Scope, study_ids: Collection[str]) -> list[Workitem]:
        """All workitems of some studies, oldest first."""
        query = WORKITEM_ROWS.where(workitems.c.study_id.in_(study_ids), in_scope(scope, workitems.c.project_id))
        with self.database.reading() as connection:
            return [workitem_of(row) for row in connection.execute(query.order_by(workitems.c.created_at, workitems.c.id))]

    def deidentified(self, scope: Scope, workitem_id: str) -> Iterator[tuple[str, str, StoredBytes]]:
        """(series id, SOP Instance UID, bytes) of a workitem's de-identified instances."""
        query = (
            select(derivatives)
            .join(workitems, workitems.c.id == derivatives.c.workitem_id)
            .where(derivatives.c.workitem_id == workitem_id, in_scope(scope, workitems.c.project_id))
            .order_by(derivatives.c.key)
        )
        with self.database.reading() as connection:
            rows = connection.execute(query).all()
        return ((row.series_id, row.sop_instance_uid, StoredBytes(row.pack_id, row.offset, row.size, row.sha256)) for row in rows)

    def deidentification(self, scope: Scope, workitem_id: str) -> Mapping[str, Any]:
        """What was done to a workitem's inputs, without values; NotFoundError where nothing was done yet."""
        query = (
            select(deidentifications.c.report)
            .join(workitems, workitems.c.id == deidentifications.c.workitem_id)
            .where(deidentifications.c.workitem_id == workitem_id, in_scope(scope, workitems.c.project_id))
        )
        with self.database.reading() as connection:
            found = connection.execute(query).first()
        if found is None:
            raise NotFoundError(
                f"Workitem {workitem_id} was not de-identified by this version.", "Look at GET /workitems for where it stands."
            )
        return dict(found.report)

    def made(self, scope: Scope, workitem_id: str, digests: Collection[bytes]) -> dict[bytes, StoredBytes]:
        """SHA-256 -> where it lies, of what a workitem has put into the vault, though it may be no result yet."""
        query = (
            select(members)
            .join(workitems, workitems.c.id == members.c.intake_id)
            .where(
                members.c.intake_id == workitem_id,
                members.c.state == MemberState.MADE,
                members.c.sha256.in_(digests),
                in_scope(scope, workitems.c.project_id),
            )
        )
        with self.database.reading() as connection:
            return {row.sha256: StoredBytes(row.pack_id, row.offset, row.size, row.sha256) for row in connection.execute(query)}

    def artifacts(self, scope: Scope, workitem_id: str) -> list[Artifact]:
        """A workitem's results by name."""
        return self._artifacts(scope, artifacts.c.workitem_id == workitem_id)

    def find_artifact(self, scope: Scope, artifact_id: str) -> Artifact:
        """One result, or NotFoundError."""
        found = self._artifacts(scope, artifacts.c.id == artifact_id)
        if not found:
            raise NotFoundError(f"There is no artifact {artifact_id}.", "Look at GET /workitems/{id}/artifacts.")
        return found[0]

    def _artifacts(self, scope: Scope, wanted: ColumnElement[bool]) -> list[Artifact]:
        query = (
            select(artifacts)
            .join(workitems, workitems.c.id == artifacts.c.workitem_id)
            .where(wanted, in_scope(scope, workitems.c.project_id), workitems.c.study_id.not_in(ERASED))
            .order_by(artifacts.c.name)
        )
        with self.database.reading() as connection:
            return [
                Artifact(row.id, row.workitem_id, row.name, row.media_type, StoredBytes(row.pack_id, row.offset, row.size, row.sha256))
                for row in connection.execute(query)
            ]

    def receipts(self, scope: Scope, workitem_id: str) -> dict[str, Mapping[str, Any]]:
        """Destination -> receipt of what was delivered already."""
        query = (
            select(receipts)
            .join(workitems, workitems.c.id == receipts.c.workitem_id)
            .where(receipts.c.workitem_id == workitem_id, in_scope(scope, workitems.c.project_id))
        )
        with self.database.reading() as connection:
            return {row.destination: row.receipt for row in connection.execute(query)}

    def standing(self, scope: Scope, project: str = "") -> list[tuple[str, str, str, int]]:
        """(kind, stage, status, number) of all items, or of one project's."""
        query = (
            select(items.c.kind, items.c.stage, items.c.status, func.count().label("number"))
            .where(in_scope(scope, items.c.project_id), items.c.id.not_in(ERASED))
            .group_by(items.c.kind, items.c.stage, items.c.status)
            .order_by(items.c.kind, items.c.stage, items.c.status)
        )
        if project not in ("", ADMIN_PROJECT):
            query = query.where(items.c.project_id == select(projects.c.id).where(projects.c.name == project).scalar_subquery())
        with self.database.reading() as connection:
            return [(row.kind, row.stage, row.status, row.number) for row in connection.execute(query)]
