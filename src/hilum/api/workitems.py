"""Workitems: processing, its results, and a reviewer's verdict."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hilum.api.artifacts import may_see_results
from hilum.api.calling import Reader, Reviewer
from hilum.api.paging import Cursor, Limit, Listed, listed, page_by_time, place_by_time, whole
from hilum.api.routing import make_router
from hilum.api.shapes import ArtifactShape, WorkitemShape, shape_artifact, shape_workitem
from hilum.model.ratings import Ratings
from hilum.stores.verdicts import Verdict

router = make_router("workitems")


class ReviewBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    verdict: Literal["accept", "reject", "rerun"]
    reason: str = Field("", max_length=2000)
    template: str = Field("", description="for rerun: another template than the same")
    ratings: Ratings | None = None


@router.get("/workitems", response_model=Listed[WorkitemShape])
def list_workitems(call: Reader, study: str = "", stage: str = "", status: str = "", cursor: Cursor = "", limit: Limit = 100) -> Any:
    """Oldest first."""
    page = page_by_time(cursor, limit)
    found = call.app.catalogue.list_workitems(call.scope, study_id=study, stage=stage, status=status, page=page)
    return listed(found, limit, shape_workitem, lambda one: place_by_time(one.created_at, one.id))


@router.get("/workitems/{workitem_id}")
def find_workitem(call: Reader, workitem_id: str) -> WorkitemShape:
    """One workitem."""
    return shape_workitem(call.app.catalogue.find_workitem(call.scope, workitem_id))


@router.get("/workitems/{workitem_id}/artifacts", response_model=Listed[ArtifactShape])
def list_artifacts(call: Reader, workitem_id: str) -> Any:
    """Its results; those that are not delivered yet are shown to whoever may judge them."""
    workitem = call.app.catalogue.find_workitem(call.scope, workitem_id)
    if not may_see_results(call.scope, workitem):
        return whole([])
    return whole([shape_artifact(artifact) for artifact in call.app.catalogue.artifacts(call.scope, workitem_id)])


@router.post("/workitems/{workitem_id}/review")
def review_workitem(call: Reviewer, workitem_id: str, review: ReviewBody) -> WorkitemShape:
    """Accept the results, reject them, or have them made again."""
    rated = review.ratings.model_dump(mode="json", exclude_defaults=True) if review.ratings else None
    verdict = Verdict(review.verdict, review.reason, review.template, rated)
    call.app.decisions.review(call.scope, workitem_id, verdict)
    return shape_workitem(call.app.catalogue.find_workitem(call.scope, workitem_id))
