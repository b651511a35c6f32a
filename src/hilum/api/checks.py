"""Checks: what each looks for, running them again, clearing what they found, and accepting it."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hilum.api.calling import Operator, Reader
from hilum.api.paging import Listed, whole
from hilum.api.routing import make_router
from hilum.api.shapes import ItemShape, Time, shape_item
from hilum.model.acceptances import Acceptance
from hilum.model.errors import InvalidError
from hilum.model.lifecycle import Stage
from hilum.runtime.registry import find_members

router = make_router("checks")


class CheckShape(BaseModel):
    """What a check looks for; `for_template`: it judges by what a template asks for."""

    kind: str
    severity: str
    meaning: str
    mend: str
    for_template: bool


class NewAcceptance(BaseModel):
    model_config = ConfigDict(extra="forbid")

    project: str
    check: str = Field(examples=["burned-in-annotation"])
    containing: str = Field("", max_length=500, description="only findings whose sentence has these words in it: whole words and numbers")
    series: str | None = Field(None, description="only findings about this series: its id, or its Series Instance UID")
    reason: str = Field(min_length=1, max_length=2000)


class AcceptanceShape(BaseModel):
    id: int
    check: str
    containing: str
    series_instance_uid: str | None
    reason: str
    who: str
    at: Time | None


class ClearedShape(BaseModel):
    """How many findings were deleted."""

    cleared: int


@router.get("/checks", response_model=Listed[CheckShape])
def list_checks(call: Reader) -> Any:  # noqa: ARG001 - whoever may read anything
    """Every check there is."""
    return whole([_shape_check(kind, member) for kind, member in find_members("hilum.checks").items()])


def _shape_check(kind: str, member: Any) -> CheckShape:
    is_for_template = getattr(member, "for_template", False)
    return CheckShape(kind=kind, severity=member.severity, meaning=member.meaning, mend=member.mend, for_template=is_for_template)


@router.post("/studies/{study_id}/checks")
def run_checks(call: Operator, study_id: str) -> ItemShape:
    """Run the checks again: the study goes back to checking, and what they find replaces what they found."""
    study = call.app.catalogue.find_study(call.scope, study_id)
    return shape_item(call.app.decisions.send_back(call.scope, study.id, Stage.CHECKING, f"{call.scope.who} asked for the checks again."))


@router.delete("/studies/{study_id}/findings")
def clear_findings(call: Operator, study_id: str) -> ClearedShape:
    """Delete what the checks found; what was decided on it stays decided."""
    study = call.app.catalogue.find_study(call.scope, study_id)
    return ClearedShape(cleared=call.app.acceptances.clear(call.scope, study.id))


@router.post("/acceptances", status_code=201)
def accept_findings(call: Operator, new: NewAcceptance) -> AcceptanceShape:
    """Accept findings of a check, for a project or one series: from the next run of the checks on they are told and weigh nothing."""
    known = find_members("hilum.checks")
    if new.check not in known:
        raise InvalidError(f"There is no check {new.check!r}.", f"Name one of {', '.join(known)}.")
    wanted = Acceptance(new.check, new.containing, new.series or "", new.reason)
    return _shape(call.app.acceptances.accept(call.scope, new.project, wanted))


@router.get("/acceptances", response_model=Listed[AcceptanceShape])
def list_acceptances(call: Reader, project: str) -> Any:
    """What people accepted in a project, oldest first."""
    return whole([_shape(one) for one in call.app.acceptances.list_accepted(call.scope, project)])


@router.delete("/acceptances/{acceptance_id}", status_code=204)
def withdraw_acceptance(call: Operator, acceptance_id: int) -> None:
    """It is accepted no more."""
    call.app.acceptances.withdraw(call.scope, acceptance_id)


def _shape(one: Acceptance) -> AcceptanceShape:
    return AcceptanceShape(
        id=one.key,
        check=one.check,
        containing=one.containing,
        series_instance_uid=one.series_instance_uid or None,
        reason=one.reason,
        who=one.who,
        at=one.at,
    )
