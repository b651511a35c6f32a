"""A value of the attribute is the wanted one: numbers as numbers, dates as dates, text without regard to case.

{"attribute": "Modality", "operator": "equals", "value": "MR"}
"""

from collections.abc import Sequence

from hilum.operators import COMPARABLE, Comparable, Takes, folded

kind = "equals"
example = {"attribute": "Modality", "operator": "equals", "value": "MR"}
vrs, reads_text, takes = COMPARABLE, False, Takes.ONE


def judge(actual: Sequence[Comparable], wanted: Comparable) -> bool:
    """True where one value equals `wanted`."""
    return folded(wanted) in [folded(one) for one in actual]
