"""The attribute is there without a value (Type 2, PS3.5 7.4.3); a missing one is not empty.

{"attribute": "ContrastBolusAgent", "operator": "is-empty"}
"""

from collections.abc import Sequence

from hilum.operators import ALL, Comparable, Takes

kind = "is-empty"
example = {"attribute": "ContrastBolusAgent", "operator": "is-empty"}
vrs, reads_text, takes = ALL, True, Takes.NOTHING
asks_presence = True


def judge(actual: Sequence[Comparable] | None, wanted: None) -> bool:  # noqa: ARG001 - every operator is asked alike
    """True where the attribute is there and has no value."""
    return actual is not None and not actual
