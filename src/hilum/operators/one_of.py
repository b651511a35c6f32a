"""A value of the attribute is one of the wanted ones: numbers as numbers, dates as dates, text without regard to case.

{"attribute": "Modality", "operator": "one-of", "value": ["CT", "PT"]}
"""

from collections.abc import Sequence

from hilum.operators import COMPARABLE, Comparable, Takes, folded

kind = "one-of"
example = {"attribute": "Modality", "operator": "one-of", "value": ["CT", "PT"]}
vrs, reads_text, takes = COMPARABLE, False, Takes.SEVERAL


def prepare(wanted: tuple[Comparable, ...]) -> frozenset[Comparable]:
    """The wanted values for looking up."""
    return frozenset(folded(one) for one in wanted)


def judge(actual: Sequence[Comparable], wanted: frozenset[Comparable]) -> bool:
    """True where one value is among `wanted`."""
    return any(folded(one) in wanted for one in actual)
