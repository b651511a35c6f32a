"""The wanted text stands in no value of the attribute, without regard to case.

{"attribute": "SeriesDescription", "operator": "does-not-contain", "value": "localizer"}
"""

from typing import Any

from hilum.operators import texts

kind = "does-not-contain"
example = {"attribute": "SeriesDescription", "operator": "does-not-contain", "value": "localizer"}


def judge(actual: Any, wanted: Any) -> bool:
    """True where no value contains `wanted`."""
    return not any(str(wanted).lower() in text.lower() for text in texts(actual))
