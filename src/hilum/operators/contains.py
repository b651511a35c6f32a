"""The wanted text stands somewhere in a value of the attribute, without regard to case.

{"attribute": "SeriesDescription", "operator": "contains", "value": "flair"}
"""

from collections.abc import Sequence

from hilum.operators import TEXTS, Takes

kind = "contains"
example = {"attribute": "SeriesDescription", "operator": "contains", "value": "flair"}
vrs, reads_text, takes = TEXTS, True, Takes.ONE


def judge(actual: Sequence[str], wanted: str) -> bool:
    """True where one value contains `wanted`."""
    return any(wanted.casefold() in one.casefold() for one in actual)
