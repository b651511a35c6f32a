"""The wanted text stands somewhere in a value of the attribute, letter by letter.

{"attribute": "SeriesDescription", "operator": "contains-case-sensitive", "value": "FLAIR"}
"""

from collections.abc import Sequence

from hilum.operators import TEXTS, Takes

kind = "contains-case-sensitive"
example = {"attribute": "SeriesDescription", "operator": "contains-case-sensitive", "value": "FLAIR"}
vrs, reads_text, takes = TEXTS, True, Takes.ONE


def judge(actual: Sequence[str], wanted: str) -> bool:
    """True where one value contains `wanted`."""
    return any(wanted in one for one in actual)
