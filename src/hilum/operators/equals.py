"""Any value of the attribute is the wanted one: numbers as numbers, text without regard to case.

{"attribute": "Modality", "operator": "equals", "value": "MR"}
"""

from typing import Any

from hilum.operators import numbers, texts

kind = "equals"
example = {"attribute": "Modality", "operator": "equals", "value": "MR"}


def judge(actual: Any, wanted: Any) -> bool:
    """True where one value equals `wanted`."""
    if isinstance(wanted, (int, float)):
        return float(wanted) in numbers(actual)
    return str(wanted).strip().lower() in [text.lower() for text in texts(actual)]
