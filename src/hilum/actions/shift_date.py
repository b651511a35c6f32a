"""A date moves by the patient's offset, so that order and intervals stay; a time of day stays or, with `times: zero`, becomes midnight.

{"attribute": "StudyDate", "action": "shift-date", "settings": {"times": "zero"}}
"""

import re
from datetime import date, timedelta
from typing import Literal

from hilum.actions import Occurrence, Subject, parts
from hilum.actions import Settings as Strict

kind = "shift-date"
example = {"attribute": "StudyDate", "action": "shift-date", "settings": {"times": "zero"}}

_DATE = re.compile(r"([0-9]{4})\.?([0-9]{2})\.?([0-9]{2})", re.ASCII)
_DATE_TIME = re.compile(r"([0-9]{4})([0-9]{2})?([0-9]{2})?([0-9]{0,6})(\.[0-9]{1,6})?([-+][0-9]{4})?", re.ASCII)
_TIME = re.compile(r"[0-9]{2}:?(?:[0-9]{2}:?(?:[0-9]{2}(?:\.[0-9]{1,6})?)?)?", re.ASCII)


class Settings(Strict):
    """times: what becomes of the time of day."""

    times: Literal["keep", "zero"] = "keep"


def act(occurrence: Occurrence, subject: Subject, settings: Settings) -> bytes | None:
    """The moved values; None where one is no date or time (PS3.5 6.2), so that nobody knows what it says."""
    move = {"DA": _move_date, "DT": _move_date_time, "TM": _move_time}.get(occurrence.vr)
    if move is None:
        return None
    moved = [move(value, subject.date_offset_days, settings) if value else "" for value in parts(occurrence.value)]
    known = [value for value in moved if value is not None]
    return "\\".join(known).encode("ascii") if len(known) == len(moved) else None


def _move_date(text: str, days: int, settings: Settings) -> str | None:  # noqa: ARG001 - all three are called alike
    found = _DATE.fullmatch(text)
    moved = _moved(found[1], found[2], found[3], days) if found else None
    return None if moved is None else f"{moved.year:04}{moved.month:02}{moved.day:02}"


def _move_date_time(text: str, days: int, settings: Settings) -> str | None:
    """PS3.5 6.2, DT: what is not said is not said afterwards either; a month or year alone is moved from its middle."""
    found = _DATE_TIME.fullmatch(text)
    moved = _moved(found[1], found[2] or "07", found[3] or "15", days) if found else None
    if found is None or moved is None:
        return None
    stated = f"{moved.year:04}" + (f"{moved.month:02}" if found[2] else "") + (f"{moved.day:02}" if found[3] else "")
    time_of_day = "0" * len(found[4]) if settings.times == "zero" else found[4] + (found[5] or "")
    return stated + time_of_day + (found[6] or "")


def _move_time(text: str, days: int, settings: Settings) -> str | None:  # noqa: ARG001 - all three are called alike
    if not _TIME.fullmatch(text):
        return None
    return "000000" if settings.times == "zero" else text


def _moved(year: str, month: str, day: str, days: int) -> date | None:
    try:
        return date(int(year), int(month), int(day)) + timedelta(days=days)
    except (ValueError, OverflowError):  # no such day
        return None
