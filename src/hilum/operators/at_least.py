"""A value of the attribute is a number and at least the wanted one.

{"attribute": "InversionTime", "operator": "at-least", "value": 1600}
"""

from typing import Any

from hilum.operators import numbers

kind = "at-least"
example = {"attribute": "InversionTime", "operator": "at-least", "value": 1600}


def judge(actual: Any, wanted: Any) -> bool:
    """True where one value is a number and at least `wanted`."""
    return any(value >= float(wanted) for value in numbers(actual))
