"""Text that can be read in the character set it is said to be in (PS3.3 C.12.1.1.2)."""

from collections.abc import Iterator

from hilum.checks import Content
from hilum.dicom.validity import undecodable, unknown_character_sets
from hilum.model.outcomes import Severity

kind = "character-sets"
severity = Severity.WARNING
meaning = "Names and descriptions may be shown with wrong characters, and are not found by their right spelling."
mend = "Set the character set at the modality or the sender, and send the study again; the bytes here are kept as they came."

IN_CHARACTER_SET = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})


def judge(content: Content) -> Iterator[str]:
    """One trouble an attribute; values are not told."""
    terms = (content.header.text("SpecificCharacterSet") or "").split("\\")
    for term in unknown_character_sets(terms):
        yield f"SpecificCharacterSet names {term[:16]!r}, which PS3.3 C.12.1.1.2 does not define"
    for leaf in content.header.leaves():
        if leaf.vr in IN_CHARACTER_SET and leaf.content and (trouble := undecodable(leaf.content, leaf.character_set)):
            yield f"{leaf.path} {trouble}"
