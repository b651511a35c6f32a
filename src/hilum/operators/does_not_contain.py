"""The wanted text stands in no value of the attribute, without regard to case.

{"attribute": "SeriesDescription", "operator": "does-not-contain", "value": "localizer"}
"""

from collections.abc import Sequence

from hilum.operators import TEXTS, Takes

kind = "does-not-contain"
example = {"attribute": "SeriesDescription", "operator": "does-not-contain", "value": "localizer"}
vrs, reads_text, takes = TEXTS, True, Takes.ONE


def judge(actual: Sequence[str], wanted: str) -> bool:
    """True where no value contains `wanted`."""
    return not any(wanted.casefold() in one.casefold() for one in actual)
