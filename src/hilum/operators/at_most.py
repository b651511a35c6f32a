"""A value of the attribute is at most the wanted one: a number, a date or time, an age.

{"attribute": "SliceThickness", "operator": "at-most", "value": 5}
"""

from collections.abc import Sequence

from hilum.operators import ORDERED, Comparable, Takes

kind = "at-most"
example = {"attribute": "SliceThickness", "operator": "at-most", "value": 5}
vrs, reads_text, takes = ORDERED, False, Takes.ONE


def judge(actual: Sequence[Comparable], wanted: Comparable) -> bool:
    """True where one value is at most the wanted one."""
    return any(one <= wanted for one in actual)  # type: ignore[operator]  # both are of the VR's one kind
