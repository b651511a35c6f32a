"""A date becomes the first day of its month or year; a time of day becomes midnight.

{"attribute": "PatientBirthDate", "action": "round-date", "settings": {"to": "year"}}
"""

import re
from typing import Literal

from hilum.actions import Occurrence, Subject, parts
from hilum.actions import Settings as Strict

kind = "round-date"
example = {"attribute": "PatientBirthDate", "action": "round-date", "settings": {"to": "year"}}

_START = re.compile(r"([0-9]{4})\.?([0-9]{2})?", re.ASCII)


class Settings(Strict):
    """to: what is still to be told."""

    to: Literal["month", "year"] = "year"


def act(occurrence: Occurrence, subject: Subject, settings: Settings) -> bytes | None:  # noqa: ARG001 - the actions' contract
    """The rounded values; None where one is no date."""
    if occurrence.vr == "TM":
        return b"000000"
    rounded = [_round(value, settings, occurrence.vr) for value in parts(occurrence.value)]
    known = [value for value in rounded if value is not None]
    return "\\".join(known).encode("ascii") if len(known) == len(rounded) else None


def _round(text: str, settings: Settings, vr: str) -> str | None:
    found = _START.match(text)
    if found is None or vr not in {"DA", "DT"}:
        return None if text else ""
    if vr == "DT" and settings.to == "year":
        return found[1]
    month = (found[2] or "01") if settings.to == "month" else "01"
    return f"{found[1]}{month}" + ("01" if vr == "DA" else "")
