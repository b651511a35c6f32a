"""A text becomes 16 characters that stand for it in the project: the same for the same, and not to be undone without the project's key.

{"attribute": "AccessionNumber", "action": "hash"}
"""

from hilum.actions import NoSettings, Occurrence, Subject
from hilum.dicom.attributes import decode

kind = "hash"
example = {"attribute": "AccessionNumber", "action": "hash"}
Settings = NoSettings

_TEXTS = frozenset({"LO", "SH", "PN", "ST", "LT", "UT", "UC", "CS", "AE"})


def act(occurrence: Occurrence, subject: Subject, settings: NoSettings) -> bytes | None:  # noqa: ARG001 - the actions' contract
    """The pseudonym of each value; None for a VR that has no room for it."""
    if occurrence.vr not in _TEXTS:
        return None
    texts = map(str, decode(occurrence.vr, occurrence.value, occurrence.character_set))
    return "\\".join(subject.pseudonym(text) if text else "" for text in texts).encode("ascii")
