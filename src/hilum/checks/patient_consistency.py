"""One study, one patient: what identifies the patient is the same in every image, and there at all.

Another Patient ID under one Study Instance UID never comes so far: importing sets it aside (`conflicting-instances`).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator

from hilum.checks import Subject
from hilum.model.outcomes import Finding, Severity
from hilum.model.records import Instance

kind = "patient-consistency"
severity = Severity.ERROR
meaning = "The images of one study do not agree whose they are, or do not say it: perhaps the images of two patients were mixed."
mend = "Compare the study with the sender's: if they are two persons, delete it and send each one's images again."
for_template = False


def _name(text: str) -> str:
    # PS3.5 6.2.1.1: empty components and case tell no persons apart; systems write one name in several ways.
    return re.sub(r"[\s^,]+", " ", text.split("=", maxsplit=1)[0]).strip().casefold()


# None of the values is told: a finding is read by those too who may not see identities.
_SAME: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("PatientID", str.strip),
    ("IssuerOfPatientID", str.strip),
    ("PatientName", _name),
    ("PatientBirthDate", str.strip),
    ("PatientSex", str.strip),
)


def check(subject: Subject) -> Iterator[Finding]:
    """One finding an attribute; it names the images that differ from the most frequent value. The last one tells what to do."""
    instances = [instance for one in subject.series for instance in one.instances]
    differing = list(_differing(instances))
    for place, (told, odd) in enumerate(differing, 1):
        yield Finding(kind, severity, f"{told} {mend}" if place == len(differing) else told, instances=odd)
    nameless = _uids([instance for instance in instances if not str(instance.attributes.get("PatientID", "")).strip()])
    if nameless:
        sentence = f"PatientID is empty in {len(nameless)} of {len(instances)} images: nobody can say whose they are."
        yield Finding(kind, Severity.WARNING, sentence, instances=nameless)


def _differing(instances: list[Instance]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for keyword, plain in _SAME:
        values = [(plain(str(instance.attributes.get(keyword, ""))), instance) for instance in instances]
        counts = Counter(value for value, _ in values if value)
        if len(counts) > 1:
            usual = counts.most_common(1)[0][0]
            odd = _uids([instance for value, instance in values if value not in ("", usual)])
            differ = f"{len(odd)} of {len(instances)} images differ from the others"
            yield f"{keyword} has {len(counts)} different values in this study; {differ}.", odd


def _uids(instances: list[Instance]) -> tuple[str, ...]:
    return tuple(instance.sop_instance_uid for instance in instances)
