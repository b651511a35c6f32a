"""Series: list, explain, choose by hand."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hilum.api.calling import Operator, Reader
from hilum.api.paging import Cursor, Limit, Listed, listed, page_by_key
from hilum.api.routing import make_router
from hilum.api.shapes import SeriesShape, shape_series
from hilum.model.records import Series
from hilum.model.roles import find_roles, fitting_series
from hilum.model.rules import Explanation, Judge
from hilum.model.series_status import STATE_MEANINGS, STATUS_MEANINGS, STEP_MEANINGS
from hilum.model.templates import Template
from hilum.runtime.assembling import judges

router = make_router("series")


class Assignment(BaseModel):
    model_config = ConfigDict(extra="forbid")

    series: list[str] = Field(min_length=1, max_length=1000)
    template: str


class AssignedShape(BaseModel):
    series: str
    workitem: str


class RuleShape(BaseModel):
    """A rule's verdict on the series; `parts` mirror the rule's own. `role` is null for the template's own rule."""

    role: str | None
    holds: bool
    sentence: str
    kind: str
    parts: list[dict[str, Any]]


class TemplateExplanation(BaseModel):
    template: str
    version: int
    active: bool
    holds: bool
    rules: list[RuleShape]


class ExplanationShape(BaseModel):
    series: str
    templates: list[TemplateExplanation]


class GlossaryShape(BaseModel):
    """Word -> meaning, one line each."""

    statuses: dict[str, str]
    states: dict[str, str]
    steps: dict[str, str]


@router.get("/series", response_model=Listed[SeriesShape])
def list_series(call: Reader, study: str = "", cursor: Cursor = "", limit: Limit = 100) -> Any:
    """Series in the order they came, of one study where it is named."""
    found = call.app.catalogue.list_series(call.scope, study, page_by_key(cursor, limit))
    statuses = call.app.catalogue.series_statuses(call.scope, found)
    return listed(found, limit, lambda one: shape_series(one, statuses[one.id]), lambda one: str(one.key))


@router.get("/series-statuses")
def list_series_statuses(_call: Reader) -> GlossaryShape:
    """What the words of `series_status`, `series_state` and `step` mean."""
    return GlossaryShape(statuses=dict(STATUS_MEANINGS), states=dict(STATE_MEANINGS), steps=dict(STEP_MEANINGS))


@router.get("/series/{series_id}")
def find_series(call: Reader, series_id: str) -> SeriesShape:
    """One series."""
    one = call.app.catalogue.find_series(call.scope, series_id)
    return shape_series(one, call.app.catalogue.series_statuses(call.scope, [one])[one.id])


@router.get("/series/{series_id}/explain")
def explain_series(call: Reader, series_id: str) -> ExplanationShape:
    """Why each rule of each template holds for the series, or does not."""
    one, operators = call.app.catalogue.find_series(call.scope, series_id), judges()
    templates = call.app.templates.newest(call.scope)
    return ExplanationShape(series=one.id, templates=[_explain(template, version, one, operators) for template, version in templates])


def _explain(template: Template, version: int, one: Series, operators: dict[str, Judge]) -> TemplateExplanation:
    rules = [_shape_rule(None, verdict) for _, verdict in fitting_series(template, [one], operators) if template.rule is not None]
    for search in find_roles(template, [one], operators):
        (candidate,) = (*search.fitting, *search.refused)
        rules.append(_shape_rule(search.required.role, candidate.explanation))
    holds = any(rule.holds for rule in rules)
    return TemplateExplanation(template=template.name, version=version, active=template.active, holds=holds, rules=rules)


def _shape_rule(role: str | None, verdict: Explanation) -> RuleShape:
    return RuleShape(role=role, **verdict.as_dict())


@router.post("/series/assign", status_code=201, response_model=Listed[AssignedShape])
def assign_series(call: Operator, assignment: Assignment) -> Any:
    """Choose a template by hand and send the series there."""
    return _assigned(call.app.decisions.assign(call.scope, assignment.series, assignment.template))


def _assigned(sent: dict[str, str]) -> dict[str, Any]:
    return {"items": [{"series": series, "workitem": workitem} for series, workitem in sent.items()], "next": None}
