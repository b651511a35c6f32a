"""Projects: whose images they are."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hilum.api.calling import Administrator, Reader
from hilum.api.paging import Listed, whole
from hilum.api.routing import make_router
from hilum.api.shapes import ProjectShape, shape_project
from hilum.model.errors import InvalidError
from hilum.model.templates import NAME_PATTERN
from hilum.runtime.keys import make_first_key
from hilum.runtime.registry import find_members

router = make_router("projects")


class Accepts(BaseModel):
    """What proves that a study of the project is complete: kinds of `hilum.proofs`, where the usual ones are not meant."""

    model_config = ConfigDict(extra="allow")

    proofs: list[str] | None = None


class NewProject(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=NAME_PATTERN)
    description: str = Field("", max_length=10_000)
    ae_title: str = Field("", max_length=16)
    accepts: Accepts = Accepts()
    quiet_seconds: int = Field(5, ge=0, le=86_400, description="how long a study must be quiet to count as complete")
    retention_days: int | None = Field(None, ge=1, description="studies are deleted so long after their last image")


class Direction(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reidentification: Literal["never", "allowed"] = Field(description="whether anything of the project may ever be re-identified")


@router.post("/projects", status_code=201)
def create_project(call: Administrator, new: NewProject) -> ProjectShape:
    """A new project, with its first key (docs/deidentification.md)."""
    project = call.app.access.create_project(call.scope, **_known(new).model_dump(exclude_none=True))
    make_first_key(call.app.settings, project.name)
    return shape_project(project)


def _known(new: NewProject) -> NewProject:
    proofs = find_members("hilum.proofs")
    for kind in new.accepts.proofs or ():
        if kind not in proofs:
            raise InvalidError(f"There is no proof {kind!r}.", f"Name some of {', '.join(proofs)}.")
    return new


@router.get("/projects", response_model=Listed[ProjectShape])
def list_projects(call: Reader) -> Any:
    """The projects that the caller sees, by name."""
    return whole([shape_project(project) for project in call.app.access.list_projects(call.scope)])


@router.get("/projects/{name}")
def find_project(call: Reader, name: str) -> ProjectShape:
    """One project."""
    return shape_project(call.app.access.find_project(call.scope, name))


@router.post("/projects/{name}/direction")
def direct_project(call: Administrator, name: str, direction: Direction) -> ProjectShape:
    """Say whether results may be brought back to their patients, and pseudonyms be looked up; for who may see identities."""
    return shape_project(call.app.access.direct_project(call.scope, name, direction.reidentification))
