"""UIDs that are valid (PS3.5 9.1), and that name one thing each.

An instance whose own UIDs are missing or invalid never comes so far: importing sets it aside.
"""

from collections.abc import Iterator
from itertools import combinations

from hilum.checks import Content
from hilum.dicom.validity import raw_invalidity
from hilum.model.outcomes import Severity

kind = "valid-uids"
severity = Severity.WARNING
meaning = "An identifier is not valid, or names two different things: references to it may be refused or lead to the wrong object."
mend = "Ask the maker of the device or converter that wrote it; the bytes here are kept as they came."

OWN = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")


def judge(content: Content) -> Iterator[str]:
    """One trouble an attribute, or a pair of them."""
    header = content.header
    for leaf in header.leaves():
        if leaf.content and leaf.vr == "UI" and not leaf.tag >> 16 & 1:
            trouble = raw_invalidity("UI", leaf.content, "")
            if trouble:
                yield f"{leaf.path} {trouble}"
    named = {keyword: header.text(keyword) for keyword in OWN}
    for one, other in combinations(OWN, 2):
        if named[one] and named[one] == named[other]:
            yield f"{one} and {other} are the same UID"
    meta = header.recognition.media_storage_sop_instance_uid
    if meta and named["SOPInstanceUID"] and meta != named["SOPInstanceUID"]:
        yield "SOPInstanceUID is not the one in the File Meta Information (PS3.10 7.1)"
