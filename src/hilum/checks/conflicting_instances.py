"""Instances that arrived again with another data set, or for another patient: they were set aside, nothing was overwritten."""

from collections.abc import Iterator

from hilum.checks import Subject
from hilum.model.outcomes import Finding, Severity

kind = "conflicting-instances"
severity = Severity.ERROR
meaning = "What arrived bears the UID of something that is held with other bytes or for another patient; nothing was overwritten."
mend = "Look at them with GET /set-aside; delete them there, or let the study go on as it is."
for_template = False

SHOWN = 5


def check(subject: Subject) -> Iterator[Finding]:
    """One finding for all of them."""
    if not subject.conflicts:
        return
    reasons = " ".join(one.reason for one in subject.conflicts[:SHOWN])
    more = f" And {len(subject.conflicts) - SHOWN} more." if len(subject.conflicts) > SHOWN else ""
    yield Finding(kind, severity, f"{reasons}{more} {mend}")
