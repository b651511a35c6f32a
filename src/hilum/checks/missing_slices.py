"""Slices that are missing from a volume, by geometry (PS3.3 C.7.6.2): position along the normal, spacing, numbering.

Volumes that share a series (echoes, b-values, time points, orientations) are told apart before gaps are judged.
"""

from collections.abc import Iterator

from hilum.checks import CheckedSeries, Subject
from hilum.dicom.geometry import Gap, missing_slices
from hilum.model.outcomes import Finding, Severity
from hilum.model.roles import called

kind = "missing-slices"
severity = Severity.ERROR
for_template = False


def check(subject: Subject) -> Iterator[Finding]:
    """One finding a series that misses slices."""
    for one in subject.series:
        gaps = missing_slices(one.slices)
        if gaps:
            yield Finding(kind, severity, _sentence(one, gaps), series_id=one.series.id)


def _sentence(one: CheckedSeries, gaps: list[Gap]) -> str:
    return " ".join(f"{_slices(gap)} missing in {_where(one, gap)}." for gap in gaps) + " Send what is missing, or let it go on as it is."


def _slices(gap: Gap) -> str:
    if not gap.numbers:
        return "1 slice is" if gap.count == 1 else f"{gap.count} slices are"
    if gap.count == 1:
        return f"Slice {gap.numbers[0]} is"
    return f"Slices {_listed(gap.numbers)} are"


def _where(one: CheckedSeries, gap: Gap) -> str:
    name = called(one.series)
    return name if gap.volume == "the series" else f"{gap.volume} of {name}"


def _listed(numbers: tuple[int, ...]) -> str:
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(str(number) for number in numbers[:-1]) + f" and {numbers[-1]}"
