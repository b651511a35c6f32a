"""Operators: what compares an attribute's actual value with the wanted one in a rule. One file a member.

The whole of a member (its file is `operators/starts_with.py`, its kind the same words with hyphens):

    from typing import Any

    kind = "starts-with"
    example = {"attribute": "SeriesDescription", "operator": "starts-with", "value": "T1"}

    def judge(actual: Any, wanted: Any) -> bool:
        return any(value.lower().startswith(str(wanted).lower()) for value in texts(actual))

`actual` is the value of a present attribute: text, a number, or a list of them (a multi-valued attribute). An attribute that
is not there never comes here: the rule itself answers "is not present".
"""

from typing import Any


def values(actual: Any) -> list[Any]:
    """The single values of an attribute: DICOM separates several by a backslash (PS3.5 6.2)."""
    return list(actual) if isinstance(actual, (list, tuple)) else [actual]


def texts(actual: Any) -> list[str]:
    """The same as text, without the padding that PS3.5 6.2 allows."""
    return [str(value).strip() for value in values(actual)]


def numbers(actual: Any) -> list[float]:
    """The values that are numbers."""
    found = []
    for value in values(actual):
        try:
            found.append(float(value))
        except (TypeError, ValueError):
            continue
    return found
