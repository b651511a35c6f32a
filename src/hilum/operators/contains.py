"""The wanted text stands somewhere in a value of the attribute, without regard to case.

{"attribute": "SeriesDescription", "operator": "contains", "value": "flair"}
"""

from typing import Any

from hilum.operators import texts

kind = "contains"
example = {"attribute": "SeriesDescription", "operator": "contains", "value": "flair"}


def judge(actual: Any, wanted: Any) -> bool:
    """True where one value contains `wanted`."""
    return any(str(wanted).lower() in text.lower() for text in texts(actual))
