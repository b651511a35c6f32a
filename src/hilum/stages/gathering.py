"""gathering: a study waits until it is known to be complete: its sender said so, or it was quiet long enough."""

from datetime import timedelta

from hilum.model.lifecycle import Item
from hilum.model.outcomes import Defer, Done, Outcome
from hilum.model.ports import Tools

LOOK_AGAIN = timedelta(seconds=5)  # importing makes the study ready when it is through; this is for an import that fails


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
    return Done(f"Complete with {study.number_of_instances} instances: nothing more arrived for {quiet.total_seconds():g} s.")
