"""No value of the attribute is the wanted one: numbers as numbers, dates as dates, text without regard to case.

{"attribute": "Modality", "operator": "not-equals", "value": "SR"}
"""

from collections.abc import Sequence

from hilum.operators import COMPARABLE, Comparable, Takes, folded

kind = "not-equals"
example = {"attribute": "Modality", "operator": "not-equals", "value": "SR"}
vrs, reads_text, takes = COMPARABLE, False, Takes.ONE


def judge(actual: Sequence[Comparable], wanted: Comparable) -> bool:
    """True where no value equals `wanted`."""
    return folded(wanted) not in [folded(one) for one in actual]
