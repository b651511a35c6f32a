"""What could say who the patient is is taken out of a text, and the rest is kept.

Taken out are this patient's names, numbers and addresses, the names of the staff in the same object, dates, phone numbers, e-mail and
web addresses; UIDs become those that stand for them.

{"attribute": "SeriesDescription", "action": "clean-text"}
"""

from hilum.actions import NoSettings, Occurrence, Subject
from hilum.dicom.attributes import CHARACTER_SET_VRS
from hilum.dicom.characters import UndecodableError, decode_strictly, encode_strictly

kind = "clean-text"
example = {"attribute": "SeriesDescription", "action": "clean-text"}
Settings = NoSettings

# PS3.5 6.2: the most characters of a value; of the others there are always enough.
_LONGEST = {"SH": 16, "LO": 64, "CS": 16, "AE": 16, "PN": 64, "ST": 1024, "LT": 10240}


def act(occurrence: Occurrence, subject: Subject, settings: NoSettings) -> bytes | None:  # noqa: ARG001 - the actions' contract
    """The cleaned text; None where its characters cannot be read, so that nobody knows what it says."""
    character_set = occurrence.character_set if occurrence.vr in CHARACTER_SET_VRS else ""
    try:
        text = decode_strictly(occurrence.value, character_set)
        cleaned = _clean(text, occurrence.vr, subject)
        return occurrence.value if cleaned == text else encode_strictly(cleaned, character_set)
    except UndecodableError:
        return None


def _clean(text: str, vr: str, subject: Subject) -> str:
    """Each value by itself, so that their number stays."""
    several = vr not in {"LT", "ST", "UT", "UR"}
    cleaned = []
    for value in text.split("\\") if several else [text]:
        new = subject.clean(value)
        cleaned.append(value if new == value else new[: _LONGEST.get(vr)].rstrip())
    return "\\".join(cleaned)
