"""Findings as results report them: an error in spite of which they were made says who let it go."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from hilum.model.lifecycle import Stage, Status
from hilum.model.outcomes import Finding, Severity
from hilum.model.records import Move
from hilum.model.templates import Template


def report_findings(findings: Sequence[Finding], template: Template, moves: Iterable[Move], mends: Collection[str]) -> tuple[str, ...]:
    """The sentences of the findings that concern a template's workitem.

    Args:
        moves: the workitem's, oldest first.
        mends: what checks ask for at the end of a sentence; who let a finding go was not asking for it any more.
    """
    by_person = _let_go_by_person(moves)
    concerned = [finding for finding in findings if finding.template in ("", template.name)]
    return tuple(_report(finding, next(_let_go(finding, template, by_person), ""), mends) for finding in concerned)


def report_findings_without_names(
    findings: Sequence[Finding], template: Template, moves: Iterable[Move], meanings: Mapping[str, str]
) -> tuple[str, ...]:
    """The same for results that are to show nobody: what a check means, and that somebody let it go; never what a sender or a person wrote.

    Args:
        meanings: check kind -> its sentence.
    """
    by_person = "Let go by a person." if _let_go_by_person(moves) else ""
    concerned = [finding for finding in findings if finding.template in ("", template.name)]
    told = (
        f"{finding.check}: {meanings.get(finding.check, '')} {next(_let_go(finding, template, by_person), '')}".strip()
        for finding in concerned
    )
    return tuple(dict.fromkeys(told))


def _report(finding: Finding, let_go: str, mends: Collection[str]) -> str:
    if not let_go:
        return finding.sentence
    mend = next((mend for mend in mends if mend and finding.sentence.endswith(f" {mend}")), "")
    return f"{finding.sentence.removesuffix(mend).rstrip()} {let_go}"


def _let_go(finding: Finding, template: Template, by_person: str) -> Iterator[str]:
    weight = template.severities.get(finding.check, finding.severity)
    if weight is Severity.ERROR and by_person:
        yield by_person
    elif finding.severity is Severity.ERROR and weight is not Severity.ERROR:
        yield f"Let go by {template.name}, for which this is {'a warning' if weight is Severity.WARNING else 'for the record'}."


def _let_go_by_person(moves: Iterable[Move]) -> str:
    """Matching holds with errors at the first stage; only a person's retry leads on from there."""
    for move in reversed(list(moves)):
        if (move.verb, move.from_stage, move.from_status) == ("retry", Stage.DEIDENTIFYING, Status.HELD):
            return f"Let go by {move.who}: {move.why}"
    return ""
