"""A value of the attribute is a number and at most the wanted one.

{"attribute": "InversionTime", "operator": "at-most", "value": 1600}
"""

from typing import Any

from hilum.operators import numbers

kind = "at-most"
example = {"attribute": "InversionTime", "operator": "at-most", "value": 1600}


def judge(actual: Any, wanted: Any) -> bool:
    """True where one value is a number and at most `wanted`."""
    return any(value <= float(wanted) for value in numbers(actual))
