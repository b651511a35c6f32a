"""Studies: find, explain, delete."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from hilum.api.calling import Administrator, Call, Reader
from hilum.api.findings import FindingsShape, shape_findings
from hilum.api.paging import LONGEST, Listed, listed, page_by_time, place_by_time, whole
from hilum.api.routing import PREFIX, SearchRoute, make_router
from hilum.api.shapes import (
    ItemShape,
    MoveShape,
    SeriesShape,
    StudyShape,
    Time,
    group_by_study,
    shape_item,
    shape_move,
    shape_series,
    shape_study,
)
from hilum.model.records import Study
from hilum.model.why import Why, explain_standing
from hilum.stores.catalogue import StudyFilter
from hilum.stores.erasing import Tombstone
from hilum.web.findings import compose_findings, render_findings

router = make_router("studies")
searching = APIRouter(prefix=PREFIX, tags=["studies"], route_class=SearchRoute)


class Filters(BaseModel):
    """What studies are found by; all that are given must hold."""

    model_config = ConfigDict(extra="forbid")

    project: str = ""
    patient_id: str = ""
    accession_number: str = ""
    study_instance_uid: str = ""
    stage: str = ""
    status: str = ""
    text: str = Field("", max_length=200, description="part of a UID, description, name or id")


class ListFilters(Filters):
    cursor: str = Field("", max_length=512)
    limit: int = Field(100, ge=1, le=LONGEST)


class Deletion(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=2000)


class TombstoneShape(BaseModel):
    """What stays of a deleted study."""

    study: str
    study_instance_uid: str
    number_of_instances: int
    reason: str
    who: str
    at: Time
    erased_at: Time | None


class StandingShape(ItemShape):
    sentence: str
    waits_for: str | None


class WhyShape(BaseModel):
    study: str
    stage: str
    status: str
    why: str
    since_at: Time
    sentence: str
    sentences: list[str]
    items: list[StandingShape]
    moves: list[MoveShape]


@router.get("/studies", response_model=Listed[StudyShape])
def list_studies(call: Reader, wanted: Annotated[ListFilters, Query()]) -> Any:
    """Studies, newest first. What identifies a patient is better sent with POST /studies/search: proxies log URLs."""
    return _list(call, wanted)


@searching.post("/studies/search", response_model=Listed[StudyShape])
def search_studies(call: Reader, wanted: ListFilters) -> Any:
    """The same, with the filters in the body."""
    return _list(call, wanted)


def _list(call: Call, wanted: ListFilters) -> dict[str, Any]:
    filters = StudyFilter(**wanted.model_dump(exclude={"cursor", "limit"}))
    found = call.app.catalogue.list_studies(call.scope, filters, page_by_time(wanted.cursor, wanted.limit))
    page = listed(found, wanted.limit, lambda study: study, lambda study: place_by_time(study.created_at, study.id))
    return page | {"items": _shapes(call, page["items"])}


def _shapes(call: Call, studies: list[Study]) -> list[StudyShape]:
    ids = [study.id for study in studies]
    workitems = group_by_study(call.app.catalogue.workitems_of_studies(call.scope, ids))
    asked: dict[str, list[str]] = {}
    for study_id, report_type in call.app.catalogue.asked_report_types(call.scope, ids):
        asked.setdefault(study_id, []).append(report_type)
    return [shape_study(call.scope, study, workitems.get(study.id, []), asked.get(study.id, [])) for study in studies]


@router.get("/studies/{study_id}")
def find_study(call: Reader, study_id: str) -> StudyShape:
    """One study, by its id or Study Instance UID."""
    return _shapes(call, [call.app.catalogue.find_study(call.scope, study_id)])[0]


@router.delete("/studies/{study_id}")
def delete_study(call: Administrator, study_id: str, deletion: Deletion) -> TombstoneShape:
    """Delete a study with everything made from it. Gone for everybody at once; its bytes are erased from the packs right after."""
    return _shape_tombstone(call.app.eraser.delete_study(call.scope, study_id, deletion.reason))


@router.get("/tombstones", response_model=Listed[TombstoneShape])
def list_tombstones(call: Administrator) -> Any:
    """What was deleted in any project, newest first."""
    return whole([_shape_tombstone(stone) for stone in call.app.eraser.tombstones(call.scope)])


def _shape_tombstone(stone: Tombstone) -> TombstoneShape:
    return TombstoneShape(
        study=stone.study_id,
        study_instance_uid=stone.study_instance_uid,
        number_of_instances=stone.number_of_instances,
        reason=stone.reason,
        who=stone.who,
        at=stone.at,
        erased_at=stone.erased_at,
    )


@router.get("/studies/{study_id}/timeline", response_model=Listed[MoveShape])
def show_timeline(call: Reader, study_id: str) -> Any:
    """Every move of the study, the uploads that brought it and its workitems, oldest first."""
    _, why = _explain(call, study_id)
    return whole([shape_move(move) for move in why.moves])


@router.get("/studies/{study_id}/why")
def explain_study(call: Reader, study_id: str) -> WhyShape:
    """Where it stands, since when, what it waits for, and every move with its reason."""
    study, why = _explain(call, study_id)
    return WhyShape(
        study=study.id,
        stage=study.item.stage,
        status=study.item.status,
        why=study.item.why,
        since_at=study.item.since_at,
        sentence=" ".join(why.sentences),
        sentences=list(why.sentences),
        items=[
            StandingShape(**shape_item(one.item).model_dump(), sentence=one.sentence, waits_for=one.waits_for or None)
            for one in why.standings
        ],
        moves=[shape_move(move) for move in why.moves],
    )


def _explain(call: Call, study_id: str) -> tuple[Study, Why]:
    study = call.app.catalogue.find_study(call.scope, study_id)
    workitems = call.app.catalogue.list_workitems(call.scope, study_id=study.id)
    intake_ids = call.app.catalogue.intakes_of_study(call.scope, study.id)
    moves = call.app.ledger.history(call.scope, [*intake_ids, study.id, *(workitem.id for workitem in workitems)])
    return study, explain_standing(study, workitems, moves)


@router.get("/studies/{study_id}/findings")
def list_findings(call: Reader, study_id: str) -> FindingsShape:
    """What the checks found in the present revision, the gravest first, and how many slices are valid."""
    return shape_findings(compose_findings(call.app, call.scope, study_id))


@router.get("/studies/{study_id}/findings.html", response_class=HTMLResponse)
def show_findings(call: Reader, study_id: str) -> HTMLResponse:
    """The same as one page that can be kept and printed."""
    return render_findings(call.app, call.scope, compose_findings(call.app, call.scope, study_id))


@router.get("/studies/{study_id}/series", response_model=Listed[SeriesShape])
def list_series_of_study(call: Reader, study_id: str) -> Any:
    """The series of the study."""
    study = call.app.catalogue.find_study(call.scope, study_id)
    found = call.app.catalogue.list_series(call.scope, study.id)
    statuses = call.app.catalogue.series_statuses(call.scope, found)
    return whole([shape_series(one, statuses[one.id]) for one in found])
