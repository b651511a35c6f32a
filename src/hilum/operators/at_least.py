"""A value of the attribute is at least the wanted one: a number, a date or time, an age.

{"attribute": "PatientAge", "operator": "at-least", "value": "018Y"}
"""

from collections.abc import Sequence

from hilum.operators import ORDERED, Comparable, Takes

kind = "at-least"
example = {"attribute": "PatientAge", "operator": "at-least", "value": "018Y"}
vrs, reads_text, takes = ORDERED, False, Takes.ONE


def judge(actual: Sequence[Comparable], wanted: Comparable) -> bool:
    """True where one value is at least the wanted one."""
    return any(one >= wanted for one in actual)  # type: ignore[operator]  # both are of the VR's one kind
