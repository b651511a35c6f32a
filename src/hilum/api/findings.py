"""Findings as JSON: the same as the report that people read."""

from pydantic import BaseModel, Field

from hilum.model.findings_report import FindingsReport, ReportedFinding, ReportedSeries, SliceCounts


class FindingShape(BaseModel):
    """What a check saw.

    Args:
        meaning, mend: what a finding of this check means, and what a person can do about it.
        numbers: InstanceNumber of each of `instances`, "" where it has none.
    """

    check: str = Field(examples=["missing-slices"])
    severity: str
    sentence: str
    meaning: str
    mend: str
    template: str | None
    series: str | None
    instances: list[str]
    numbers: list[str]


class CountsShape(BaseModel):
    """Slices that an error names are invalid, those that a warning names doubtful, the others valid."""

    instances: int
    valid: int
    doubtful: int
    invalid: int


class CountedSeriesShape(BaseModel):
    id: str
    number: str
    modality: str
    description: str
    counts: CountsShape


class FindingsShape(BaseModel):
    """A list that has one page only, with the counts beside it."""

    study: str
    revision: int
    counts: CountsShape
    series: list[CountedSeriesShape]
    items: list[FindingShape]
    next: None = None


def shape_findings(report: FindingsReport) -> FindingsShape:
    return FindingsShape(
        study=report.study.id,
        revision=report.study.revision,
        counts=_shape_counts(report.counts),
        series=[_shape_series(one) for one in report.series],
        items=[_shape_finding(one) for one in report.findings],
    )


def _shape_counts(counts: SliceCounts) -> CountsShape:
    return CountsShape(instances=counts.instances, valid=counts.valid, doubtful=counts.doubtful, invalid=counts.invalid)


def _shape_series(one: ReportedSeries) -> CountedSeriesShape:
    series = one.series
    return CountedSeriesShape(
        id=series.id, number=one.number, modality=series.modality, description=series.description, counts=_shape_counts(one.counts)
    )


def _shape_finding(one: ReportedFinding) -> FindingShape:
    finding = one.finding
    return FindingShape(
        check=finding.check,
        severity=finding.severity,
        sentence=finding.sentence,
        meaning=one.words.meaning,
        mend=one.words.mend,
        template=finding.template or None,
        series=finding.series_id or None,
        instances=list(finding.instances),
        numbers=[instance.number for instance in one.instances],
    )
