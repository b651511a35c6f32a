"""Instances that arrived again with another data set, or for another patient: they were set aside, nothing was overwritten."""

from collections import Counter
from collections.abc import Iterator

from hilum.checks import Subject
from hilum.model.outcomes import Finding, Severity

kind = "conflicting-instances"
severity = Severity.ERROR
meaning = "What arrived bears the UID of something that is held with other bytes or for another patient; nothing was overwritten."
mend = "Look at them with `hilum set-aside list` and ask their sender whose they are; what is held is whole without them."
for_template = False

SHOWN = 5


def check(subject: Subject) -> Iterator[Finding]:
    """One finding for all of them."""
    if not subject.conflicts:
        return
    reasons = Counter(one.reason for one in subject.conflicts)
    told = " ".join(reason if number == 1 else f"{reason} So it is with {number} files." for reason, number in reasons.most_common(SHOWN))
    left = sum(number for _, number in reasons.most_common()[SHOWN:])
    more = f" And {left} more." if left else ""
    yield Finding(kind, severity, f"{told}{more} {mend}", statements=tuple(reasons))
