"""A value of the attribute lies between the two wanted ones, these included.

{"attribute": "StudyDate", "operator": "between", "value": ["2026-01-01", "2026-06-30"]}
"""

from collections.abc import Sequence

from hilum.operators import ORDERED, Comparable, Takes

kind = "between"
example = {"attribute": "StudyDate", "operator": "between", "value": ["2026-01-01", "2026-06-30"]}
vrs, reads_text, takes = ORDERED, False, Takes.TWO


def prepare(wanted: tuple[Comparable, Comparable]) -> tuple[Comparable, Comparable]:
    """Refuse an interval that nothing lies in."""
    lower, upper = wanted
    if lower > upper:  # type: ignore[operator]  # both are of the VR's one kind
        raise ValueError("The first value is greater than the second.")
    return wanted


def judge(actual: Sequence[Comparable], wanted: tuple[Comparable, Comparable]) -> bool:
    """True where one value is within the interval."""
    return any(wanted[0] <= one <= wanted[1] for one in actual)  # type: ignore[operator]  # all are of the VR's one kind
