"""A value of the attribute is a date within the last so many days, today included.

{"attribute": "StudyDate", "operator": "date-within", "value": 30}
"""

from collections.abc import Sequence
from datetime import date, datetime

from hilum.operators import DAYS, Takes

kind = "date-within"
example = {"attribute": "StudyDate", "operator": "date-within", "value": 30}
vrs, reads_text, takes = DAYS, False, Takes.DAYS
needs_today = True
AHEAD = -1  # days: dates are local to the scanner, today is UTC's, and half the world is ahead of that


def judge(actual: Sequence[date], wanted: float, today: date) -> bool:
    """True where one value lies so many days back at most."""
    return any(AHEAD <= (today - _day(one)).days <= wanted for one in actual)


def _day(value: date) -> date:
    return value.date() if isinstance(value, datetime) else value
