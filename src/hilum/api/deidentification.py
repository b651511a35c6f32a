"""De-identification: the profiles, what one would do to an instance, and what was done to a workitem's inputs."""

from typing import Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict

from hilum.api.calling import Reader
from hilum.api.paging import Listed, whole
from hilum.api.routing import make_router
from hilum.model.profiles import Profile
from hilum.runtime.profiles import find_profile, profiles

router = make_router("deidentification")


class ProfileShape(BaseModel):
    """A profile as its YAML says, and the digest of that."""

    model_config = ConfigDict(extra="allow")

    name: str
    version: int
    digest: str
    changes_nothing: bool
    options: list[str]


class PreviewedShape(BaseModel):
    """One element of the instance. `before` and `after` are null for those who may not see identities, and where there is no text."""

    path: str
    tag: str
    vr: str
    action: str
    reason: str
    changed: bool
    before: str | None
    after: str | None


class PreviewShape(BaseModel):
    """What a profile would do to an instance; `why` says why it would be held or dropped. `more`: elements beyond those listed."""

    series: str
    profile: str
    profile_version: int
    profile_digest: str
    key: str
    outcome: str
    why: str
    flags: list[str]
    elements: list[PreviewedShape]
    more: int


class AttributeShape(BaseModel):
    """What was done to one attribute, how often; `before` and `after` say only whether it has a value."""

    attribute: str
    action: str
    reason: str
    before: str
    after: str
    times: int


class DeidentificationShape(BaseModel):
    """What was done to a workitem's inputs. There is more of it where the profile changes anything: engine, options, key, series, ..."""

    model_config = ConfigDict(extra="allow")

    profile: str
    profile_version: int
    profile_digest: str
    changed: bool
    instances: int
    actions: dict[str, int] = {}
    attributes: list[AttributeShape] = []
    held: dict[str, int] = {}
    dropped: dict[str, int] = {}
    flags: dict[str, int] = {}


@router.get("/profiles", response_model=Listed[ProfileShape])
def list_profiles(call: Reader) -> Any:
    """The profiles that templates may name: those that come with Hilum, and the site's own."""
    return whole([_shape_profile(one) for _, one in sorted(profiles(call.app.settings).items())])


@router.get("/profiles/{name}")
def show_profile(call: Reader, name: str) -> ProfileShape:
    """One profile."""
    return _shape_profile(find_profile(call.app.settings, name))


@router.get("/workitems/{workitem_id}/deidentification")
def show_deidentification(call: Reader, workitem_id: str) -> DeidentificationShape:
    """What was done to its inputs, also where it is held; without values."""
    return DeidentificationShape(**call.app.catalogue.deidentification(call.scope, workitem_id))


@router.get("/series/{series_id}/deidentification")
def preview_deidentification(
    call: Reader,
    series_id: str,
    profile: str = "basic",
    instance: str = Query("", description="SOP Instance UID; without it the first instance is looked at"),
) -> PreviewShape:
    """What a profile would do to an instance of the series, element by element; nothing is kept of it."""
    from hilum.runtime.previewing import preview

    found = preview(call.app, call.scope, series_id, profile, instance)
    sees = call.scope.may_see_identity
    elements = [
        PreviewedShape(
            path=one.path,
            tag=one.tag,
            vr=one.vr,
            action=one.action,
            reason=one.reason,
            changed=one.is_changed,
            before=one.before if sees else None,
            after=one.after if sees else None,
        )
        for one in found.elements
    ]
    return PreviewShape(
        series=series_id,
        profile=found.profile.name,
        profile_version=found.profile.version,
        profile_digest=found.profile.digest,
        key=found.key_id,
        outcome=found.outcome,
        why=found.why,
        flags=list(found.flags),
        elements=elements,
        more=found.more,
    )


def _shape_profile(profile: Profile) -> ProfileShape:
    return ProfileShape(**profile.model_dump(mode="json") | {"options": sorted(profile.options), "digest": profile.digest})
