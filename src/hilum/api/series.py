"""Series: list, explain, choose by hand."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from hilum.api.calling import Operator, Reader
from hilum.api.paging import Cursor, Limit, Listed, listed, page_by_key, whole
from hilum.api.routing import make_router
from hilum.api.shapes import SeriesShape, shape_series
from hilum.model.judging import Operators
from hilum.model.records import Series
from hilum.model.roles import Candidate, find_roles, judge_series
from hilum.model.series_status import STATE_MEANINGS, STATUS_MEANINGS, STEP_MEANINGS
from hilum.model.templates import Template
from hilum.runtime.assembling import operators
from hilum.runtime.assigning import assign
from hilum.web.thumbnail import answer_picture

router = make_router("series")


class Assignment(BaseModel):
    """`roles`: series -> its role, where the template's rules would not find it. `again`: also what was done with it already."""

    model_config = ConfigDict(extra="forbid")

    series: list[str] = Field(min_length=1, max_length=1000)
    template: str
    roles: dict[str, str] = Field(default_factory=dict)
    again: bool = False


class AssignedShape(BaseModel):
    """What became of one series; `workitem` is null where it was not sent, and the sentence says why."""

    series: str
    workitem: str | None
    sentence: str


class RuleShape(BaseModel):
    """A rule's verdict on the series; `parts` mirror the rule's own. `role` is null for the template's own rule.

    `holds` is null where it hangs on an attribute that was not kept when the series came and is not read yet. A condition also has its
    `attribute`, `operator`, `value`, the `actual` value, and its `reason`: value, missing, empty, unreadable or not-read.
    """

    model_config = ConfigDict(extra="allow")

    role: str | None
    holds: bool | None
    sentence: str
    kind: str
    parts: list[dict[str, Any]]


class TemplateExplanation(BaseModel):
    """Of a template with required series the rules of its roles decide; its own says which studies it is for.

    `failing`: how many conditions stand in the way of the deciding rule that comes nearest; 0 where one holds.
    """

    template: str
    version: int
    active: bool
    holds: bool
    failing: int
    rules: list[RuleShape]


class NearestShape(BaseModel):
    """The template with the fewest failing conditions, and these."""

    template: str
    failing: int
    sentence: str


class ExplanationShape(BaseModel):
    series: str
    templates: list[TemplateExplanation]
    nearest: NearestShape | None


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


@router.get("/series/{series_id}/thumbnail.png", response_class=Response, responses={200: {"content": {"image/png": {}}}})
def show_thumbnail(call: Reader, request: Request, series_id: str) -> Response:
    """Its picture, or an icon where it has none (the header Hilum-Picture names it); 202 as long as it has still to be drawn."""
    one = call.app.catalogue.find_series(call.scope, series_id)
    return answer_picture(call.app.pictures.find(call.scope, one.id), request.headers.get("if-none-match", ""))


@router.get("/series/{series_id}/explain")
def explain_series(call: Reader, series_id: str) -> ExplanationShape:
    """Why each rule of each template holds for the series, or does not, and which template comes nearest."""
    templates = [(template, version) for template, version in call.app.templates.newest(call.scope) if template.has_rules]
    varying = frozenset(name for template, _ in templates for name in template.varying())
    one = call.app.catalogue.find_series(call.scope, series_id, varying=varying)
    known = operators(call.app.clock)
    judged = [(template, version, _candidates(template, one, known)) for template, version in templates]
    shapes = [_explained(template, version, candidates) for template, version, candidates in judged]
    return ExplanationShape(series=one.id, templates=shapes, nearest=_nearest(judged))


Candidates = list[tuple[str | None, Candidate]]


def _candidates(template: Template, one: Series, known: Operators) -> Candidates:
    """The series before the template's own rule and before those of its roles."""
    own: Candidates = [(None, found) for found in judge_series(template, [one], known) if template.rule is not None]
    roles = find_roles(template.required_series, [one], known)
    return own + [(search.required.role, found) for search in roles for found in (*search.fitting, *search.others)]


def _deciding(candidates: Candidates) -> Candidates:
    """What makes the series an input: a role, where the template has any; its own rule then says which studies it is for."""
    return [one for one in candidates if one[0] is not None] or candidates


def _explained(template: Template, version: int, candidates: Candidates) -> TemplateExplanation:
    return TemplateExplanation(
        template=template.name,
        version=version,
        active=template.active,
        holds=any(found.holds for _, found in _deciding(candidates)),
        failing=min(found.distance for _, found in _deciding(candidates)),
        rules=[RuleShape(role=role, **found.explanation.as_dict()) for role, found in candidates],
    )


def _nearest(judged: Sequence[tuple[Template, int, Candidates]]) -> NearestShape | None:
    found = [(template.name, role, one) for template, _, candidates in judged if template.active for role, one in _deciding(candidates)]
    if not found:
        return None
    name, role, one = min(found, key=lambda which: which[2].distance)
    reasons = " ".join(dict.fromkeys(part.sentence for part in one.explanation.failing()))
    what = name if role is None else f"{name} as {role}"
    sentence = f"It fits {what}." if one.holds else f"It does not fit {what}: {reasons}"
    return NearestShape(template=name, failing=one.distance, sentence=sentence)


@router.post("/series/assign", status_code=201, response_model=Listed[AssignedShape])
def assign_series(call: Operator, wanted: Assignment) -> Any:
    """Choose a template by hand and send series there: one answer a series; 409 where none of them can be sent.

    A study must be held at matching or through with it; a series must not be under way. What was done with the same version of the
    template is sent once more only with `again`.
    """
    answers = assign(call.app, call.scope, wanted.series, wanted.template, roles=wanted.roles, again=wanted.again)
    return whole([AssignedShape(series=one.series_id, workitem=one.workitem_id or None, sentence=one.sentence) for one in answers])
