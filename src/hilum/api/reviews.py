"""Reviews: what reviewers said of results, as JSON, and their ratings as CSV without anybody's name."""

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ValidationError

from hilum.api.calling import Call, Reader, Reviewer
from hilum.api.paging import LONGEST, Cursor, Limit, Listed, listed, page_by_key, whole
from hilum.api.routing import make_router
from hilum.api.shapes import Time, rfc3339
from hilum.api.spreadsheets import to_csv
from hilum.model.ratings import Ratings
from hilum.model.records import Review
from hilum.stores.catalogue import Page

router = make_router("reviews")

COLUMNS = (
    "workitem",
    "project",
    "template",
    "template_version",
    "reviewed_at",
    "reviewer",
    "verdict",
    "overall",
    "minutes",
    "structure",
    "rating",
    "modification",
    "types",
    "structure_minutes",
)


class ReviewShape(BaseModel):
    workitem: str
    project: str
    template: str
    template_version: int
    verdict: str
    reason: str
    who: str
    at: Time
    ratings: dict[str, Any]


@router.get("/workitems/{workitem_id}/reviews", response_model=Listed[ReviewShape])
def list_reviews_of_workitem(call: Reader, workitem_id: str) -> Any:
    """Every verdict on a workitem, oldest first."""
    call.app.catalogue.find_workitem(call.scope, workitem_id)
    return whole([_shape(review) for review in call.app.catalogue.reviews(call.scope, workitem_id)])


@router.get("/reviews", response_model=Listed[ReviewShape])
def list_reviews(call: Reviewer, project: str = "", template: str = "", cursor: Cursor = "", limit: Limit = 100) -> Any:
    """Every verdict, oldest first."""
    found = call.app.catalogue.list_reviews(call.scope, page_by_key(cursor, limit), project=project, template=template)
    return listed(found, limit, _shape, lambda review: str(review.key))


@router.get("/reviews.csv", response_class=StreamingResponse)
def export_ratings(call: Reviewer, project: str = "", template: str = "") -> StreamingResponse:
    """Ratings as CSV, a row a structure: no patient, no study, no free text; reviewers are numbered within the file."""
    headers = {"content-disposition": 'attachment; filename="ratings.csv"'}
    return StreamingResponse(to_csv(_rows(call, project, template)), 200, headers, "text/csv; charset=utf-8; header=present")


def _rows(call: Call, project: str, template: str) -> Iterator[Sequence[str | float | None]]:
    yield COLUMNS
    reviewers: dict[str, int] = {}
    for review in _all(call, project, template):
        number = reviewers.setdefault(review.who, len(reviewers) + 1)
        first = (review.workitem_id, review.project, review.template, review.template_version, rfc3339(review.at), number, review.verdict)
        for rest in _rated(_ratings(review)):
            yield (*first, *rest)


def _all(call: Call, project: str, template: str) -> Iterator[Review]:
    page = Page(limit=LONGEST)
    while found := call.app.catalogue.list_reviews(call.scope, page, project=project, template=template):
        yield from found
        page = Page(str(found[-1].key), LONGEST)


def _ratings(review: Review) -> Ratings:
    """Ratings that an earlier version took in any shape, and that no column has room for, are left out; their verdict is not."""
    try:
        return Ratings.model_validate(review.ratings)
    except ValidationError:
        return Ratings()


def _rated(ratings: Ratings) -> Iterator[Sequence[str | float | None]]:
    """The columns from `overall` on: a row a structure, one row where none is rated."""
    if not ratings.structures:
        yield ratings.overall, ratings.minutes, *(None,) * 5
    for name, one in ratings.structures.items():
        yield ratings.overall, ratings.minutes, name, one.rating, one.modification, " ".join(one.types), one.minutes


def _shape(review: Review) -> ReviewShape:
    return ReviewShape(
        workitem=review.workitem_id,
        project=review.project,
        template=review.template,
        template_version=review.template_version,
        verdict=review.verdict,
        reason=review.reason,
        who=review.who,
        at=review.at,
        ratings=dict(review.ratings),
    )
