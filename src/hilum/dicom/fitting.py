"""Which VRs an object may write an attribute with, beside the one of PS3.6, and as which its value is then judged."""

from functools import lru_cache

from hilum.dicom.encoding import Encoding

# VRs that stand for one another in real objects without harm: editions changed them, and PS3.5 A.1 leaves some open. Bytes stand for no
# number that PS3.6 does not let them stand for: nobody would look for text there.
_FAMILIES = (
    frozenset({"LO", "SH", "LT", "ST", "UT", "UC", "PN", "CS", "AE", "UR"}),
    frozenset({"DS", "IS"}),
    frozenset({"US", "SS", "UL", "SL"}),
    frozenset({"OB", "OW", "OF", "OD", "OL", "OV"}),
    frozenset({"FL", "FD", "OF", "OD"}),
)

_BYTES_OF_A_NUMBER = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "AT": 4, "FD": 8, "SV": 8, "UV": 8}

# PS3.5 A.1: what PS3.6 leaves open, where the object is implicit and its items are written with a VR.
WRITTEN_AS = {"US or SS": "US", "OB or OW": "OW", "US or OW": "OW", "US or SS or OW": "OW"}


def fits(vr: str, wanted: str) -> bool:
    """Whether an attribute whose VR by PS3.6 is `wanted` (`US or SS`, say) may be written with `vr`."""
    known = wanted.split(" or ")
    return vr == wanted or vr in known or any(vr in family and not family.isdisjoint(known) for family in _FAMILIES)


def fitting(vr: str, wanted: str, encoding: Encoding) -> str:
    """The VR to go on with where the object's differs from PS3.6's; "" where its value can be no value of the attribute.

    A code is judged as one whatever VR it was written with: a text would be kept for whatever it says.
    """
    if vr == "UN":  # PS3.5 6.2.2: little endian whatever the data set is
        return "" if " or " in wanted or encoding.big_endian else wanted
    if not fits(vr, wanted):
        return ""
    return wanted if wanted == "CS" else vr


@lru_cache(maxsize=8192)
def most_bytes(tag: int, vr: str, wanted: str) -> int | None:
    """How long the value of an attribute of binary numbers can be by its VM in PS3.6; None where that sets no end, or it holds none.

    Where one number belongs, eight letters are as many bytes as four of them.
    """
    size = _BYTES_OF_A_NUMBER.get(vr[:2]) or _BYTES_OF_A_NUMBER.get(wanted[:2])  # of `US or SS` either
    if size is None or tag >> 16 & 1 or any(known.startswith("O") for known in wanted.split(" or ")):
        return None
    from pydicom.datadict import dictionary_VM

    try:
        most = dictionary_VM(tag).rpartition("-")[2]
    except KeyError:
        return None
    return int(most) * size if most.isdecimal() else None
