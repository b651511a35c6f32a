"""The attribute is there and has a value; a sequence has an item.

{"attribute": "ContrastBolusAgent", "operator": "is-present"}
"""

from collections.abc import Sequence

from hilum.operators import ALL, Comparable, Takes

kind = "is-present"
example = {"attribute": "ContrastBolusAgent", "operator": "is-present"}
vrs, reads_text, takes = ALL, True, Takes.NOTHING
asks_presence = True


def judge(actual: Sequence[Comparable] | None, wanted: None) -> bool:  # noqa: ARG001 - every operator is asked alike
    """True where there is a value."""
    return bool(actual)
