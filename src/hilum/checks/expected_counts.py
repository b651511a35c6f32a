"""Fewer instances than somebody who knows has announced: the sender in its upload's metadata, or a PACS that was asked."""

from collections.abc import Iterator

from hilum.checks import Subject
from hilum.dicom.geometry import missing_from
from hilum.model.outcomes import Finding, Severity
from hilum.model.roles import called
from hilum.model.words import count

kind = "expected-counts"
severity = Severity.ERROR
meaning = "The study or series has fewer instances than were announced for it, or a series that was announced did not come at all."
mend = "Send what is missing, or let it go on as it is."
for_template = False


def check(subject: Subject) -> Iterator[Finding]:
    """One finding a UID. A series whose slices geometry can name is left to `missing-slices`."""
    here = {one.series.series_instance_uid: one for one in subject.series}
    for uid, expected in subject.expected.items():
        one = here.get(uid)
        if one is not None:
            if len(one.instances) < expected and not missing_from(one.volumes, expected):
                yield Finding(kind, severity, _sentence(called(one.series), len(one.instances), expected), series_id=one.series.id)
        elif uid == subject.study.study_instance_uid:
            if subject.study.number_of_instances < expected:
                yield Finding(kind, severity, _sentence("the study", subject.study.number_of_instances, expected))
        elif expected > 0:
            yield Finding(kind, severity, f"The series {uid} was announced with {count(expected, 'instance')}, and none came. {mend}")


def _sentence(name: str, here: int, expected: int) -> str:
    return f"{name[0].upper()}{name[1:]} was announced with {count(expected, 'instance')}, and {here} came. {mend}"
