"""Dates and times that exist (PS3.5 6.2: DA, TM, DT)."""

from hilum.dicom.headers import Leaf
from hilum.dicom.validity import raw_invalidity
from hilum.model.outcomes import Severity

kind = "real-dates"
severity = Severity.WARNING
meaning = "A date or time is none: ages, intervals and the order of studies cannot be computed from it, nor can it be shifted."
mend = "Correct it at the sender and send the study again, or let it go on if nothing depends on it."

TIMES = frozenset({"DA", "DT", "TM"})


def judge_value(value: Leaf) -> str:
    """Values are not told."""
    if not value.content or value.vr not in TIMES or value.tag >> 16 & 1:
        return ""
    trouble = raw_invalidity(value.vr, value.content, "")
    return trouble and f"{value.path} {trouble}"
