"""A value of the attribute is greater than the wanted one: a number, a later date or time, a higher age.

{"attribute": "InversionTime", "operator": "greater-than", "value": 1600}
"""

from collections.abc import Sequence

from hilum.operators import ORDERED, Comparable, Takes

kind = "greater-than"
example = {"attribute": "InversionTime", "operator": "greater-than", "value": 1600}
vrs, reads_text, takes = ORDERED, False, Takes.ONE


def judge(actual: Sequence[Comparable], wanted: Comparable) -> bool:
    """True where one value is greater than the wanted one."""
    return any(one > wanted for one in actual)  # type: ignore[operator]  # both are of the VR's one kind
