"""PS3.5 6.2: whether a value is valid for its Value Representation."""

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from hilum.dicom.attributes import tag_of, vr_of
from hilum.dicom.uids import is_valid_uid


def invalidity(keyword: str, value: Any) -> str:
    """What is wrong with a present value, as the end of a sentence; empty when it is valid.

    Args:
        keyword: a DICOM keyword.
        value: one value, or a list of them; numbers for numeric VRs (text means that it could not be read as one).
    """
    vr = vr_of(tag_of(keyword))
    judge = JUDGES.get(vr)
    values: Sequence[Any] = value if isinstance(value, (list, tuple)) else [value]
    if judge is None or all(judge(one) for one in values):
        return ""
    return f"is not valid for its Value Representation {vr} (PS3.5 6.2: {RULES[vr]})"


def _is_date(value: Any) -> bool:
    text = str(value)
    if not re.fullmatch(r"\d{8}", text):
        return False
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def _is_text(most: int) -> Callable[[Any], bool]:
    return lambda value: len(str(value)) <= most


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _matches(pattern: str) -> Callable[[Any], bool]:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(str(value)) is not None


JUDGES: dict[str, Callable[[Any], bool]] = {
    "AE": _is_text(16),
    "AS": _matches(r"\d{3}[DWMY]"),
    "CS": _matches(r"[A-Z0-9_ ]{0,16}"),
    "DA": _is_date,
    "DS": _is_number,
    "DT": _matches(r"\d{4}(\d{2}){0,5}(\.\d{1,6})?([+-]\d{4})?"),
    "FD": _is_number,
    "FL": _is_number,
    "IS": _is_number,
    "LO": _is_text(64),
    "SH": _is_text(16),
    "TM": _matches(r"([01]\d|2[0-3])([0-5]\d(([0-5]\d|60)(\.\d{1,6})?)?)?"),
    "UI": lambda value: is_valid_uid(str(value)),
    "UL": _is_number,
    "US": _is_number,
}

RULES: dict[str, str] = {
    "AE": "at most 16 characters",
    "AS": "nnnD, nnnW, nnnM or nnnY",
    "CS": "at most 16 of A-Z, 0-9, blank and underscore",
    "DA": "a real date YYYYMMDD",
    "DS": "a decimal number",
    "DT": "YYYYMMDDHHMMSS.FFFFFF&ZZXX",
    "FD": "a number",
    "FL": "a number",
    "IS": "a whole number",
    "LO": "at most 64 characters",
    "SH": "at most 16 characters",
    "TM": "HHMMSS.FFFFFF",
    "UI": "a UID of at most 64 digits and dots",
    "UL": "a number",
    "US": "a number",
}
