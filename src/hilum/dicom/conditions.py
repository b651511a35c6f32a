"""When attributes of types 1C and 2C must be there (PS3.5 7.4.2, 7.4.4), where that hangs on one other attribute of the image.

PS3.3 states conditions as prose, and the tables that `iods.py` reads have none; these are written down by hand, with their clauses.
"""

from collections.abc import Mapping
from typing import NamedTuple


class When(NamedTuple):
    """An attribute that must be there.

    Args:
        keyword: of the attribute.
        asked: keyword of the attribute on which it hangs.
        values: one of its values is among these; empty: it has a value.
        unless: keyword of an attribute whose presence lifts the condition.
    """

    keyword: str
    asked: str
    values: frozenset[str] = frozenset()
    unless: str = ""


_PALETTE = frozenset({"PALETTE COLOR"})
_CT_AND_MR = frozenset({"1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"})

CONDITIONS: Mapping[str, tuple[When, ...]] = {
    # PS3.3 C.7.3.1
    "general-series": (When("PatientPosition", "SOPClassUID", _CT_AND_MR, unless="PatientOrientationCodeSequence"),),
    # PS3.3 C.7.6.3
    "image-pixel": (
        When("PlanarConfiguration", "SamplesPerPixel", frozenset({"2", "3", "4"})),
        When("RedPaletteColorLookupTableDescriptor", "PhotometricInterpretation", _PALETTE),
        When("GreenPaletteColorLookupTableDescriptor", "PhotometricInterpretation", _PALETTE),
        When("BluePaletteColorLookupTableDescriptor", "PhotometricInterpretation", _PALETTE),
    ),
    # PS3.3 C.8.3.1
    "mr-image": (When("InversionTime", "ScanningSequence", frozenset({"IR"})),),
    # PS3.3 C.11.2
    "voi-lut": (When("WindowWidth", "WindowCenter"),),
}
"""Module -> its conditions."""
