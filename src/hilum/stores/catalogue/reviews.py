"""What reviewers said of results."""

from typing import Any

from sqlalchemy import Row, Select, select

from hilum.model.identity import ADMIN_PROJECT, Scope
from hilum.model.records import Review
from hilum.stores.catalogue.paging import Page
from hilum.stores.catalogue.rows import ERASED
from hilum.stores.database import Database
from hilum.stores.schema import projects, reviews, workitems
from hilum.stores.scoping import in_scope


class ReviewQueries:
    """Verdicts with their ratings."""

    database: Database

    def reviews(self, scope: Scope, workitem_id: str) -> list[Review]:
        """Verdicts on a workitem, oldest first."""
        return self._reviews(_REVIEWS.where(reviews.c.workitem_id == workitem_id, in_scope(scope, workitems.c.project_id)))

    def list_reviews(self, scope: Scope, page: Page, *, project: str = "", template: str = "") -> list[Review]:
        """Verdicts on all workitems, or on those of a project or template, oldest first."""
        query = _REVIEWS.where(in_scope(scope, workitems.c.project_id), reviews.c.key > int(page.after or 0)).limit(page.limit)
        if project and project != ADMIN_PROJECT:
            query = query.where(projects.c.name == project)
        if template:
            query = query.where(workitems.c.template == template)
        return self._reviews(query)

    def _reviews(self, query: Select[Any]) -> list[Review]:
        with self.database.reading() as connection:
            return [_review(row) for row in connection.execute(query)]


_REVIEWS = (
    select(reviews, workitems.c.template, workitems.c.template_version, projects.c.name.label("project"))
    .join(workitems, workitems.c.id == reviews.c.workitem_id)
    .join(projects, projects.c.id == workitems.c.project_id)
    .where(workitems.c.study_id.not_in(ERASED))
    .order_by(reviews.c.key)
)


def _review(row: Row[Any]) -> Review:
    return Review(
        verdict=row.verdict,
        reason=row.reason,
        who=row.who,
        at=row.at,
        ratings=row.ratings,
        key=row.key,
        workitem_id=row.workitem_id,
        project=row.project,
        template=row.template,
        template_version=row.template_version,
    )
