"""The attribute as a whole, several values joined by backslashes, is the wanted text, without regard to case.

{"attribute": "ImageType", "operator": "matches-exactly", "value": "ORIGINAL\\PRIMARY\\M"}
"""

from collections.abc import Sequence

from hilum.operators import TEXTS, Takes, whole

kind = "matches-exactly"
example = {"attribute": "ImageType", "operator": "matches-exactly", "value": "ORIGINAL\\PRIMARY\\M"}
vrs, reads_text, takes = TEXTS, True, Takes.ONE


def judge(actual: Sequence[str], wanted: str) -> bool:
    """True where nothing but case differs."""
    return whole(actual).casefold() == wanted.casefold()
