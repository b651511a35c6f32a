"""The wanted text stands in no value of the attribute, letter by letter.

{"attribute": "SeriesDescription", "operator": "does-not-contain-case-sensitive", "value": "LOCALIZER"}
"""

from collections.abc import Sequence

from hilum.operators import TEXTS, Takes

kind = "does-not-contain-case-sensitive"
example = {"attribute": "SeriesDescription", "operator": "does-not-contain-case-sensitive", "value": "LOCALIZER"}
vrs, reads_text, takes = TEXTS, True, Takes.ONE


def judge(actual: Sequence[str], wanted: str) -> bool:
    """True where no value contains `wanted`."""
    return not any(wanted in one for one in actual)
