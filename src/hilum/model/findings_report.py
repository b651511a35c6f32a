"""What the checks found in a study, as a reader needs it: how many slices are valid, and each finding with its instances and its mend.

A slice is *invalid* where a finding that is an error names it, *doubtful* where a warning does and no error, and *valid* otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hilum.model.outcomes import Finding, Severity
from hilum.model.records import Instance, Series, Study


@dataclass(frozen=True, slots=True)
class CheckWords:
    """What a finding of a check means, and what a person can do about it: one sentence each."""

    meaning: str
    mend: str


@dataclass(frozen=True, slots=True)
class SliceCounts:
    """Of a series, or of the whole study."""

    valid: int
    doubtful: int
    invalid: int

    @property
    def instances(self) -> int:
        return self.valid + self.doubtful + self.invalid


@dataclass(frozen=True, slots=True)
class NamedInstance:
    """An instance by its UID, and by its InstanceNumber where it is held and has one."""

    sop_instance_uid: str
    number: str


@dataclass(frozen=True, slots=True)
class ReportedSeries:
    series: Series
    number: str
    counts: SliceCounts


@dataclass(frozen=True, slots=True)
class ReportedFinding:
    """A finding with the series it is about; None where it concerns the study."""

    finding: Finding
    words: CheckWords
    series: ReportedSeries | None
    instances: tuple[NamedInstance, ...]


@dataclass(frozen=True, slots=True)
class FindingsReport:
    """All findings of a study's present revision, the gravest first."""

    study: Study
    counts: SliceCounts
    series: tuple[ReportedSeries, ...]
    findings: tuple[ReportedFinding, ...]

    def number_of(self, severity: Severity) -> int:
        """How many findings are as grave as that."""
        return sum(one.finding.severity is severity for one in self.findings)


GRAVITY = (Severity.ERROR, Severity.WARNING, Severity.INFO)
NO_WORDS = CheckWords("", "")


def report_findings(
    study: Study, held: Sequence[tuple[Series, Sequence[Instance]]], findings: Sequence[Finding], words: Mapping[str, CheckWords]
) -> FindingsReport:
    """Compose it.

    Args:
        held: the study's series with their instances.
        findings: of the present revision.
        words: of each check, by kind.
    """
    named = {severity: {uid for one in findings if one.severity is severity for uid in one.instances} for severity in Severity}
    series = tuple(sorted((_report_series(one, instances, named) for one, instances in held), key=_by_number))
    by_id = {one.series.id: one for one in series}
    numbers = {instance.sop_instance_uid: _number(instance.attributes, "InstanceNumber") for _, all_ in held for instance in all_}
    reported = [
        ReportedFinding(
            finding,
            words.get(finding.check, NO_WORDS),
            by_id.get(finding.series_id),
            _named(finding.instances, numbers),
        )
        for finding in findings
    ]
    reported.sort(key=lambda one: GRAVITY.index(one.finding.severity))
    return FindingsReport(study, _sum([one.counts for one in series]), series, tuple(reported))


def _named(uids: Sequence[str], numbers: Mapping[str, str]) -> tuple[NamedInstance, ...]:
    """In the order of their numbers, as a person looks them up; those without one last."""
    named = [NamedInstance(uid, numbers.get(uid, "")) for uid in uids]
    return tuple(sorted(named, key=lambda one: (not one.number, len(one.number), one.number)))


def _report_series(one: Series, instances: Sequence[Instance], named: Mapping[Severity, set[str]]) -> ReportedSeries:
    uids = {instance.sop_instance_uid for instance in instances}
    invalid = uids & named[Severity.ERROR]
    doubtful = (uids & named[Severity.WARNING]) - invalid
    counts = SliceCounts(len(uids) - len(invalid) - len(doubtful), len(doubtful), len(invalid))
    return ReportedSeries(one, _number(one.attributes, "SeriesNumber"), counts)


def _number(attributes: Mapping[str, Any], keyword: str) -> str:
    value = attributes.get(keyword)
    return "" if value is None else str(value)


def _by_number(one: ReportedSeries) -> tuple[int, str, int]:
    return len(one.number), one.number, one.series.key


def _sum(counts: Sequence[SliceCounts]) -> SliceCounts:
    return SliceCounts(sum(one.valid for one in counts), sum(one.doubtful for one in counts), sum(one.invalid for one in counts))
