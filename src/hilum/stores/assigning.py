"""Series sent to a template by hand, in one transaction: what is being processed is refused, and nothing is sent twice."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Row, select

from hilum.model.assigning import STUDY_MAY_STAND_AT, WORKITEM_MAY_STAND_AT, Assigned, Choice
from hilum.model.errors import ConflictError, NotFoundError
from hilum.model.identity import Right
from hilum.model.lifecycle import Stage, Status
from hilum.model.outcomes import NewWorkitem, SeriesInput
from hilum.stores.catalogue import STUDY_ROWS, WORKITEM_ROWS
from hilum.stores.changes import Context, make_workitem, release_study
from hilum.stores.moving import lock_item, move_item
from hilum.stores.schema import series, studies, workitems
from hilum.stores.scoping import in_scope, require
from hilum.stores.template_shelf import newest_row


def assign_series(context: Context, choice: Choice) -> list[Assigned]:
    """One workitem a study, or a series, as the template's unit says; one answer a series, in the order given.

    Raises:
        NotFoundError: a series or the template does not exist for the caller. ConflictError: none of the series can be sent.
    """
    template = newest_row(context.connection, choice.template)
    answers: dict[str, Assigned] = {}
    for study, ids in _by_study(context, choice.roles):
        answers |= {one.series_id: one for one in _assign_of_study(context, study, ids, choice, template)}
    if not any(one.workitem_id for one in answers.values()):
        raise ConflictError(" ".join(dict.fromkeys(one.sentence for one in answers.values())), "Nothing was sent.")
    return [answers[series_id] for series_id in choice.roles]


def _by_study(context: Context, series_ids: Iterable[str]) -> Iterator[tuple[Row[Any], list[str]]]:
    """The studies, locked, each with its series in the order given; studies are locked in one order, so that no two callers wait."""
    found: dict[str, list[str]] = {}
    for series_id in series_ids:
        query = select(series.c.study_id).where(series.c.id == series_id, in_scope(context.scope, series.c.project_id))
        study_id = context.connection.scalar(query)
        if study_id is None:
            raise NotFoundError(f"There is no series {series_id}.", "Look at GET /series.")
        found.setdefault(study_id, []).append(series_id)
    for study_id in sorted(found):
        lock_item(context.connection, context.scope, study_id)
        study = context.connection.execute(STUDY_ROWS.where(studies.c.id == study_id)).first()
        if study is None:
            raise NotFoundError(f"There is no series {found[study_id][0]}.", "Look at GET /series.")
        require(context.scope, Right.OPERATE, study.item_project)
        yield study, found[study_id]


def _assign_of_study(context: Context, study: Row[Any], ids: Sequence[str], choice: Choice, template: Row[Any]) -> Iterator[Assigned]:
    known = context.connection.execute(WORKITEM_ROWS.where(workitems.c.study_id == study.id)).all()
    refused = {one: why for one in ids if (why := choice.refused.get(one) or _refusal(one, study, known, choice, template))}
    is_whole = template.definition["unit"] == "study"
    if is_whole and refused:
        refused = {one: refused.get(one, f"Series {one} would go with one that cannot be sent.") for one in ids}
    yield from (Assigned(one, "", why) for one, why in refused.items())
    going = [one for one in ids if one not in refused]
    for group in [going] if is_whole and going else [[one] for one in going]:
        workitem_id = _send(context, study, group, known, choice, template)
        yield from (Assigned(one, workitem_id, f"Sent to {choice.template}, version {template.version}.") for one in group)


def _refusal(series_id: str, study: Row[Any], known: Sequence[Row[Any]], choice: Choice, template: Row[Any]) -> str:
    """Why a series cannot be sent; empty where it can."""
    place = (Stage(study.item_stage), Status(study.item_status))
    if place not in STUDY_MAY_STAND_AT:
        return f"The study of series {series_id} stands at {place[0]} / {place[1]}: wait until it is held at matching, or through with it."
    for row in _workitems_with(series_id, known):
        if row.item_status not in WORKITEM_MAY_STAND_AT and not _was_held_by_matching(row):
            return f"Series {series_id} is being processed by workitem {row.id}: cancel that one first, or wait for it."
        same = (row.template, row.template_version, row.revision) == (choice.template, template.version, study.revision)
        if same and row.item_status == Status.FINISHED and not choice.again:
            return f"Series {series_id} was done with {choice.template} already, by workitem {row.id}: ask for it `again`."
    return ""


def _workitems_with(series_id: str, known: Sequence[Row[Any]]) -> Iterator[Row[Any]]:
    return (row for row in known if series_id in {given["series_id"] for given in row.inputs})


def _was_held_by_matching(row: Row[Any]) -> bool:
    return (row.item_stage, row.item_status) == (Stage.DEIDENTIFYING, Status.HELD)


def _send(context: Context, study: Row[Any], group: Sequence[str], known: Sequence[Row[Any]], choice: Choice, template: Row[Any]) -> str:
    why = f"{context.scope.who} chose {choice.template}."
    held = {row.id for one in group for row in _workitems_with(one, known) if _was_held_by_matching(row)}
    for workitem_id in sorted(held):
        item = lock_item(context.connection, context.scope, workitem_id)
        if item.status is Status.HELD:
            move_item(context.connection, item, "supersede", context.scope.who, why, context.now)
    inputs = tuple(SeriesInput(one, choice.roles[one]) for one in group)
    new = NewWorkitem(choice.template, template.version, inputs, priority=template.definition["priority"])
    workitem_id = make_workitem(context, study.id, study.revision, new)
    release_study(context, workitem_id, why)
    return workitem_id
