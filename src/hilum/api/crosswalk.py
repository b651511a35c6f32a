"""The crosswalk: whom pseudonyms stand for. For callers who may see identities; each question is logged without what was found."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from hilum.api.calling import Administrator, Reader
from hilum.api.paging import Listed, whole
from hilum.api.routing import PREFIX, SearchRoute, make_router
from hilum.model.crosswalk import Named, Original
from hilum.model.errors import InvalidError
from hilum.model.identity import ADMIN_PROJECT
from hilum.model.templates import NAME_PATTERN
from hilum.runtime.crosswalking import pseudonyms_of_patient, pseudonyms_of_uid

router = make_router("crosswalk")
searching = APIRouter(prefix=PREFIX, tags=["crosswalk"], route_class=SearchRoute)


class OriginalShape(BaseModel):
    """What a pseudonym stands for; `values` of patients and studies are what their objects said."""

    named: str = Field(description=", ".join(one.name.lower() for one in Named))
    pseudonym: str
    uid: str | None
    values: dict[str, str]


class PseudonymShape(BaseModel):
    pseudonym: str


class Searched(BaseModel):
    """An original: a patient's ID with its issuer, or a UID."""

    model_config = ConfigDict(extra="forbid")

    project: str = Field(ADMIN_PROJECT, pattern=NAME_PATTERN)
    patient_id: str = Field("", max_length=1024)
    issuer_of_patient_id: str = Field("", max_length=1024)
    uid: str = Field("", max_length=64)


class Lost(BaseModel):
    """A key of which no copy is left anywhere."""

    model_config = ConfigDict(extra="forbid")

    project: str = Field(ADMIN_PROJECT, pattern=NAME_PATTERN)
    key: str = Field(pattern=r"^[0-9a-f]{16}$", description="its id, as the message says that it is missing")
    reason: str = Field(max_length=1024)


class GivenUpShape(BaseModel):
    """How many rows were removed."""

    removed: int


@router.get("/crosswalk", response_model=Listed[OriginalShape])
def look_up(call: Reader, pseudonym: str, project: str = ADMIN_PROJECT) -> Any:
    """What a pseudonym stands for, once for each study that it is in; only where the project allows re-identification."""
    return whole([_shape(one) for one in call.app.crosswalk.look_up(call.scope, project, pseudonym)])


@searching.post("/crosswalk/search", response_model=Listed[PseudonymShape])
def search_crosswalk(call: Reader, wanted: Searched) -> Any:
    """The pseudonyms that stand for a patient or a UID in a project, those of earlier keys too."""
    if bool(wanted.patient_id) == bool(wanted.uid):
        raise InvalidError("Either a patient or a UID is looked for.", "Name patient_id or uid.")
    call.app.access.find_project(call.scope, wanted.project)  # before anybody looks for its keys
    if wanted.uid:
        candidates = pseudonyms_of_uid(call.app.settings, wanted.project, wanted.uid)
    else:
        candidates = pseudonyms_of_patient(call.app.settings, wanted.project, wanted.patient_id, wanted.issuer_of_patient_id)
    known = call.app.crosswalk.known(call.scope, wanted.project, candidates)
    return whole([PseudonymShape(pseudonym=one) for one in known])


@router.post("/crosswalk/give-up")
def give_up_key(call: Administrator, lost: Lost) -> GivenUpShape:
    """Remove the rows of a key that is lost: they can never be opened again, and deletions wait for it no longer."""
    return GivenUpShape(removed=call.app.crosswalk.give_up(call.scope, lost.project, lost.key, lost.reason))


def _shape(one: Original) -> OriginalShape:
    return OriginalShape(named=one.named.name.lower(), pseudonym=one.pseudonym, uid=one.uid or None, values=dict(one.values))
