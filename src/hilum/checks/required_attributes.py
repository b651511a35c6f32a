"""The attributes a template requires of its series: present, valid for their VR (PS3.5 6.2), of the set of values that it names."""

from collections.abc import Iterator
from typing import Any

from hilum.checks import CheckedSeries, Subject
from hilum.dicom.comparing import Comparable, comparable, folded, form_of
from hilum.dicom.validity import invalidity
from hilum.model.kept import attributes_of
from hilum.model.outcomes import Finding, Severity
from hilum.model.records import Instance
from hilum.model.roles import called, find_roles, judge_series
from hilum.model.templates import RequiredAttribute, Template
from hilum.model.wanted_values import vr_at

kind = "required-attributes"
severity = Severity.ERROR
meaning = "The report type needs an attribute of its series that is missing, empty or not valid."
mend = "Correct it at the modality or the sender and send the study again, or choose another report type."
for_template = True


def check(subject: Subject) -> Iterator[Finding]:
    """One finding a series and attribute."""
    if subject.template is None:
        return
    wanted = _inputs(subject, subject.template)
    for one in subject.series:
        if one.series.id in wanted:
            for required in subject.template.required_attributes:
                yield from _judge(one, required, subject.template.name)


def _inputs(subject: Subject, template: Template) -> set[str]:
    """The series that the template would take: those in its roles, or all that its rule fits."""
    series = [one.series for one in subject.series]
    if template.required_series:
        return {search.chosen.id for search in find_roles(template.required_series, series, subject.operators) if search.chosen is not None}
    return {one.series.id for one in judge_series(template, series, subject.operators) if one.holds}


def _judge(one: CheckedSeries, required: RequiredAttribute, template: str) -> Iterator[Finding]:
    troubles: dict[str, list[str]] = {}
    wanted = _Wanted(required)
    for instance in one.instances:
        trouble = wanted.trouble_of(_value(one, instance, required))
        if trouble:
            troubles.setdefault(trouble, []).append(instance.sop_instance_uid)
    for trouble, uids in troubles.items():
        share = "all" if len(uids) == len(one.instances) else f"{len(uids)} of {len(one.instances)}"
        sentence = f"{required.attribute} {trouble} in {share} instances of {called(one.series)}, and {template} needs it."
        yield Finding(kind, required.severity, sentence, template=template, series_id=one.series.id, instances=tuple(uids))


def _value(one: CheckedSeries, instance: Instance, required: RequiredAttribute) -> Any:
    """What the catalogue keeps of an instance; of an attribute that was named after it came, what its header has."""
    path = required.attribute
    if path not in one.series.unread or one.headers is None:
        return instance.attributes.get(path)
    return attributes_of(one.headers(instance.stored), (path,), {path: required.vr} if required.vr else {}).get(path)


class _Wanted:
    """A required attribute before the values of instances."""

    def __init__(self, required: RequiredAttribute) -> None:
        self._vr = vr_at(required.attribute, required.vr)
        self._kind = form_of(self._vr).kind
        self._told = ", ".join(map(str, required.values))
        self._values = {self._as_compared(one) for one in required.values} - {None}

    def trouble_of(self, value: Any) -> str:
        """What is wrong with the value of one instance, as the end of a sentence; empty where nothing is."""
        if value is None or value in ("", []):
            return "is missing"
        values = value if isinstance(value, list) else [value]
        if self._told and not all(self._as_compared(one) in self._values for one in values):
            return f"is none of {self._told}"
        return invalidity(self._vr, value)

    def _as_compared(self, value: Any) -> Comparable | None:
        found = comparable(self._kind, value)
        return None if found is None else folded(found)
