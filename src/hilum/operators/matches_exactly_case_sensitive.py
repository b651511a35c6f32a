"""The attribute as a whole, several values joined by backslashes, is the wanted text, letter by letter.

{"attribute": "ImageType", "operator": "matches-exactly-case-sensitive", "value": "ORIGINAL\\PRIMARY\\M"}
"""

from collections.abc import Sequence

from hilum.operators import TEXTS, Takes, whole

kind = "matches-exactly-case-sensitive"
example = {"attribute": "ImageType", "operator": "matches-exactly-case-sensitive", "value": "ORIGINAL\\PRIMARY\\M"}
vrs, reads_text, takes = TEXTS, True, Takes.ONE


def judge(actual: Sequence[str], wanted: str) -> bool:
    """True where nothing differs."""
    return whole(actual) == wanted
