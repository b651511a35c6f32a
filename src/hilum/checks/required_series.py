"""The series a template requires, by role. A missing one names the nearest candidates and why they were refused."""

from collections.abc import Iterator

from hilum.checks import Subject
from hilum.model.outcomes import Finding, Severity
from hilum.model.roles import Candidate, RoleSearch, called, find_roles
from hilum.model.words import joined

kind = "required-series"
severity = Severity.ERROR
meaning = "The report type needs a series in a role, and the study has none for it."
mend = "Send the series, or correct the template's rule if one of the study's series is the one."
for_template = True

NEAREST = 2


def check(subject: Subject) -> Iterator[Finding]:
    """An error for a role that no series takes, an info where several could."""
    if subject.template is None:
        return
    template = subject.template
    searches = find_roles(template.required_series, [one.series for one in subject.series], subject.operators)
    taken = {search.chosen.id for search in searches if search.chosen is not None}
    for search in searches:
        if search.chosen is None:
            yield Finding(kind, severity, _missing(template.name, search), template=template.name)
        elif others := [one.series for one in search.fitting if one.series.id not in taken]:
            would_fit = joined([called(one) for one in others])
            sentence = f"{_started(called(search.chosen))} is taken as {search.required.name}; {would_fit} would fit as well."
            yield Finding(kind, Severity.INFO, sentence, template=template.name, series_id=search.chosen.id)


def _missing(template: str, search: RoleSearch) -> str:
    if search.shortage:
        return f"{template} lacks a series for {search.required.name}: {search.shortage} Send the other one."
    sentence = f"{template} needs a {search.required.name} series, and the study has none."
    nearest = " ".join(_refusal(candidate) for candidate in search.refused[:NEAREST])
    return f"{sentence} {nearest} Send the series.".replace("  ", " ")


def _refusal(candidate: Candidate) -> str:
    reasons = " ".join(dict.fromkeys(part.sentence for part in candidate.explanation.failing()))
    return f"{_started(called(candidate.series))} was refused: {reasons}"


def _started(name: str) -> str:
    """With a capital, as a sentence starts; the rest is the sender's own spelling."""
    return name[0].upper() + name[1:]
