"""gathering: a study waits until a proof shows that it is complete. The first proof that its project accepts starts the work at once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hilum.dicom.geometry import Slice, slice_from
from hilum.model.candidates import candidates
from hilum.model.completeness import GatheringPolicy, merged_counts
from hilum.model.lifecycle import Item
from hilum.model.outcomes import Defer, Done, Outcome
from hilum.model.ports import Tools
from hilum.model.records import Request, Series, Study
from hilum.model.words import count
from hilum.proofs import Evidence

LOOK_AGAIN = timedelta(seconds=5)  # importing makes the study ready when it is through; this is for an import that fails

LOOK_SOON = timedelta(seconds=1)  # importing comes by within seconds, and perhaps finds nothing for this study

LAST_RESORT = "quiet-time"  # no policy can do without it: nothing waits for ever


def run(item: Item, tools: Tools) -> Outcome:
    """Done with the proof named, or deferred until the quiet time is over."""
    study = tools.catalogue.find_study(tools.scope, item.id)
    asked = tools.catalogue.requests(tools.scope, item.id)
    if any(request.pending for request in asked):
        return Defer(tools.clock() + LOOK_AGAIN, "Waiting until its upload is imported.")
    requests = [request for request in asked if not request.answered]
    policy = tools.catalogue.gathering_policy(tools.scope, study.project)
    evidence = _shortened(_evidence(study, asked, requests, policy, tools), policy, tools)
    until = study.last_received_at + evidence.quiet
    waits = any(_may_have_brought_more(request, until) for request in requests)
    for kind, proof in sorted(tools.proofs.items(), key=lambda pair: pair[0] == LAST_RESORT):
        if _accepts(policy, kind, by_default=proof.by_default) and not (waits and evidence.silent >= evidence.quiet):
            said = proof.prove(evidence)
            if said:
                return Done(f"Complete with {count(study.number_of_instances, 'instance')}: {said} (proof: {kind}).")
    if until > tools.clock():
        return Defer(until, f"Waiting until nothing more has arrived for {evidence.quiet.total_seconds():g} s.")
    return Defer(tools.clock() + LOOK_SOON, "Waiting until what arrived meanwhile is imported.")


def _accepts(policy: GatheringPolicy, kind: str, *, by_default: bool) -> bool:
    return kind == LAST_RESORT or (by_default if policy.proofs is None else kind in policy.proofs)


def _evidence(study: Study, asked: Sequence[Request], requests: Sequence[Request], policy: GatheringPolicy, tools: Tools) -> Evidence:
    def slices(one: Series) -> Sequence[Slice]:
        held = tools.catalogue.instances_of(tools.scope, one)
        return [slice_from(instance.attributes, instance.sop_instance_uid) for instance in held]

    return Evidence(
        study,
        requests,
        timedelta(seconds=policy.quiet_seconds),
        tools.clock() - study.last_received_at,
        merged_counts(request.expected for request in asked),
        lambda: tools.catalogue.list_series(tools.scope, study.id),
        slices,
        lambda: candidates(tools, asked),
        tools.operators,
    )


def _shortened(evidence: Evidence, policy: GatheringPolicy, tools: Tools) -> Evidence:
    """A proof that holds but for the last slice makes the wait shorter."""
    shorter = [
        proof.quiet_of(evidence)
        for kind, proof in tools.proofs.items()
        if hasattr(proof, "quiet_of") and _accepts(policy, kind, by_default=proof.by_default)
    ]
    return replace(evidence, quiet=min([evidence.quiet, *shorter]))


def _may_have_brought_more(request: Request, until: datetime) -> bool:
    """Whether an intake holds what arrived within the quiet time and is not imported: perhaps it is of this study."""
    imported_until_at = request.imported_until_at
    return request.waiting and not request.completed and (imported_until_at is None or imported_until_at < until)
