"""reviewing: the template's policy decides whether a person must look at the results before they are delivered."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hilum.model.lifecycle import Item
from hilum.model.outcomes import Done, Hold, Outcome, Severity
from hilum.model.ports import Tools
from hilum.model.records import Artifact, Study, Workitem
from hilum.model.review import Policy, QualityLimit, place_in_sample
from hilum.model.templates import Template

MOST_BYTES = 16 << 20  # of a result file that figures are read from


@dataclass(frozen=True, slots=True)
class Case:
    """What a policy judges."""

    workitem: Workitem
    template: Template
    study: Study
    tools: Tools


@dataclass(frozen=True, slots=True)
class Answer:
    """A policy's answer with its reason, which the history keeps."""

    asks: bool
    why: str


def run(item: Item, tools: Tools) -> Outcome:
    """Go on, or wait for the verdict."""
    workitem = tools.catalogue.find_workitem(tools.scope, item.id)
    template, _ = tools.templates.find(tools.scope, workitem.template, workitem.template_version)
    study = tools.catalogue.find_study(tools.scope, workitem.study_id)
    answer = POLICIES[template.review.policy](Case(workitem, template, study, tools))
    if not answer.asks:
        return Done(answer.why)
    people = "Two people must accept it" if template.review.four_eyes else "Accept or reject it"
    return Hold(f"{answer.why} {people} with `hilum review`.")


def _never(_case: Case) -> Answer:
    return Answer(False, "No review is asked for.")


def _always(case: Case) -> Answer:
    return Answer(True, f"Every result of {case.template.name} waits for a reviewer.")


def _on_warning(case: Case) -> Answer:
    mine = {given.series_id for given in case.workitem.inputs}
    warnings = [
        finding
        for finding in case.tools.catalogue.findings(case.tools.scope, case.study)
        if not finding.accepted
        and finding.template in ("", case.template.name)
        and (not finding.series_id or finding.series_id in mine)
        and case.template.severities.get(finding.check, finding.severity) is not Severity.INFO
    ]
    if not warnings:
        return Answer(False, "No warning, so no review is asked for.")
    return Answer(True, f"A warning asks for a reviewer: {warnings[0].sentence}")


def _sample(case: Case) -> Answer:
    """By study, template and revision: running it again does not throw the dice again."""
    percent = case.template.review.percent or 0.0
    names = (case.workitem.project, case.study.study_instance_uid, str(case.workitem.revision), case.template.name)
    place = place_in_sample(case.tools.sampling_key, *names)
    if place < percent:
        return Answer(True, f"Drawn for review: its place {place:.2f} is within the sample of {percent:g} %.")
    return Answer(False, f"Not drawn for review: its place {place:.2f} is outside the sample of {percent:g} %.")


def _on_quality(case: Case) -> Answer:
    results = {artifact.name: artifact for artifact in case.tools.catalogue.artifacts(case.tools.scope, case.workitem.id)}
    troubles = [trouble for limit in case.template.review.quality if (trouble := _trouble(limit, results, case.tools))]
    if not troubles:
        return Answer(False, f"All {len(case.template.review.quality)} quality limits are kept, so no review is asked for.")
    return Answer(True, f"The quality of the results asks for a reviewer: {' '.join(dict.fromkeys(troubles))}")


def _trouble(limit: QualityLimit, results: Mapping[str, Artifact], tools: Tools) -> str:
    """What cannot be judged is looked at by a person."""
    artifact = results.get(limit.file)
    if artifact is None:
        return f"There is no result {limit.file}."
    if artifact.stored.size > MOST_BYTES:
        return f"{limit.file} is too large to read figures from."
    try:
        record: Any = json.loads(b"".join(tools.vault.stream(artifact.stored)))
    except (ValueError, RecursionError):
        return f"{limit.file} is no JSON."
    return limit.trouble(record)


POLICIES: Mapping[Policy, Callable[[Case], Answer]] = {
    "never": _never,
    "always": _always,
    "on-warning": _on_warning,
    "sample": _sample,
    "on-quality": _on_quality,
}
