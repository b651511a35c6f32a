"""Values that are valid for their Value Representation (PS3.5 6.2), of every standard attribute, in sequences too.

Dates and times are `real-dates`, UIDs are `valid-uids`.
"""

from hilum.dicom.headers import Leaf
from hilum.dicom.validity import raw_invalidity
from hilum.model.outcomes import Severity

kind = "valid-values"
severity = Severity.INFO
meaning = "Values break the rules of their Value Representation; many makers do so, and strict readers refuse such files."
mend = "Nothing is needed as long as the processors take them; else tell the maker, or raise the severity of this check in the template."

ELSEWHERE = frozenset({"DA", "DT", "TM", "UI"})


def judge_value(value: Leaf) -> str:
    """Values are not told."""
    if not value.content or value.vr in ELSEWHERE or value.tag >> 16 & 1:
        return ""
    trouble = raw_invalidity(value.vr, value.content, value.character_set)
    return trouble and f"{value.path} {trouble}"
