"""checking: every image's header, then the checks that need no template, then those of every candidate template.

Findings are facts; matching weighs them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hilum.checks import CheckedSeries, Subject
from hilum.model.acceptances import Acceptance, accept, acceptance_of, from_setting
from hilum.model.lifecycle import Item
from hilum.model.outcomes import Done, Finding, FindingsRecorded, Outcome, Severity
from hilum.model.ports import Tools
from hilum.model.records import Request, Series, Study
from hilum.model.templates import Template
from hilum.stages.judging_headers import HeaderPass, read_header_from


def run(item: Item, tools: Tools) -> Outcome:
    """Run every check on the study's present revision."""
    study = tools.catalogue.find_study(tools.scope, item.id)
    accepted = [*tools.catalogue.acceptances(tools.scope, study.project), *map(from_setting, tools.accepted)]
    requests = tools.catalogue.requests(tools.scope, item.id)
    expected = expected_counts(requests)
    checked, found = _look_at_series(study, expected, accepted, tools)
    conflicts = tuple(tools.catalogue.conflicts(tools.scope, study.id))
    plain = Subject(
        study, tuple(checked), conflicts, tools.operators, expected=expected, decode=tools.decoder(), second_opinion=tools.second_opinion
    )
    subjects = [plain, *(replace(plain, template=template) for template in candidates(tools, requests))]
    for subject in subjects:
        for check in tools.checks.values():
            if hasattr(check, "check") and check.for_template == (subject.template is not None):
                tools.check_stop()
                found += check.check(subject)
    uids = {one.series.id: one.series.series_instance_uid for one in checked}
    judged = [
        finding if finding.accepted else accept(finding, acceptance_of(accepted, finding.check, finding.sentence, uids.get(finding.series_id, "")))
        for finding in found
    ]
    return Done(_summary(judged), (FindingsRecorded(study.id, study.revision, tuple(judged)),))
