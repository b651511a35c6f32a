"""Attributes: keyword and tag, paths into sequences, and values as Python text, numbers and dates by their VR.

Everyday attributes are looked up in a table of ours (everyday.py); pydicom's dictionary answers for all others.
"""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from functools import lru_cache

from hilum.dicom.everyday import EVERYDAY

Value = str | int | float

_TAG_OF = {keyword: tag for tag, (_, keyword) in EVERYDAY.items()}

_HEX_TAG = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)
_STEP = re.compile(
    r"(?:\((?P<group>[0-9A-Fa-f]{4}),(?P<element>[0-9A-Fa-f]{4})\)(?: (?P<creator>[^\[\]]+))?|(?P<name>[A-Za-z0-9]+))"
    r"(?:\[(?P<index>\*|[0-9]{1,6})\])?(?:\.(?!$)|$)",
    re.ASCII,
)


class UnknownAttributeError(ValueError):
    """What was asked for is no DICOM keyword, tag or path; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: a tag, the private creator it counts from, and the items meant (None: all of them)."""

    tag: int
    creator: str = ""
    index: int | None = 0


def tag_of(name: str) -> int:
    """The tag of a keyword or of a tag written as `PatientName`, `00100010` or `(0010,0010)`.

    Raises:
        UnknownAttributeError: neither the dictionary nor the notation is known.
    """
    known = _TAG_OF.get(name)
    return known if known is not None else parse_path(name)[-1].tag


def keyword_of(tag: int) -> str:
    """The keyword of a tag in PS3.6; "" where it has none of its own: private, unknown, or of a repeating group (50xx, 60xx)."""
    known = EVERYDAY.get(tag)
    if known:
        return known[1]
    if tag >> 16 & 1:
        return ""
    from pydicom._dicom_dict import DicomDictionary

    entry = DicomDictionary.get(tag)
    return str(entry[4]) if entry else ""


def name_of(tag: int) -> str:
    """What a person calls an attribute: `Pixel Data`, or `(0019,100C)` for what is not an everyday one."""
    known = EVERYDAY.get(tag)
    if known is None:
        return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", known[1])


def vr_of(tag: int, creator: str = "") -> str:
    """The VR of a tag by the dictionaries of PS3.6 and of private creators: `UN` where nobody says, `US or SS` where PS3.6 does."""
    known = EVERYDAY.get(tag)
    if known:
        return known[0]
    if tag >> 16 & 1:
        return _private_vr_of(tag, creator)
    from pydicom.datadict import dictionary_VR

    try:
        return str(dictionary_VR(tag))
    except KeyError:
        return "UL" if tag & 0xFFFF == 0 else "UN"  # PS3.5 7.2: (gggg,0000) is the length of its group


def _private_vr_of(tag: int, creator: str) -> str:
    if tag & 0xFFFF == 0:
        return "UL"
    if 0x10 <= tag & 0xFFFF <= 0xFF:  # PS3.5 7.8.1: private creators
        return "LO"
    if not creator:
        return "UN"
    from pydicom.datadict import private_dictionary_VR

    try:
        return str(private_dictionary_VR(tag, creator))
    except KeyError:
        return "UN"


@lru_cache(maxsize=4096)
def parse_path(path: str) -> tuple[Step, ...]:
    """The steps of `PatientName`, `00100010`, `(0010,0010)`, `A[*].B[0].C` or `(0019,100C) SIEMENS MR HEADER`.

    Items are counted from 0; `[*]` means all; a step without an index means the first item. A private tag with its creator names the
    element by its last two digits, in whatever block that creator has reserved (PS3.5 7.8.1): `(0019,100C)` and `(0019,110C)` are
    then the same. Where a private sequence is not the last step it needs an index, since a creator may contain a dot.

    Raises:
        UnknownAttributeError: the notation or a keyword is unknown.
    """
    steps: list[Step] = []
    at = 0
    while at < len(path) or not steps:
        found = _STEP.match(path, at)
        if found is None:
            raise UnknownAttributeError(f"{path!r} is not a keyword, a tag or a path of DICOM attributes.")
        steps.append(_step(found))
        at = found.end()
    return tuple(steps)


def _step(found: re.Match[str]) -> Step:
    index = found["index"]
    items = None if index == "*" else int(index or 0)
    if found["name"]:
        return Step(_tag_of_name(found["name"]), "", items)
    return Step(int(found["group"] + found["element"], 16), (found["creator"] or "").strip(), items)


def _tag_of_name(name: str) -> int:
    known = _TAG_OF.get(name)
    if known is not None:
        return known
    if _HEX_TAG.fullmatch(name):
        return int(name, 16)
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(name)
    if tag is None:
        raise UnknownAttributeError(f"{name!r} is not a keyword of the DICOM dictionary.")
    return int(tag)


# --- values ---------------------------------------------------------------------------------------------------------------------

# PS3.5 6.1.2.3: the VRs whose text is in the object's character set; and those that hold one value whatever backslashes it has.
CHARACTER_SET_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_SINGLE_VRS = frozenset({"LT", "ST", "UT", "UR"})
_LEADING_SPACE_COUNTS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UI", "UR", "UT", "DA", "DT", "TM", "AS"})
TEXT_VRS = _LEADING_SPACE_COUNTS | {"AE", "CS", "DS", "IS"}
_BINARY_VRS = {
    vr: (struct.Struct("<" + code), struct.Struct(">" + code))
    for vr, code in {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}.items()
}
ARRAY_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
BULK_VRS = ARRAY_VRS | {"UN"}

# PS3.3 C.12.1.1.2: the terms worth knowing without pydicom; without the attribute only ISO-IR 6 is allowed, and Latin-1 loses nothing.
_EVERYDAY_CHARACTER_SETS = {"": "latin-1", "ISO_IR 6": "latin-1", "ISO_IR 100": "latin-1", "ISO_IR 192": "utf-8"}
_ESCAPE = 0x1B
_LARGEST = 2**63  # what JSON readers and databases hold; also keeps infinities and NaN out


def decode(vr: str, raw: bytes, character_set: str = "", *, big_endian: bool = False) -> tuple[Value, ...]:
    """The values of one element: `str` for text, `int` or `float` for numbers, `GGGGEEEE` for AT.

    An empty value is `()`, an empty one among several is "". DS and IS that are no numbers stay text: what was sent is not hidden.
    A binary value whose length does not fit its VR, and bulk VRs, give `()`.

    Args:
        character_set: Specific Character Set (0008,0005) as stored, several values joined by backslashes.
    """
    if len(raw) <= _REMEMBERED_BYTES:
        return _decode_remembered(vr, raw, character_set, big_endian)
    return _decode(vr, raw, character_set, big_endian)


def _decode(vr: str, raw: bytes, character_set: str, big_endian: bool) -> tuple[Value, ...]:
    if vr in TEXT_VRS:
        return _decode_text(vr, raw, character_set)
    if vr == "AT":
        return _decode_tags(raw, big_endian)
    kind = _BINARY_VRS.get(vr)
    if kind is None:
        return ()
    one = kind[big_endian]
    if len(raw) == one.size:
        return one.unpack(raw)
    if len(raw) % one.size:
        return ()
    return tuple(value for (value,) in one.iter_unpack(raw))


# The instances of a series say most things alike.
_REMEMBERED_BYTES = 64
_decode_remembered = lru_cache(maxsize=4096)(_decode)


def _decode_tags(raw: bytes, big_endian: bool) -> tuple[str, ...]:
    whole = raw[: len(raw) // 4 * 4]
    return tuple(f"{group:04X}{element:04X}" for group, element in struct.iter_unpack(">HH" if big_endian else "<HH", whole))


def _decode_text(vr: str, raw: bytes, character_set: str) -> tuple[Value, ...]:
    # PS3.5 6.1.2.1: ASCII is the same in every character set of DICOM, until an escape sequence switches.
    if vr in CHARACTER_SET_VRS and not (raw.isascii() and _ESCAPE not in raw):
        text = decode_characters(raw, character_set).rstrip(" \0")
    else:
        text = raw.rstrip(b" \0").decode("latin-1")
    if vr in _LEADING_SPACE_COUNTS:
        return _split(text, vr)
    parts = [part.strip(" \0") for part in text.split("\\")] if text else []
    if vr in {"DS", "IS"}:
        kind = int if vr == "IS" else float
        return tuple([_number(part, kind) for part in parts])
    return tuple(parts)


def _split(text: str, vr: str) -> tuple[str, ...]:
    if "\\" not in text or vr in _SINGLE_VRS:
        return (text,) if text else ()
    return tuple([part.rstrip(" \0") for part in text.split("\\")])


def _number(text: str, kind: type[int] | type[float]) -> Value:
    """The number `text` says, or `text` where it says none a JSON document or a database column could hold."""
    if len(text) > 32 or "_" in text:  # PS3.5 6.2: DS has 16 characters, IS 12; Python's underscores are no digits
        return text
    try:
        number = kind(text)
    except ValueError:
        return _whole_number(text) if kind is int else text
    return number if -_LARGEST < number < _LARGEST else text


def _whole_number(text: str) -> Value:
    try:
        number = float(text)  # seen in real files: IS "1.0"
    except ValueError:
        return text
    return int(number) if -_LARGEST < number < _LARGEST and number.is_integer() else text


def decode_characters(raw: bytes, character_set: str) -> str:
    """Text in the object's character set, ISO 2022 code extensions included (PS3.5 6.1.2); what does not fit becomes U+FFFD."""
    codec = _EVERYDAY_CHARACTER_SETS.get(character_set)
    if codec and _ESCAPE not in raw:
        return raw.decode(codec, errors="replace")
    import warnings

    from pydicom.charset import decode_bytes
    from pydicom.valuerep import TEXT_VR_DELIMS

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return str(decode_bytes(raw, python_encodings(character_set), TEXT_VR_DELIMS))
        except (LookupError, ValueError):
            return raw.decode("latin-1")


@lru_cache(maxsize=256)
def python_encodings(character_set: str) -> tuple[str, ...]:
    """Python's names of the encodings that Specific Character Set names; Latin-1 for what nobody knows."""
    from pydicom.charset import convert_encodings

    try:
        return tuple(convert_encodings([term.strip() for term in character_set.split("\\")]))
    except (LookupError, ValueError):
        return ("iso8859",)


# --- values as one text, number, date -------------------------------------------------------------------------------------------


def as_text(values: Sequence[Value] | None) -> str | None:
    """The values joined by backslashes, as they are stored; None for a missing attribute, "" for an empty one."""
    return None if values is None else "\\".join(map(str, values))


def as_number(values: Sequence[Value] | None) -> int | float | None:
    """The first value if it is a number, or text that says one; else None."""
    if not values:
        return None
    first = values[0]
    number = _number(first.strip(), float) if isinstance(first, str) else first
    return None if isinstance(number, str) else number


def as_numbers(values: Sequence[Value] | None) -> tuple[int | float, ...] | None:
    """All values as numbers; None if the attribute is missing, empty, or one of them is no number."""
    numbers = [as_number((value,)) for value in values or ()]
    whole = tuple(number for number in numbers if number is not None)
    return whole if whole and len(whole) == len(numbers) else None


def as_date(values: Sequence[Value] | None) -> date | None:
    """The first value of DA or DT as a date, `2024.01.31` of ACR-NEMA too (PS3.5 6.2 note); None where it names no day."""
    text = str(values[0]) if values else ""
    digits = text.replace(".", "", 2) if text[4:5] == "." else text
    if not re.fullmatch(r"[0-9]{8}", digits[:8], re.ASCII):
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None


_TIME = re.compile(r"([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2})(?:\.([0-9]{1,6}))?)?)?", re.ASCII)


def as_time(values: Sequence[Value] | None) -> time | None:
    """The first value of TM as a time, what is left out being zero (PS3.5 6.2); None where it names no time. Second 60 counts as 59."""
    found = _TIME.fullmatch(str(values[0]).strip()) if values else None
    if found is None:
        return None
    hour, minute, second = (int(part or 0) for part in found.groups()[:3])
    try:
        return time(hour, minute, min(second, 59) if second == 60 else second, int((found[4] or "").ljust(6, "0")))
    except ValueError:
        return None
