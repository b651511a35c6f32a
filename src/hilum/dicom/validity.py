"""PS3.5 6.2: whether a value is valid for its Value Representation."""

import re
from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from hilum.dicom.attributes import decode_characters, python_encodings
from hilum.dicom.uids import is_valid_uid


def invalidity(vr: str, value: Any) -> str:
    """What is wrong with a present value, as the end of a sentence; empty when it is valid.

    Args:
        value: one value, or a list of them; numbers for numeric VRs (text means that it could not be read as one).
    """
    values: Sequence[Any] = value if isinstance(value, (list, tuple)) else [value]
    return _said(vr, all(_is_valid(vr, one) for one in values))


def _is_valid(vr: str, value: Any) -> bool:
    if vr in _NUMBERS:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    judge = JUDGES.get(vr)
    return judge is None or judge(str(value))


def _said(vr: str, is_valid: bool) -> str:
    return "" if is_valid else f"is not valid for its Value Representation {vr} (PS3.5 6.2: {RULES[vr]})"


@lru_cache(maxsize=16_384)
def raw_invalidity(vr: str, raw: bytes, character_set: str) -> str:
    """As `invalidity`, of a value's bytes as they are stored (PS3.5 6.2, 7.1).

    Args:
        character_set: Specific Character Set, several values joined by backslashes.
    """
    size = _SIZES.get(vr)
    if size is not None:
        return "" if len(raw) % size == 0 else f"has {len(raw)} bytes, which is no multiple of {size} as {vr} needs (PS3.5 6.2)"
    judge = JUDGES.get(vr)
    if judge is None or not raw:
        return ""
    text = decode_characters(raw, character_set) if vr in _IN_CHARACTER_SET else raw.decode("latin-1")
    parts = [text] if vr in _SINGLE else text.split("\\")
    return _said(vr, all(judge(part) for one in parts if (part := _unpadded(vr, one))))


def _unpadded(vr: str, text: str) -> str:
    # PS3.5 6.2: trailing padding never counts, leading blanks not where they are allowed.
    text = text.rstrip(" \0")
    return text.lstrip(" ") if vr in _LEADING_BLANKS else text


def undecodable(raw: bytes, character_set: str) -> str:
    """Why text cannot be read in its character set (PS3.3 C.12.1.1.2), as the end of a sentence; empty where it can."""
    if raw.isascii() and b"\x1b" not in raw:
        return ""
    if character_set.strip() in ("", "ISO_IR 6"):
        return "has characters outside ASCII, and no SpecificCharacterSet says which they are (PS3.5 6.1.2.1)"
    try:
        if b"\x1b" not in raw:
            raw.decode(_codec(character_set))
            return ""
    except UnicodeDecodeError:
        return "cannot be read in the character set that SpecificCharacterSet names (PS3.3 C.12.1.1.2)"
    # PS3.5 6.1.2.5: code extensions; the decoder replaces what does not fit.
    replaced = "\ufffd" in decode_characters(raw, character_set)
    return "cannot be read in the character sets that SpecificCharacterSet names (PS3.5 6.1.2.5)" if replaced else ""


def _codec(character_set: str) -> str:
    return python_encodings(character_set)[0]


def unknown_character_sets(terms: Sequence[str]) -> list[str]:
    """Those of the values of Specific Character Set that are no defined term (PS3.3 C.12.1.1.2)."""
    from pydicom.charset import python_encoding

    return [term for term in terms if term.strip() not in python_encoding]


def _is_date(text: str) -> bool:
    if not re.fullmatch(r"[0-9]{8}", text):
        return False
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def _is_date_time(text: str) -> bool:
    found = re.fullmatch(r"([0-9]{4})([0-9]{2})?([0-9]{2})?([0-9]{2}([0-9]{2}([0-9]{2}(\.[0-9]{1,6})?)?)?)?([+-][0-9]{4})?", text)
    if found is None:
        return False
    return _is_date(found[1] + (found[2] or "01") + (found[3] or "01")) and (not found[4] or _is_time(found[4]))


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


def _is_text(most: int) -> Callable[[str], bool]:
    return lambda text: len(text) <= most and not any(ord(character) < 0x20 and character != "\x1b" for character in text)


def _is_name(text: str) -> bool:
    # PS3.5 6.2.1: up to three groups of at most 64 characters.
    groups = text.split("=")
    return len(groups) <= 3 and all(_is_text(64)(group) for group in groups)


def _is_whole_number(text: str) -> bool:
    return len(text) <= 12 and re.fullmatch(r"[+-]?[0-9]+", text) is not None and -(2**31) <= int(text) < 2**31


_is_time = _matches(r"([01][0-9]|2[0-3])([0-5][0-9](([0-5][0-9]|60)(\.[0-9]{1,6})?)?)?")

JUDGES: dict[str, Callable[[str], bool]] = {
    "AE": _is_text(16),
    "AS": _matches(r"[0-9]{3}[DWMY]"),
    "CS": _matches(r"[A-Z0-9_ ]{0,16}"),
    "DA": _is_date,
    "DS": _matches(r"(?=.{1,16}$)[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"),
    "DT": _is_date_time,
    "IS": _is_whole_number,
    "LO": _is_text(64),
    "LT": lambda text: len(text) <= 10_240,
    "PN": _is_name,
    "SH": _is_text(16),
    "ST": lambda text: len(text) <= 1024,
    "TM": _is_time,
    "UI": is_valid_uid,
}
"""One value of a text VR, unpadded."""

RULES: dict[str, str] = {
    "AE": "at most 16 characters",
    "AS": "nnnD, nnnW, nnnM or nnnY",
    "CS": "at most 16 of A-Z, 0-9, blank and underscore",
    "DA": "a real date YYYYMMDD",
    "DS": "a decimal number of at most 16 characters",
    "DT": "YYYYMMDDHHMMSS.FFFFFF&ZZXX",
    "FD": "a number",
    "FL": "a number",
    "IS": "a whole number of at most 12 characters and 32 bits",
    "LO": "at most 64 characters, none of control",
    "LT": "at most 10240 characters",
    "PN": "at most three groups of 64 characters",
    "SH": "at most 16 characters, none of control",
    "SL": "a whole number",
    "SS": "a whole number",
    "ST": "at most 1024 characters",
    "TM": "HHMMSS.FFFFFF",
    "UI": "a UID of at most 64 digits and dots",
    "UL": "a number",
    "US": "a number",
}

_NUMBERS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "UL", "US"})
_SIZES = {"AT": 4, "FD": 8, "FL": 4, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8}
_IN_CHARACTER_SET = frozenset({"LO", "LT", "PN", "SH", "ST"})
_SINGLE = frozenset({"LT", "ST"})
_LEADING_BLANKS = frozenset({"AE", "CS", "DS", "IS", "LO", "PN", "SH"})
