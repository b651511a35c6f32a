"""A reviewer's verdict on a workitem: kept with its ratings, and followed by its move, in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select

from hilum.model.errors import ConflictError, InvalidError
from hilum.model.identity import Right
from hilum.model.lifecycle import Item, Kind, Stage, Status
from hilum.model.outcomes import NewWorkitem, SeriesInput
from hilum.model.review import ReviewPolicy
from hilum.stores.catalogue import WORKITEM_ROWS
from hilum.stores.changes import Context, make_workitem
from hilum.stores.moving import lock_item, move_item
from hilum.stores.schema import moves, reviews, templates, workitems
from hilum.stores.scoping import require
from hilum.stores.template_shelf import newest_row


@dataclass(frozen=True, slots=True)
class Verdict:
    """A reviewer's answer: accept, reject (with a reason), or rerun (with another template, or the same)."""

    verdict: str
    reason: str = ""
    template: str = ""
    ratings: Mapping[str, Any] | None = None


def give_verdict(context: Context, workitem_id: str, verdict: Verdict) -> Item:
    """Keep a verdict and follow it.

    Raises:
        InvalidError: there is no such verdict, or a rejection has no reason.
        ConflictError: the workitem does not wait for a reviewer, or this person has accepted it already.
    """
    if verdict.verdict == "reject" and not verdict.reason.strip():
        raise InvalidError("A rejection needs a reason.", "Say what is wrong with the result.")
    item = lock_item(context.connection, context.scope, workitem_id)
    require(context.scope, Right.REVIEW, item.project)
    if (item.kind, item.stage, item.status) != (Kind.WORKITEM, Stage.REVIEWING, Status.HELD):
        raise ConflictError(f"The {item.kind} stands at {item.stage} / {item.status}, not before a reviewer.", "Look at `hilum held`.")
    first = _first_acceptance(context.connection, workitem_id) if verdict.verdict == "accept" else None
    if first == context.scope.who:
        raise ConflictError(f"{first} has accepted it already, and two people must.", "Ask somebody else to look at it.")
    _keep(context, workitem_id, verdict)
    return _follow(context, item, verdict, first)


def _keep(context: Context, workitem_id: str, verdict: Verdict) -> None:
    context.connection.execute(
        insert(reviews).values(
            workitem_id=workitem_id,
            verdict=verdict.verdict,
            reason=verdict.reason,
            ratings=dict(verdict.ratings or {}),
            who=context.scope.who,
            at=context.now,
        )
    )


def _follow(context: Context, item: Item, verdict: Verdict, first: str | None) -> Item:
    said = f": {verdict.reason}" if verdict.reason else "."
    who = context.scope.who
    match verdict.verdict:
        case "accept" if first is None and _needs_two(context.connection, item.id):
            why = f"Accepted by {who}{said} A second person must accept it, too."
            return move_item(context.connection, item, "countersign", who, why, context.now)
        case "accept":
            return move_item(context.connection, item, "accept", who, f"Accepted by {who}{said}", context.now)
        case "reject":
            return move_item(context.connection, item, "reject", who, f"Rejected by {who}{said}", context.now)
        case "rerun":
            moved = move_item(context.connection, item, "cancel", who, f"{who} asked to run it again{said}", context.now)
            _run_again(context, item.id, verdict.template)
            return moved
    raise InvalidError(f"There is no verdict {verdict.verdict!r}.", "Say accept, reject or rerun.")


def _needs_two(connection: Connection, workitem_id: str) -> bool:
    its = (templates.c.name == workitems.c.template) & (templates.c.version == workitems.c.template_version)
    query = select(templates.c.definition).join(workitems, its).where(workitems.c.id == workitem_id)
    definition = connection.execute(query).scalar_one()
    return ReviewPolicy.model_validate(definition.get("review", "never")).four_eyes


def _first_acceptance(connection: Connection, workitem_id: str) -> str | None:
    """Who accepted the results that lie before the reviewers now, as the first of two; what was said of earlier ones counts no more."""
    here = (moves.c.item_id == workitem_id) & (moves.c.to_stage == Stage.REVIEWING)
    arrived = select(func.max(moves.c.id)).where(here, moves.c.from_stage != Stage.REVIEWING).scalar_subquery()
    signed = select(moves.c.who).where(here, moves.c.verb == "countersign", moves.c.id > arrived).order_by(moves.c.id.desc())
    return connection.scalar(signed.limit(1))


def _run_again(context: Context, workitem_id: str, template: str) -> None:
    connection = context.connection
    row = connection.execute(WORKITEM_ROWS.where(workitems.c.id == workitem_id)).one()
    name = template or row.template
    newest = newest_row(connection, name)
    inputs = tuple(SeriesInput(given["series_id"], given["role"]) for given in row.inputs)
    new = NewWorkitem(name, newest.version, inputs, priority=newest.definition["priority"])
    make_workitem(context, row.study_id, row.revision, new, supersedes=workitem_id)
