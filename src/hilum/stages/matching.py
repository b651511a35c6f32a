"""matching: which templates the study goes to. A report type asked for by name wins; else the templates' rules decide.

None or several: the study is held for a person. The chosen template's severities are applied here: with errors its workitem is held
at its first stage, the others go on; the study itself is held only when no workitem can go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hilum.model.lifecycle import Item, Stage, Status
from hilum.model.outcomes import (
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
from hilum.model.records import Request, Series, Study, Workitem
from hilum.model.roles import RoleSearch, find_roles, fitting_series
from hilum.model.rules import Explanation
from hilum.model.templates import Template


@dataclass(frozen=True, slots=True)
class Judged:
    """A template before a study: the inputs of its workitems, and the verdict with its reason."""

    template: Template
    version: int
    inputs: tuple[tuple[SeriesInput, ...], ...]  # one a workitem
    verdict: TemplateVerdict
    failing: int  # conditions that stand in the way: the nearest template has the fewest


def run(item: Item, tools: Tools) -> Outcome:
    """Choose, weigh the findings, make the workitems."""
    study = tools.catalogue.find_study(tools.scope, item.id)
    series = tools.catalogue.list_series(tools.scope, study.id)
    requests = tools.catalogue.requests(tools.scope, item.id)
    templates = tools.templates.newest(tools.scope)
    named = [request.report_type for request in requests if request.report_type]
    if named:
        judged = [judge(template, version, series, tools) for template, version in templates if template.name in named]
        chosen, why = judged, f"There is no report type {' or '.join(named)}. Choose one with POST /series/assign."
    else:
        judged = [judge(template, version, series, tools) for template, version in templates if template.active and _has_rules(template)]
        chosen, why = _choose(judged)
    made = [new for one in chosen for new in _workitems(one, study, requests, tools)]
    answers = tuple(request.intake_id for request in requests if request.imported and not request.answered)
    change = Matched(study.id, study.revision, tuple(one.verdict for one in judged), tuple(made), answers)
    return _answer(chosen, made, why, change)


def judge(template: Template, version: int, series: Sequence[Series], tools: Tools) -> Judged:
    """A template's rules before the series of a study."""
    searches = find_roles(template, series, tools.operators)
    fitting = fitting_series(template, series, tools.operators)
    if searches:
        inputs = tuple(SeriesInput(search.chosen.id, search.required.role) for search in searches if search.chosen is not None)
        missing = [search for search in searches if search.chosen is None]
        matched = not missing and (template.rule is None or any(verdict.holds for _, verdict in fitting))
        return _judged(template, version, (inputs,), matched, _why_roles(searches), _role_explanations(searches), _distance(missing))
    those = [one for one, verdict in fitting if verdict.holds]
    inputs_of = (
        [tuple(SeriesInput(one.id, "") for one in those)] if template.unit == "study" else [(SeriesInput(one.id, ""),) for one in those]
    )
    distance = min((len(verdict.failing()) for _, verdict in fitting), default=0)
    why = f"{len(those)} of {len(series)} series fit." if those else "No series fits. " + _nearest_series(fitting)
    return _judged(
        template, version, tuple(inputs_of) if those else (), bool(those), why, [verdict.as_dict() for _, verdict in fitting], distance
    )


def _judged(
    template: Template,
    version: int,
    inputs: tuple[tuple[SeriesInput, ...], ...],
    matched: bool,
    why: str,
    explanations: Sequence[object],
    failing: int,
) -> Judged:
    verdict = TemplateVerdict(template.name, version, matched, why, {"parts": list(explanations)})
    return Judged(template, version, inputs, verdict, failing)


def _choose(judged: Sequence[Judged]) -> tuple[list[Judged], str]:
    """The one template whose rules match; else nothing, and why."""
    matching = [one for one in judged if one.verdict.matched]
    if len(matching) == 1:
        return matching, ""
    if matching:
        names = ", ".join(one.template.name for one in matching)
        return [], f"Several templates match: {names}. Choose one with POST /series/assign."
    nearest = min(judged, key=lambda one: one.failing, default=None)
    if nearest is None:
        return [], "No template has rules. Choose one with POST /series/assign."
    return [], f"No template matches. The nearest is {nearest.template.name}: {nearest.verdict.why} Choose one with POST /series/assign."


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
        if not one.verdict.matched and not trouble:
            trouble = f"{one.template.name} does not fit: {one.verdict.why}"
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
        if finding.template in ("", one.template.name) and (not finding.series_id or finding.series_id in mine)
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


def _has_rules(template: Template) -> bool:
    return template.rule is not None or bool(template.required_series)


def _distance(missing: Sequence[RoleSearch]) -> int:
    return sum(min((len(one.explanation.failing()) for one in search.refused), default=1) for search in missing)


def _why_roles(searches: Sequence[RoleSearch]) -> str:
    found = [search.required.name for search in searches if search.chosen is not None]
    missing = [search.required.name for search in searches if search.chosen is None]
    if not missing:
        return f"Found {', '.join(found)}."
    return f"No series is {' or '.join(missing)}."


def _role_explanations(searches: Sequence[RoleSearch]) -> list[object]:
    return [
        {
            "role": search.required.role,
            "chosen": search.chosen.id if search.chosen else None,
            "series": [{"series": one.series.id, **one.explanation.as_dict()} for one in (*search.fitting, *search.refused)],
        }
        for search in searches
    ]


def _nearest_series(fitting: Sequence[tuple[Series, Explanation]]) -> str:
    nearest = min(fitting, key=lambda pair: len(pair[1].failing()), default=None)
    return "" if nearest is None else nearest[1].sentence
