"""What needs a person, and how much stands where: what an operator asks first."""

from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from hilum.api.calling import Reader
from hilum.api.paging import Cursor, Limit, Listed, listed, page_by_time, place_by_time
from hilum.api.routing import make_router
from hilum.api.shapes import ItemShape, shape_item
from hilum.model.identity import Scope
from hilum.model.waiting import WaitingItem
from hilum.stores.catalogue import Page

router = make_router("operating")

REFUSED_FOR = timedelta(days=1)


class WayShape(BaseModel):
    """One thing that a person can do; words in capitals in the command are the person's to fill in."""

    does: str
    command: str


class WaitingShape(ItemShape):
    """An item with the study that it is or belongs to; null for an upload."""

    study: str | None
    study_instance_uid: str | None
    accession_number: str | None
    template: str | None
    ways: list[WayShape]


class CountShape(BaseModel):
    kind: str
    stage: str
    status: str
    number: int


class StandingShape(BaseModel):
    """`refused` are the uploads of the last day that nothing could be made of."""

    items: list[CountShape]
    need_a_person: int
    oldest: WaitingShape | None
    refused: list[WaitingShape]


@router.get("/waiting", response_model=Listed[WaitingShape])
def list_waiting(call: Reader, project: str = "", cursor: Cursor = "", limit: Limit = 100) -> Any:
    """What is held or failed, the longest waiting first, with what a person can do about it."""
    found = call.app.catalogue.waiting(call.scope, project, page_by_time(cursor, limit))
    return listed(found, limit, lambda one: _shape(call.scope, one), lambda one: place_by_time(one.item.since_at, one.item.id))


@router.get("/standing")
def show_standing(call: Reader, project: str = "") -> StandingShape:
    """How many items stand where in the caller's projects, the one that has waited longest, and what was refused of late."""
    catalogue, scope = call.app.catalogue, call.scope
    counted = catalogue.standing(scope, project)
    oldest = catalogue.waiting(scope, project, Page(limit=1))
    return StandingShape(
        items=[CountShape(kind=kind, stage=stage, status=status, number=number) for kind, stage, status, number in counted],
        need_a_person=catalogue.count_waiting(scope, project),
        oldest=_shape(scope, oldest[0]) if oldest else None,
        refused=[_shape(scope, one) for one in catalogue.refused_uploads(scope, call.app.clock() - REFUSED_FOR, project)],
    )


def _shape(scope: Scope, one: WaitingItem) -> WaitingShape:
    return WaitingShape(
        **shape_item(one.item).model_dump(),
        study=one.study_id or None,
        study_instance_uid=one.study_instance_uid or None,
        accession_number=one.accession_number or None if scope.may_see_identity else None,
        template=one.template or None,
        ways=[WayShape(does=way.does, command=way.command) for way in one.ways],
    )
