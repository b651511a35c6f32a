"""Text that can be read in the character set it is said to be in (PS3.3 C.12.1.1.2)."""

from hilum.dicom.elements import SPECIFIC_CHARACTER_SET
from hilum.dicom.headers import Leaf
from hilum.dicom.validity import undecodable, unknown_character_sets
from hilum.model.outcomes import Severity

kind = "character-sets"
severity = Severity.WARNING
meaning = "Names and descriptions may be shown with wrong characters, and are not found by their right spelling."
mend = "Set the character set at the modality or the sender, and send the study again; the bytes here are kept as they came."

IN_CHARACTER_SET = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})


def judge_value(value: Leaf) -> str:
    """Values are not told."""
    if value.tag == SPECIFIC_CHARACTER_SET and value.content:
        unknown = unknown_character_sets(value.content.decode("latin-1").strip(" \0").split("\\"))
        return f"SpecificCharacterSet names {unknown[0][:16]!r}, which PS3.3 C.12.1.1.2 does not define" if unknown else ""
    if not value.content or value.vr not in IN_CHARACTER_SET:
        return ""
    trouble = undecodable(value.content, value.character_set)
    return trouble and f"{value.path} {trouble}"
