"""Values that are valid for their Value Representation (PS3.5 6.2), of every standard attribute, in sequences too.

Dates and times are `real-dates`, UIDs are `valid-uids`.
"""

from collections.abc import Iterator

from hilum.checks import Content
from hilum.dicom.validity import raw_invalidity
from hilum.model.outcomes import Severity

kind = "valid-values"
severity = Severity.INFO
meaning = "Values break the rules of their Value Representation; many makers do so, and strict readers refuse such files."
mend = "Nothing is needed as long as the processors take them; else tell the maker, or raise the severity of this check in the template."

ELSEWHERE = frozenset({"DA", "DT", "TM", "UI"})


def judge(content: Content) -> Iterator[str]:
    """One trouble an attribute; values are not told."""
    for leaf in content.header.leaves():
        if leaf.content and leaf.vr not in ELSEWHERE and not leaf.tag >> 16 & 1:
            trouble = raw_invalidity(leaf.vr, leaf.content, leaf.character_set)
            if trouble:
                yield f"{leaf.path} {trouble}"
