"""Templates: the report types with their rules. A saved version never changes."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Annotated, Any, Literal

from fastapi import Body, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hilum.api.bodies import check_storable
from hilum.api.calling import Builder, Call, Reader
from hilum.api.paging import whole
from hilum.api.routing import make_router
from hilum.model.errors import InvalidError
from hilum.model.rules import FORMS_OF_RULES
from hilum.model.templates import Template
from hilum.runtime.checking_templates import check_template
from hilum.runtime.dry_running import Example, dry_run
from hilum.runtime.profiles import profiles
from hilum.runtime.template_files import from_yaml, to_yaml

YAML = "application/yaml"  # RFC 9512

router = make_router("templates")

Definition = Annotated[dict[str, Any], Body(description="a template; `version` is ours and left aside")]


@router.get("/templates")
def list_templates(call: Reader) -> dict[str, Any]:
    """All, each in its newest version."""
    return whole([_shape(template, version) for template, version in call.app.templates.newest(call.scope)])


@router.post("/templates", status_code=201)
def create_template(call: Builder, definition: Definition) -> dict[str, Any]:
    """A new template."""
    template = _parse(call, definition)
    return _shape(template, call.app.templates.save(call.scope, template, new=True))


@router.get("/templates/{name}")
def find_template(call: Reader, name: str, version: int | None = None) -> dict[str, Any]:
    """One template, in its newest version unless another is named."""
    return _shape(*call.app.templates.find(call.scope, name, version))


@router.put("/templates/{name}")
def update_template(call: Builder, name: str, definition: Definition) -> dict[str, Any]:
    """A new version; what runs keeps the version that it started with."""
    template = _parse(call, {**definition, "name": name})
    return _shape(template, call.app.templates.save(call.scope, template, new=False))


@router.get("/template-schema")
def describe_templates(call: Reader) -> dict[str, Any]:  # noqa: ARG001 - who asks is known by then
    """The JSON schema of a template."""
    return Template.model_json_schema()


@router.get("/templates/{name}/yaml")
def export_template(call: Reader, name: str, version: int | None = None) -> Response:
    """A template as YAML, without what is as by default."""
    return Response(to_yaml(call.app.templates.find(call.scope, name, version)[0]), media_type=YAML)


@router.post("/templates/yaml", status_code=201)
def import_template(call: Builder, body: Annotated[bytes, Body(media_type=YAML)]) -> dict[str, Any]:
    """A template from YAML: a new one, or the next version of one that is there."""
    try:
        template = _parse(call, from_yaml(body.decode()))
    except UnicodeDecodeError as error:
        raise InvalidError("It is no UTF-8.", "Save the file as UTF-8.") from error
    is_new = template.name not in call.app.templates.names(call.scope)
    return _shape(template, call.app.templates.save(call.scope, template, new=is_new))


class DryRunRequest(BaseModel):
    """`template`: the draft; without it the saved one is tried as it is."""

    model_config = ConfigDict(extra="forbid")

    template: dict[str, Any] | None = None
    days: int = Field(30, ge=1, le=36_500)


class CountShape(BaseModel):
    """Of studies, or of series. `not_judged`: their verdict hangs on an attribute that was not kept when they came."""

    looked_at: int
    matched: int
    lost: int
    gained: int
    not_judged: int


class ExampleShape(BaseModel):
    change: Literal["lost", "gained"]
    study: str
    series: list[str]
    sentence: str
    also: list[str] = Field(description="other templates that match it: matching would hold it for a person to choose")


class DryRunShape(BaseModel):
    """What the draft matches, and what it gains and loses against the saved version (null: there is none)."""

    template: str
    compared_with: int | None
    days: int
    studies: CountShape
    series: CountShape
    never_kept: list[str]
    examples: list[ExampleShape]
    seconds: float


@router.post("/templates/{name}/dry-run")
def dry_run_template(call: Builder, name: str, wanted: DryRunRequest) -> DryRunShape:
    """What a new or changed template would have matched, lost and gained over the last days; nothing is changed."""
    draft = call.app.templates.find(call.scope, name)[0] if wanted.template is None else _parse(call, {**wanted.template, "name": name})
    answer = dry_run(call.app, call.scope, draft, wanted.days)
    return DryRunShape(
        template=name,
        compared_with=answer.compared_with,
        days=answer.days,
        studies=CountShape(**asdict(answer.studies)),
        series=CountShape(**asdict(answer.series)),
        never_kept=list(answer.never_kept),
        examples=[_shape_example(one) for one in answer.examples],
        seconds=round(answer.seconds, 3),
    )


def _shape_example(one: Example) -> ExampleShape:
    return ExampleShape(change=one.change, study=one.study_id, series=list(one.series), sentence=one.sentence, also=list(one.also))


def _parse(call: Call, definition: dict[str, Any]) -> Template:
    """A template whose parts exist and take its settings.

    Raises:
        RequestValidationError, InvalidError: it is none.
    """
    check_storable(definition)
    try:
        template = Template.model_validate({key: value for key, value in definition.items() if key != "version"})
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise RequestValidationError([{**one, "loc": _place_of(one["loc"])} for one in found]) from error
    template = template.with_vrs(call.app.private_tags.vrs(call.scope))
    check_template(template, profiles(call.app.settings))
    return template


def _place_of(loc: Sequence[int | str]) -> tuple[int | str, ...]:
    """The place of a trouble as it is written: without the names of a rule's forms, which pydantic puts before its keys."""
    return tuple(
        part for above, part in pairwise(("", *loc)) if part not in FORMS_OF_RULES or not (above == "rule" or isinstance(above, int))
    )


def _shape(template: Template, version: int) -> dict[str, Any]:
    return {**template.model_dump(mode="json"), "version": version}
