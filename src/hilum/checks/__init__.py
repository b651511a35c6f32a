"""Checks: what is looked at before a study is matched. One file a member.

The whole of a member (its file is `checks/single_frame.py`, its kind the same words with hyphens):

    kind = "single-frame"
    severity = Severity.WARNING
    for_template = False                      # True: run once for every candidate template, which is `subject.template`

    def check(subject: Subject) -> Iterator[Finding]:
        for one in subject.series:
            if len(one.instances) == 1:
                yield Finding(kind, severity, f"There is a single image in {called(one.series)}.", series_id=one.series.id)

A finding's sentence says what is wrong and, where somebody can do something, what. A template may give a check another severity.
"""

from dataclasses import dataclass
from functools import cached_property

from hilum.dicom.geometry import Slice, slice_from
from hilum.model.judging import Operators
from hilum.model.records import Instance, Series, SetAsideMember, Study
from hilum.model.templates import Template


@dataclass(frozen=True)
class CheckedSeries:
    """A series with its instances."""

    series: Series
    instances: tuple[Instance, ...]

    @cached_property
    def slices(self) -> tuple[Slice, ...]:
        """What geometry needs of each instance; the key is its SOP Instance UID."""
        return tuple(slice_from(instance.attributes, instance.sop_instance_uid) for instance in self.instances)


@dataclass(frozen=True)
class Subject:
    """What a check sees.

    Args:
        conflicts: what arrived for this study and clashes with what it holds.
        template: the candidate template; None for checks that need none.
        operators: for rules.
    """

    study: Study
    series: tuple[CheckedSeries, ...]
    conflicts: tuple[SetAsideMember, ...]
    operators: Operators
    template: Template | None = None
