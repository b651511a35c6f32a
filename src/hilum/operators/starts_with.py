"""A value of the attribute begins with the wanted text, without regard to case.

{"attribute": "SeriesDescription", "operator": "starts-with", "value": "t1"}
"""

from collections.abc import Sequence

from hilum.operators import TEXTS, Takes

kind = "starts-with"
example = {"attribute": "SeriesDescription", "operator": "starts-with", "value": "t1"}
vrs, reads_text, takes = TEXTS, True, Takes.ONE


def judge(actual: Sequence[str], wanted: str) -> bool:
    """True where one value begins with `wanted`."""
    return any(one.casefold().startswith(wanted.casefold()) for one in actual)
