"""gathering: a study waits until it is known to be complete: its sender said so, or it was quiet long enough."""

from datetime import datetime, timedelta

from hilum.model.lifecycle import Item
from hilum.model.outcomes import Defer, Done, Outcome
from hilum.model.ports import Tools
from hilum.model.records import Request

LOOK_AGAIN = timedelta(seconds=5)  # importing makes the study ready when it is through; this is for an import that fails

LOOK_SOON = timedelta(seconds=1)  # importing comes by within seconds, and perhaps finds nothing for this study


def run(item: Item, tools: Tools) -> Outcome:
    """Done with the evidence named, or deferred until the quiet time is over."""
    study = tools.catalogue.find_study(tools.scope, item.id)
    asked = tools.catalogue.requests(tools.scope, item.id)
    if any(request.pending for request in asked):
        return Defer(tools.clock() + LOOK_AGAIN, "Waiting until its upload is imported.")
    requests = [request for request in asked if not request.answered]
    if requests and all(request.completed and request.imported for request in requests):
        return Done(f"Complete with {study.number_of_instances} instances: the sender completed the upload.")
    quiet = timedelta(seconds=tools.catalogue.quiet_seconds(tools.scope, study.project))
    until = study.last_received_at + quiet
    if until > tools.clock():
        return Defer(until, f"Waiting until nothing more has arrived for {quiet.total_seconds():g} s.")
    if any(_may_have_brought_more(request, until) for request in requests):
        return Defer(tools.clock() + LOOK_SOON, "Waiting until what arrived meanwhile is imported.")
    return Done(f"Complete with {study.number_of_instances} instances: nothing more arrived for {quiet.total_seconds():g} s.")


def _may_have_brought_more(request: Request, until: datetime) -> bool:
    """Whether an intake holds what arrived within the quiet time and is not imported: perhaps it is of this study."""
    imported_until_at = request.imported_until_at
    return request.waiting and not request.completed and (imported_until_at is None or imported_until_at < until)
