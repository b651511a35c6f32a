"""Templates: the report types with their rules. A saved version never changes."""

from typing import Annotated, Any

from fastapi import Body
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from hilum.api.calling import Builder, Reader
from hilum.api.paging import whole
from hilum.api.routing import make_router
from hilum.model.templates import Template
from hilum.runtime.checking_templates import check_template

router = make_router("templates")

Definition = Annotated[dict[str, Any], Body(description="a template; `version` is ours and left aside")]


@router.get("/templates")
def list_templates(call: Reader) -> dict[str, Any]:
    """All, each in its newest version."""
    return whole([_shape(template, version) for template, version in call.app.templates.newest(call.scope)])


@router.post("/templates", status_code=201)
def create_template(call: Builder, definition: Definition) -> dict[str, Any]:
    """A new template."""
    template = _parse(definition)
    return _shape(template, call.app.templates.save(call.scope, template, new=True))


@router.get("/templates/{name}")
def find_template(call: Reader, name: str, version: int | None = None) -> dict[str, Any]:
    """One template, in its newest version unless another is named."""
    return _shape(*call.app.templates.find(call.scope, name, version))


@router.put("/templates/{name}")
def update_template(call: Builder, name: str, definition: Definition) -> dict[str, Any]:
    """A new version; what runs keeps the version that it started with."""
    template = _parse({**definition, "name": name})
    return _shape(template, call.app.templates.save(call.scope, template, new=False))


def _parse(definition: dict[str, Any]) -> Template:
    """A template whose parts exist and take its settings.

    Raises:
        RequestValidationError, InvalidError: it is none.
    """
    try:
        template = Template.model_validate({key: value for key, value in definition.items() if key != "version"})
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False, include_input=False)) from error
    check_template(template)
    return template


def _shape(template: Template, version: int) -> dict[str, Any]:
    return {**template.model_dump(mode="json"), "version": version}
