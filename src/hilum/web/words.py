"""Times, durations and sizes as a person reads them."""

import re
from datetime import datetime, timedelta

# C0 and C1 controls but tab and line feed, and what turns the direction of text (Unicode TR9 2): nobody sees them, and they make a line
# read as what it does not say.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]")


def visible(text: str) -> str:
    """Text that somebody sent, with what nobody would see made visible."""
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text)


def duration(took: timedelta) -> str:
    """0.3 s, 22 s, 4 min 12 s, 3 h 12 min, 2 days 4 h."""
    seconds = took.total_seconds()
    if seconds < 10:
        return f"{seconds:.1f} s" if seconds >= 0.05 else "under 0.1 s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "day" if days == 1 else "days"), (hours, "h"), (minutes, "min"), (seconds, "s"))
    told = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(told[:2])


def size(number: int) -> str:
    """Bytes: 412 KB, 1.2 MB."""
    for factor, unit in ((1_000_000_000, "GB"), (1_000_000, "MB")):
        if number >= factor:
            return f"{number / factor:.1f} {unit}"
    return f"{max(1, round(number / 1000))} KB" if number >= 1000 else f"{number} bytes"


def clock(at: datetime) -> str:
    """The time of day here: 08:12:04."""
    return at.astimezone().strftime("%H:%M:%S")


def moment(at: datetime) -> str:
    """Day and time here: 13 Oct 2026, 08:12."""
    return at.astimezone().strftime("%-d %b %Y, %H:%M")


def utc(at: datetime) -> str:
    """For the tip over a time: 2026-10-13 06:12:04 UTC."""
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def date(value: str) -> str:
    """A DICOM date (PS3.5 6.2, DA: YYYYMMDD) as 13 Oct 2026; anything else as it is."""
    try:
        return datetime.strptime(value, "%Y%m%d").strftime("%-d %b %Y")  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return value
