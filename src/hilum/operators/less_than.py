"""A value of the attribute is less than the wanted one: a number, an earlier date or time, a lower age.

{"attribute": "InversionTime", "operator": "less-than", "value": 1300}
"""

from collections.abc import Sequence

from hilum.operators import ORDERED, Comparable, Takes

kind = "less-than"
example = {"attribute": "InversionTime", "operator": "less-than", "value": 1300}
vrs, reads_text, takes = ORDERED, False, Takes.ONE


def judge(actual: Sequence[Comparable], wanted: Comparable) -> bool:
    """True where one value is less than the wanted one."""
    return any(one < wanted for one in actual)  # type: ignore[operator]  # both are of the VR's one kind
