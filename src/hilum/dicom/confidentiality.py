"""PS3.15 Annex E: the Basic Application Level Confidentiality Profile, its options, and what they ask of each attribute.

    >>> row = row_of(0x00080080)                      # Institution Name
    >>> code_of(row, frozenset())
    'X/Z/D'
    >>> resolve("X/Z/D", Need.EMPTY_ALLOWED)
    <Demand.EMPTY: 'Z'>

The table (`confidentiality.json`, made by `tables/convert_confidentiality.py`) has the rows of edition 2025a with all option
columns, and the rows that edition 2026c has more; of these only the Basic Profile is known, so no option changes them.
"""

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import lru_cache
from importlib import resources


class Option(StrEnum):
    """The options of PS3.15 E.3."""

    CLEAN_PIXEL_DATA = "clean-pixel-data"
    CLEAN_RECOGNIZABLE_VISUAL_FEATURES = "clean-recognizable-visual-features"
    CLEAN_GRAPHICS = "clean-graphics"
    CLEAN_STRUCTURED_CONTENT = "clean-structured-content"
    CLEAN_DESCRIPTORS = "clean-descriptors"
    RETAIN_FULL_DATES = "retain-full-dates"
    RETAIN_MODIFIED_DATES = "retain-modified-dates"
    RETAIN_PATIENT_CHARACTERISTICS = "retain-patient-characteristics"
    RETAIN_DEVICE_IDENTITY = "retain-device-identity"
    RETAIN_UIDS = "retain-uids"
    RETAIN_SAFE_PRIVATE = "retain-safe-private"
    RETAIN_INSTITUTION_IDENTITY = "retain-institution-identity"


@dataclass(frozen=True, slots=True)
class Method:
    """A code of CID 7050 in the coding scheme DCM (PS3.16)."""

    value: str
    meaning: str


BASIC_PROFILE = Method("113100", "Basic Application Confidentiality Profile")

METHODS: Mapping[Option, Method] = {
    Option.CLEAN_PIXEL_DATA: Method("113101", "Clean Pixel Data Option"),
    Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES: Method("113102", "Clean Recognizable Visual Features Option"),
    Option.CLEAN_GRAPHICS: Method("113103", "Clean Graphics Option"),
    Option.CLEAN_STRUCTURED_CONTENT: Method("113104", "Clean Structured Content Option"),
    Option.CLEAN_DESCRIPTORS: Method("113105", "Clean Descriptors Option"),
    Option.RETAIN_FULL_DATES: Method("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    Option.RETAIN_MODIFIED_DATES: Method("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    Option.RETAIN_PATIENT_CHARACTERISTICS: Method("113108", "Retain Patient Characteristics Option"),
    Option.RETAIN_DEVICE_IDENTITY: Method("113109", "Retain Device Identity Option"),
    Option.RETAIN_UIDS: Method("113110", "Retain UIDs Option"),
    Option.RETAIN_SAFE_PRIVATE: Method("113111", "Retain Safe Private Option"),
    Option.RETAIN_INSTITUTION_IDENTITY: Method("113112", "Retain Institution Identity Option"),
}


class Demand(Enum):
    """What is to be done, once it is decided (PS3.15 E.1.1, the legend of Table E.1-1)."""

    REMOVE = "X"
    EMPTY = "Z"
    DUMMY = "D"
    REPLACE_UID = "U"
    KEEP = "K"
    CLEAN = "C"


class Need(Enum):
    """What an IOD needs of an attribute (PS3.5 7.4). A conditional one that is there is taken to be needed: its condition may hold."""

    VALUE = "1"
    EMPTY_ALLOWED = "2"
    NOTHING = "3"

    @classmethod
    def of_type(cls, type_: str) -> "Need":
        """The need behind Type 1, 1C, 2, 2C or 3."""
        return cls(type_[:1])


@dataclass(frozen=True, slots=True)
class Row:
    """One row of Table E.1-1.

    Args:
        tag: eight hexadecimal digits, `x` for any digit; "private" for all private attributes.
        basic: the code of the Basic Profile, such as `X/Z/D`.
        options: K (keep) or C (clean) where an option says otherwise.
        edition: of the standard, whose row it is.
    """

    tag: str
    name: str
    basic: str
    options: Mapping[Option, str]
    edition: str


@dataclass(frozen=True, slots=True)
class Table:
    """Table E.1-1: rows by tag, and those for repeating groups and private attributes by pattern."""

    edition: str
    edition_of_new_rows: str
    rows: tuple[Row, ...]
    by_tag: Mapping[int, Row]
    by_pattern: Mapping[str, Row]


@lru_cache(maxsize=1)
def table() -> Table:
    """The table that comes with the product."""
    read = json.loads((resources.files("hilum.dicom") / "confidentiality.json").read_text(encoding="utf-8"))
    rows = tuple(
        Row(
            row["tag"],
            row["name"],
            row["basic"],
            {Option(name): code for name, code in row.get("options", {}).items()},
            row.get("edition", read["edition"]),
        )
        for row in read["rows"]
    )
    patterns = {row.tag: row for row in rows if "x" in row.tag or row.tag == "private"}
    by_tag = {int(row.tag, 16): row for row in rows if row.tag not in patterns}
    return Table(read["edition"], read["edition_of_new_rows"], rows, by_tag, patterns)


def row_of(tag: int) -> Row | None:
    """The row for a tag; None where the table does not know it."""
    found = table().by_tag.get(tag)
    if found is not None:
        return found
    group = tag >> 16
    if group & 1:
        return table().by_pattern["private"]
    if group & 0xFF00 == 0x5000:
        return table().by_pattern["50xxxxxx"]
    if group & 0xFF00 == 0x6000:  # PS3.5 7.6: the repeating groups of overlays
        return table().by_pattern.get(f"60xx{tag & 0xFFFF:04x}")
    return None


def code_of(row: Row, options: Set[Option]) -> str:
    """The code that a row gets with some options. Of two that speak of it, the one that cleans wins over the one that keeps."""
    codes = {code for option, code in row.options.items() if option in options}
    for code in ("C", "K"):
        if code in codes:
            return code
    return row.basic


# What each code means for an attribute that may be missing, may be empty, or needs a value. PS3.15 E.1.1 makes the conditional codes depend
# on the Type. Where the code alone would make the object invalid (X for Type 1 or 2, Z for Type 1) the next milder one that
# hides the value is taken: PS3.15 E.1 wants conformance to the IOD kept. Of X/Z/U*, the
# replacing of UIDs is taken whatever the Type: without the sequence, what else refers to the same series would be wrong (PS3.3 C.12.2).
_RESOLVED: Mapping[str, tuple[Demand, Demand, Demand]] = {
    "X": (Demand.REMOVE, Demand.EMPTY, Demand.DUMMY),
    "Z": (Demand.EMPTY, Demand.EMPTY, Demand.DUMMY),
    "D": (Demand.DUMMY, Demand.DUMMY, Demand.DUMMY),
    "U": (Demand.REPLACE_UID, Demand.REPLACE_UID, Demand.REPLACE_UID),
    "K": (Demand.KEEP, Demand.KEEP, Demand.KEEP),
    "C": (Demand.CLEAN, Demand.CLEAN, Demand.CLEAN),
    "X/Z": (Demand.REMOVE, Demand.EMPTY, Demand.DUMMY),
    "X/D": (Demand.REMOVE, Demand.DUMMY, Demand.DUMMY),
    "Z/D": (Demand.EMPTY, Demand.EMPTY, Demand.DUMMY),
    "X/Z/D": (Demand.REMOVE, Demand.EMPTY, Demand.DUMMY),
    "X/Z/U*": (Demand.REPLACE_UID, Demand.REPLACE_UID, Demand.REPLACE_UID),
}
_ORDER = (Need.NOTHING, Need.EMPTY_ALLOWED, Need.VALUE)


def resolve(code: str, need: Need) -> Demand:
    """What a code demands of an attribute, given what the IOD needs of it."""
    return _RESOLVED[code][_ORDER.index(need)]
