"""Operators: what compares the values of an attribute with the wanted one in a rule. One file a member.

The whole of a member (its file is `operators/starts_with.py`, its kind the same words with hyphens):

    from hilum.operators import TEXTS, Takes, folded

    kind = "starts-with"
    example = {"attribute": "SeriesDescription", "operator": "starts-with", "value": "T1"}
    vrs, reads_text, takes = TEXTS, True, Takes.ONE

    def judge(actual, wanted):
        return any(folded(one).startswith(folded(wanted)) for one in actual)

* `vrs`: the Value Representations that it may be asked of; a rule that asks it of another is refused with a hint.
* `reads_text`: False: the values come as what their VR says (numbers, dates, times, ages in days, text), and so does the wanted one;
  True: as they are written.
* `takes`: what it is compared with.
* `judge(actual, wanted)`: `actual` is the list of the values of one slice, never empty: an attribute may have several (PS3.5 6.4), and
  a path through `[*]` gives those of all items. `wanted` is one value, a tuple for `TWO` and `SEVERAL`, None for `NOTHING`.

And where it is needed:

* `prepare(wanted)` makes the wanted value ready, once a rule; it raises ValueError with a sentence where it cannot be used.
* `asks_presence = True`: `judge` is also asked where there is nothing: `actual` is None for a missing attribute, [] for an empty one.
* `needs_today = True`: `judge` gets today's date as a third argument.
"""

from collections.abc import Sequence

from hilum.dicom.comparing import FORMS, Comparable, Kind, folded, vrs_of
from hilum.model.rules import Takes

__all__ = ["ALL", "COMPARABLE", "DAYS", "ORDERED", "TEXTS", "Comparable", "Takes", "folded", "whole"]

ALL = frozenset(FORMS)
COMPARABLE = ALL - vrs_of(Kind.SEQUENCE, Kind.OPAQUE)
ORDERED = vrs_of(Kind.NUMBER, Kind.DATE, Kind.TIME, Kind.DATE_TIME, Kind.AGE)
TEXTS = vrs_of(Kind.TEXT, Kind.DATE, Kind.TIME, Kind.DATE_TIME, Kind.AGE)
DAYS = vrs_of(Kind.DATE, Kind.DATE_TIME)


def whole(actual: Sequence[Comparable]) -> str:
    """All values as they are stored: joined by backslashes (PS3.5 6.4)."""
    return "\\".join(map(str, actual))
