"""The series a template requires, by role. A missing one names the nearest candidates and why they were refused."""

from collections.abc import Iterator

from hilum.checks import Subject
from hilum.model.outcomes import Finding, Severity
from hilum.model.roles import Candidate, RoleSearch, called, find_roles

kind = "required-series"
severity = Severity.ERROR
meaning = "The report type needs a series in a role, and no series of the study fits it."
mend = "Send the series, or correct the template's rule if one of the study's series is the one."
for_template = True

NEAREST = 2


def check(subject: Subject) -> Iterator[Finding]:
    """An error for a role that no series takes, an info where several could."""
    if subject.template is None:
        return
    template = subject.template
    for search in find_roles(template, [one.series for one in subject.series], subject.operators):
        if search.chosen is None:
            yield Finding(kind, severity, _missing(template.name, search), template=template.name)
        elif len(search.fitting) > 1:
            others = ", ".join(called(one.series) for one in search.fitting[1:])
            sentence = f"{_started(called(search.chosen))} is taken as {search.required.name}; {others} would fit as well."
            yield Finding(kind, Severity.INFO, sentence, template=template.name, series_id=search.chosen.id)


def _missing(template: str, search: RoleSearch) -> str:
    sentence = f"{template} needs a {search.required.name} series, and the study has none."
    nearest = " ".join(_refusal(candidate) for candidate in search.refused[:NEAREST])
    return f"{sentence} {nearest} Send the series.".replace("  ", " ")


def _refusal(candidate: Candidate) -> str:
    reasons = " ".join(dict.fromkeys(part.sentence for part in candidate.explanation.failing()))
    return f"{_started(called(candidate.series))} was refused: {reasons}"


def _started(name: str) -> str:
    """With a capital, as a sentence starts; the rest is the sender's own spelling."""
    return name[0].upper() + name[1:]
