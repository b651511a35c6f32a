"""What rules can ask: attributes of the DICOM dictionary, private ones that the site has named, and operators that fit a VR."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from hilum.api.calling import Builder, Reader
from hilum.api.paging import Listed, whole
from hilum.api.routing import make_router
from hilum.dicom.comparing import form_of
from hilum.dicom.dictionary import Entry, search, standard_entries
from hilum.runtime.registry import find_members

router = make_router("attributes")


class AttributeShape(BaseModel):
    """An attribute, how its values are written, and the operators that may be asked of it."""

    attribute: str
    name: str
    tag: str
    vr: str
    vm: str
    retired: bool
    hint: str
    example: str
    operators: list[str]


class OperatorShape(BaseModel):
    operator: str
    does: str
    takes: str
    vrs: list[str]
    example: dict[str, Any]


class Naming(BaseModel):
    """A private attribute, `(0019,100C) CREATOR`, with the name and the VR that it gets."""

    model_config = ConfigDict(extra="forbid")

    attribute: str = Field(max_length=128)
    name: str
    vr: str


@router.get("/attributes", response_model=Listed[AttributeShape])
def search_attributes(
    call: Reader,
    text: Annotated[str, Query(max_length=200, description="words of its keyword, name or tag")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Any:
    """Attributes that have every word; what the site has named comes first."""
    entries = call.app.private_tags.entries(call.scope)
    found = search(text, entries, limit)
    return whole([_shape(one) for one in [*found, *search(text, standard_entries(), limit - len(found))]])


@router.post("/attributes", status_code=201)
def name_attribute(call: Builder, wanted: Naming) -> AttributeShape:
    """Give a private attribute a name and a VR, so that rules can ask for it."""
    return _shape(call.app.private_tags.name(call.scope, wanted.attribute, wanted.name, wanted.vr))


@router.delete("/attributes", status_code=204)
def forget_attribute(call: Builder, attribute: Annotated[str, Query(max_length=128)]) -> None:
    """Take the name of a private attribute away; templates that were saved with it keep its VR."""
    call.app.private_tags.forget(call.scope, attribute)


@router.get("/operators", response_model=Listed[OperatorShape])
def list_operators(call: Reader, vr: Annotated[str, Query(max_length=2)] = "") -> Any:  # noqa: ARG001 - who asks is known by then
    """All operators, or those that may be asked of a VR."""
    members = find_members("hilum.operators").items()
    return whole(
        [
            OperatorShape(
                operator=kind, does=str(one.__doc__).splitlines()[0], takes=one.takes.value, vrs=sorted(one.vrs), example=one.example
            )
            for kind, one in members
            if not vr or vr in one.vrs
        ]
    )


def _shape(entry: Entry) -> AttributeShape:
    form = form_of(entry.vr)
    vrs = entry.vr.split(" or ")
    operators = [kind for kind, one in find_members("hilum.operators").items() if not one.vrs.isdisjoint(vrs)]
    return AttributeShape(
        attribute=entry.path,
        name=entry.name,
        tag=entry.tag,
        vr=entry.vr,
        vm=entry.vm,
        retired=entry.is_retired,
        hint=form.hint,
        example=form.example,
        operators=operators,
    )
