"""Projects: whose images they are."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hilum.api.calling import Administrator, Reader
from hilum.api.paging import Listed, whole
from hilum.api.routing import make_router
from hilum.api.shapes import ProjectShape, shape_project
from hilum.model.templates import NAME_PATTERN

router = make_router("projects")


class NewProject(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=NAME_PATTERN)
    description: str = Field("", max_length=10_000)
    ae_title: str = Field("", max_length=16)
    accepts: dict[str, Any] = Field(default_factory=dict)
    quiet_seconds: int = Field(5, ge=0, le=86_400, description="how long a study must be quiet to count as complete")
    retention_days: int | None = Field(None, ge=1, description="studies are deleted so long after their last image")


@router.post("/projects", status_code=201)
def create_project(call: Administrator, new: NewProject) -> ProjectShape:
    """A new project."""
    return shape_project(call.app.access.create_project(call.scope, **new.model_dump()))


@router.get("/projects", response_model=Listed[ProjectShape])
def list_projects(call: Reader) -> Any:
    """The projects that the caller sees, by name."""
    return whole([shape_project(project) for project in call.app.access.list_projects(call.scope)])


@router.get("/projects/{name}")
def find_project(call: Reader, name: str) -> ProjectShape:
    """One project."""
    return shape_project(call.app.access.find_project(call.scope, name))
