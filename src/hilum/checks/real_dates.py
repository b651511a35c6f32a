"""Dates and times that exist (PS3.5 6.2: DA, TM, DT)."""

from collections.abc import Iterator

from hilum.checks import Content
from hilum.dicom.validity import raw_invalidity
from hilum.model.outcomes import Severity

kind = "real-dates"
severity = Severity.WARNING
meaning = "A date or time is none: ages, intervals and the order of studies cannot be computed from it, nor can it be shifted."
mend = "Correct it at the sender and send the study again, or let it go on if nothing depends on it."

TIMES = frozenset({"DA", "DT", "TM"})


def judge(content: Content) -> Iterator[str]:
    """One trouble an attribute; values are not told."""
    for leaf in content.header.leaves():
        if leaf.content and leaf.vr in TIMES and not leaf.tag >> 16 & 1:
            trouble = raw_invalidity(leaf.vr, leaf.content, "")
            if trouble:
                yield f"{leaf.path} {trouble}"
