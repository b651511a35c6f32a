"""checking: the checks that need no template, then those of every candidate template. Findings are facts; matching weighs them."""

from collections.abc import Iterable

from hilum.checks import CheckedSeries, Subject
from hilum.model.lifecycle import Item
from hilum.model.outcomes import Done, Finding, FindingsRecorded, Outcome, Severity
from hilum.model.ports import Tools
from hilum.model.records import Request
from hilum.model.templates import Template


def run(item: Item, tools: Tools) -> Outcome:
    """Run every check on the study's present revision."""
    study = tools.catalogue.find_study(tools.scope, item.id)
    templates = candidates(tools, tools.catalogue.requests(tools.scope, item.id))
    varying = frozenset(name for template in templates for name in template.varying())
    series = tools.catalogue.list_series(tools.scope, study.id, varying=varying)
    checked = tuple(CheckedSeries(one, tuple(tools.catalogue.instances_of(tools.scope, one))) for one in series)
    conflicts = tuple(tools.catalogue.conflicts(tools.scope, study.id))
    plain = Subject(study, checked, conflicts, tools.operators)
    found = [finding for check in tools.checks.values() if not check.for_template for finding in check.check(plain)]
    for template in templates:
        subject = Subject(study, checked, conflicts, tools.operators, template)
        found += [finding for check in tools.checks.values() if check.for_template for finding in check.check(subject)]
    return Done(_summary(found), (FindingsRecorded(study.id, study.revision, tuple(found)),))


def candidates(tools: Tools, requests: Iterable[Request]) -> list[Template]:
    """The report types that were asked for by name, or else every active template."""
    named = {request.report_type for request in requests if request.report_type}
    templates = [template for template, _ in tools.templates.newest(tools.scope)]
    if named:
        return [template for template in templates if template.name in named]
    return [template for template in templates if template.active]


def _summary(found: list[Finding]) -> str:
    errors = sum(finding.severity is Severity.ERROR for finding in found)
    warnings = sum(finding.severity is Severity.WARNING for finding in found)
    if not errors and not warnings:
        return "Nothing found."
    return " and ".join(text for text in (_count(errors, "error"), _count(warnings, "warning")) if text) + "."


def _count(number: int, noun: str) -> str:
    return "" if number == 0 else f"{number} {noun}" if number == 1 else f"{number} {noun}s"
