"""Values as what can be compared: numbers as numbers, dates as dates, ages in days, text as text; by Value Representation (PS3.5 6.2)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum

from hilum.dicom.attributes import as_date, as_number, as_time

Comparable = str | int | float | date | time | datetime


class Kind(StrEnum):
    """As what the values of a VR are compared."""

    NUMBER = "a number"
    TEXT = "text"
    DATE = "a date"
    TIME = "a time"
    DATE_TIME = "a date with a time"
    AGE = "an age"
    SEQUENCE = "a sequence"
    OPAQUE = "bulk"


@dataclass(frozen=True, slots=True)
class Form:
    """How a value of a VR is written: as what it is compared, a hint for a person, and an example."""

    kind: Kind
    hint: str
    example: str


_NUMBER = "A number."
_WHOLE = "A whole number."
_COUNT = "A whole number, zero or more."
_BULK = "Bulk values: only whether they are there can be asked."
_MOMENT = "A date with a time: YYYYMMDDHHMMSS or YYYY-MM-DDTHH:MM:SS, with an offset to UTC where one is known."
_LONG_TEXT = "Text of any length."

FORMS: dict[str, Form] = {
    "AE": Form(Kind.TEXT, "An AE title: at most 16 characters.", "SCANNER_1"),
    "AS": Form(Kind.AGE, "An age: three digits and D, W, M or Y.", "018Y"),
    "AT": Form(Kind.TEXT, "A tag: eight hexadecimal digits.", "00181063"),
    "CS": Form(Kind.TEXT, "A code: at most 16 of A-Z, 0-9, blank and underscore.", "ORIGINAL"),
    "DA": Form(Kind.DATE, "A real date: YYYYMMDD or YYYY-MM-DD.", "2026-01-31"),
    "DS": Form(Kind.NUMBER, "A decimal number; units are those of PS3.3 (mm, ms).", "1.5"),
    "DT": Form(Kind.DATE_TIME, _MOMENT, "2026-01-31T13:30"),
    "FD": Form(Kind.NUMBER, _NUMBER, "1.5"),
    "FL": Form(Kind.NUMBER, _NUMBER, "1.5"),
    "IS": Form(Kind.NUMBER, _WHOLE, "12"),
    "LO": Form(Kind.TEXT, "Text of at most 64 characters.", "T1 MPRAGE"),
    "LT": Form(Kind.TEXT, _LONG_TEXT, "contrast given"),
    "OB": Form(Kind.OPAQUE, _BULK, ""),
    "OD": Form(Kind.OPAQUE, _BULK, ""),
    "OF": Form(Kind.OPAQUE, _BULK, ""),
    "OL": Form(Kind.OPAQUE, _BULK, ""),
    "OV": Form(Kind.OPAQUE, _BULK, ""),
    "OW": Form(Kind.OPAQUE, _BULK, ""),
    "PN": Form(Kind.TEXT, "A person's name, its parts with ^ between.", "Doe^Jane"),
    "SH": Form(Kind.TEXT, "Text of at most 16 characters.", "MR-2"),
    "SL": Form(Kind.NUMBER, _WHOLE, "12"),
    "SQ": Form(Kind.SEQUENCE, "A sequence: ask an attribute of its items, `Sequence[*].Keyword`, or only whether it is there.", ""),
    "SS": Form(Kind.NUMBER, _WHOLE, "12"),
    "ST": Form(Kind.TEXT, _LONG_TEXT, "contrast given"),
    "SV": Form(Kind.NUMBER, _WHOLE, "12"),
    "TM": Form(Kind.TIME, "A time: HHMMSS or HH:MM:SS.", "13:30"),
    "UC": Form(Kind.TEXT, _LONG_TEXT, "T1 MPRAGE"),
    "UI": Form(Kind.TEXT, "A UID: digits and dots, at most 64.", "1.2.840.10008.5.1.4.1.1.4"),
    "UL": Form(Kind.NUMBER, _WHOLE, "12"),
    "UN": Form(Kind.OPAQUE, "Of unknown form: give the private attribute a name and a VR first, `hilum template name-tag`.", ""),
    "UR": Form(Kind.TEXT, "An address.", "https://pacs.example/"),
    "US": Form(Kind.NUMBER, _COUNT, "512"),
    "UT": Form(Kind.TEXT, _LONG_TEXT, "contrast given"),
    "UV": Form(Kind.NUMBER, _COUNT, "12"),
}


def form_of(vr: str) -> Form:
    """The form of a VR; of `US or SS` that of the first, and bulk where one of them is."""
    parts = vr.split(" or ")
    bulk = next((part for part in parts if FORMS.get(part, FORMS["UN"]).kind is Kind.OPAQUE), parts[0])
    return FORMS.get(bulk, FORMS["UN"])


def vrs_of(*kinds: Kind) -> frozenset[str]:
    """The VRs whose values are compared as one of `kinds`."""
    return frozenset(vr for vr, form in FORMS.items() if form.kind in kinds)


def comparable(kind: Kind, value: object) -> Comparable | None:
    """One value, as an object has it or as a person writes it, as what it is compared as; None where it is none of its kind."""
    reader = _READERS.get(kind)
    return None if reader is None else reader(value)


def folded(value: Comparable) -> Comparable:
    """Text without regard to case; anything else as it is."""
    return value.casefold() if isinstance(value, str) else value


def _read_number(value: object) -> Comparable | None:
    return as_number((value,)) if isinstance(value, (str, int, float)) and value is not True else None


def _read_text(value: object) -> Comparable | None:
    return str(value).strip()  # PS3.5 6.2: leading and trailing blanks do not count, or are padding


_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", re.ASCII)


def _read_date(value: object) -> Comparable | None:
    text = str(value).strip()
    return as_date((_ISO_DATE.sub(r"\1\2\3", text, count=1),)) if len(text) in (8, 10) else None


def _read_time(value: object) -> Comparable | None:
    return as_time((str(value),))


# PS3.5 6.2 DT: YYYYMMDDHHMMSS.FFFFFF&ZZXX, cut off anywhere behind the year.
_DATE_TIME = re.compile(
    r"(?P<year>[0-9]{4})-?(?P<month>[0-9]{2})?-?(?P<day>[0-9]{2})?[T ]?(?P<hour>[0-9]{2})?:?(?P<minute>[0-9]{2})?:?(?P<second>[0-9]{2})?"
    r"(?:\.(?P<fraction>[0-9]{1,6}))?(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2})?",
    re.ASCII,
)


_LEAST = {"year": 1, "month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0}


def _read_date_time(value: object) -> Comparable | None:
    """In UTC where the offset is known; without one taken as it is, so that both can be compared."""
    found = _DATE_TIME.fullmatch(str(value).strip())
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[part] or least) for part, least in _LEAST.items())
    microsecond = int((found["fraction"] or "").ljust(6, "0"))
    try:
        # PS3.5 6.2: second 60 is a leap second
        moment = datetime(year, month, day, hour, minute, min(second, 59), microsecond, tzinfo=_offset(found["offset"]))
    except (ValueError, OverflowError):
        return None
    return moment.astimezone(UTC).replace(tzinfo=None)


def _offset(text: str | None) -> timezone:
    if text in (None, "Z"):
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=minutes if text[0] == "+" else -minutes))


_AGE = re.compile(r"([0-9]{1,3})([DWMY])", re.ASCII)
_DAYS_IN = {"D": 1.0, "W": 7.0, "M": 30.4375, "Y": 365.25}


def _read_age(value: object) -> Comparable | None:
    """In days, so that 024M is 002Y."""
    found = _AGE.fullmatch(str(value).strip().upper())
    return None if found is None else int(found[1]) * _DAYS_IN[found[2]]


_READERS: dict[Kind, Callable[[object], Comparable | None]] = {
    Kind.NUMBER: _read_number,
    Kind.TEXT: _read_text,
    Kind.DATE: _read_date,
    Kind.TIME: _read_time,
    Kind.DATE_TIME: _read_date_time,
    Kind.AGE: _read_age,
}
