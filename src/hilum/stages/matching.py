"""matching: which templates the study goes to. A report type asked for by name wins; else the templates' rules decide.

A verdict that hangs on an attribute which was named late and is not read yet is waited for.
None or several: the study is held for a person. The chosen template's severities are applied here: with errors its workitem is held
at its first stage, the others go on; the study itself is held only when no workitem can go on.
"""

from collections.abc import Sequence
from datetime import timedelta

from hilum.model.choosing import Judged, judge_template, nearest_of
from hilum.model.lifecycle import Item, Stage, Status
from hilum.model.outcomes import (
    Defer,
    Done,
    Finding,
    Hold,
    Matched,
    NewWorkitem,
    Outcome,
    SeriesInput,
    Severity,
    TemplateVerdict,
)
from hilum.model.ports import Tools
from hilum.model.records import Request, Study, Workitem
from hilum.model.roles import called
from hilum.model.templates import Template
from hilum.model.words import count, suggest

LOOK_SOON = timedelta(seconds=2)  # housekeeping reads attributes that were named late, as often
SEND_BY_HAND = "Choose one with `hilum assign`, or POST /series/assign."


def run(item: Item, tools: Tools) -> Outcome:
    """Choose, weigh the findings, make the workitems."""
    study = tools.catalogue.find_study(tools.scope, item.id)
    requests = tools.catalogue.requests(tools.scope, item.id)
    named = [request.report_type for request in requests if request.report_type]
    judged = _judge(_candidates(named, tools), study, tools)
    unread = next((one for one in judged if one.unknown_series), None)
    lost = _unreadable(judged)
    if unread is not None and not lost:  # to choose without it, or to hold, would be a guess
        why = (
            f"Waiting until an attribute that {unread.template.name} asks for is read out of the packs: it was named after the images came."
        )
        return Defer(tools.clock() + LOOK_SOON, why)
    chosen, why = (judged, _unknown(named, tools)) if named else _choose(judged, run_all=tools.several_run_all)
    if lost:
        chosen, why = [], lost
    made = [new for one in chosen for new in _workitems(one, study, requests, tools)]
    answers = tuple(request.intake_id for request in requests if request.imported and not request.answered)
    change = Matched(study.id, study.revision, _verdicts(judged), tuple(made), answers)
    return _answer(chosen, made, why, change)


def _candidates(named: Sequence[str], tools: Tools) -> list[tuple[Template, int]]:
    """The report types that were asked for, else every active template that has rules."""
    templates = tools.templates.newest(tools.scope)
    if named:
        return [(template, version) for template, version in templates if template.name in named]
    return [(template, version) for template, version in templates if template.active and template.has_rules]


def _judge(templates: Sequence[tuple[Template, int]], study: Study, tools: Tools) -> list[Judged]:
    varying = frozenset(name for template, _ in templates for name in template.varying())
    series = tools.catalogue.list_series(tools.scope, study.id, varying=varying)
    return [judge_template(template, version, series, tools.operators) for template, version in templates]


def _verdicts(judged: Sequence[Judged]) -> tuple[TemplateVerdict, ...]:
    """With the whole tree for the templates that fit, or else for the nearest."""
    nearest = None if any(one.fits for one in judged) else nearest_of(judged)
    return tuple(one.verdict(explained=one.fits or one is nearest) for one in judged)


def _choose(judged: Sequence[Judged], *, run_all: bool) -> tuple[list[Judged], str]:
    """The one template whose rules match (or all, where the site says so); else nothing, and why."""
    matching = [one for one in judged if one.fits]
    if len(matching) == 1 or (matching and run_all):
        return matching, ""
    if matching:
        names = ", ".join(one.template.name for one in matching)
        return [], f"Several templates match: {names}. {SEND_BY_HAND}"
    nearest = nearest_of(judged)
    if nearest is None:
        return [], f"No template has rules. {SEND_BY_HAND}"
    conditions = count(nearest.distance, "condition")
    return [], f"No template matches. The nearest is {nearest.template.name}, by {conditions}: {nearest.why()} {SEND_BY_HAND}"


def _unreadable(judged: Sequence[Judged]) -> str:
    """Why nobody will know whether a template matches; empty where it is known, or will be."""
    for one in judged:
        for candidate in one.candidates:
            if candidate.series.unreadable and candidate.series.id in one.unknown_series:
                return (
                    f"Whether {one.template.name} matches cannot be said: an attribute that it asks for was named after the images came, "
                    f"and those of {called(candidate.series)} cannot be read again: {candidate.series.unreadable} "
                    f"`hilum verify` says what became of their bytes. {SEND_BY_HAND}"
                )
    return ""


def _unknown(named: Sequence[str], tools: Tools) -> str:
    known = [template.name for template, _ in tools.templates.newest(tools.scope)]
    told = [f"There is no report type {name}. {suggest(name, known)}" for name in dict.fromkeys(named) if name not in known]
    return " ".join((*told, SEND_BY_HAND))


def _workitems(one: Judged, study: Study, requests: Sequence[Request], tools: Tools) -> list[NewWorkitem]:
    """The workitems of a chosen template; none where it was done on this revision already and nobody forces it."""
    forced = any(
        request.force_reprocessing and not request.answered for request in requests if request.report_type in ("", one.template.name)
    )
    if not forced and _is_done(one.template, study, tools):
        return []
    findings = tools.catalogue.findings(tools.scope, study)
    made = []
    for inputs in one.inputs or ((),):
        trouble = _errors(one, inputs, findings)
        if not one.fits and not trouble:
            trouble = f"{one.template.name} does not fit: {one.why()}"
        made.append(NewWorkitem(one.template.name, one.version, inputs, trouble, one.template.priority))
    return made


def _is_done(template: Template, study: Study, tools: Tools) -> bool:
    known = tools.catalogue.list_workitems(tools.scope, study_id=study.id)
    return any(
        workitem.template == template.name and workitem.revision == study.revision and not _is_open_again(workitem) for workitem in known
    )


def _is_open_again(workitem: Workitem) -> bool:
    """Cancelled, or held here before anything was done: matching judges anew and supersedes it."""
    held_by_matching = (workitem.item.stage, workitem.item.status) == (Stage.DEIDENTIFYING, Status.HELD)
    return workitem.item.status is Status.CANCELLED or held_by_matching


def _errors(one: Judged, inputs: Sequence[SeriesInput], findings: Sequence[Finding]) -> str:
    """The sentences of the findings that hold this workitem, with the template's own severities."""
    mine = {given.series_id for given in inputs}
    concerned = [
        finding
        for finding in findings
        if not finding.accepted and finding.template in ("", one.template.name) and (not finding.series_id or finding.series_id in mine)
    ]
    errors = [finding for finding in concerned if one.template.severities.get(finding.check, finding.severity) is Severity.ERROR]
    return " ".join(dict.fromkeys(finding.sentence for finding in errors))


def _answer(chosen: Sequence[Judged], made: Sequence[NewWorkitem], why: str, change: Matched) -> Outcome:
    if not chosen:
        return Hold(why, (change,))
    going = [new for new in made if not new.held]
    if made and not going:
        return Hold(" ".join(dict.fromkeys(new.held for new in made)), (change,))
    if not made:
        return Done("Done already on this revision.", (change,))
    names = ", ".join(dict.fromkeys(new.template for new in made))
    return Done(f"Matched to {names}.", (change,))
