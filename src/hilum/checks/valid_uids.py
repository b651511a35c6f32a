"""UIDs that are valid (PS3.5 9.1), and that name one thing each.

An instance whose own UIDs are missing or invalid never comes so far: importing sets it aside.
"""

from collections.abc import Iterator
from itertools import combinations

from hilum.checks import Content
from hilum.dicom.headers import Leaf
from hilum.dicom.validity import raw_invalidity
from hilum.model.outcomes import Severity

kind = "valid-uids"
severity = Severity.WARNING
meaning = "An identifier is not valid, or names two different things: references to it may be refused or lead to the wrong object."
mend = "Ask the maker of the device or converter that wrote it; the bytes here are kept as they came."

OWN = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


def judge_value(value: Leaf) -> str:
    """Standard attributes only."""
    if not value.content or value.vr != "UI" or value.tag >> 16 & 1:
        return ""
    trouble = raw_invalidity("UI", value.content, "")
    return trouble and f"{value.path} {trouble}"


def judge(content: Content) -> Iterator[str]:
    """One trouble a pair of UIDs."""
    header = content.header
    named = {keyword: header.text(keyword) for keyword in OWN}
    for one, other in combinations(OWN, 2):
        if named[one] and named[one] == named[other]:
            yield f"{one} and {other} are the same UID"
