"""A value of the attribute matches the wanted regular expression somewhere in it, letter by letter; `(?i)` makes case not count.

{"attribute": "SeriesDescription", "operator": "matches", "value": "(?i)\\\\bt1\\\\b.*mprage"}

The expressions are RE2's, whose time is linear in the text: no expression can stop the line, as a backtracking one may.
"""

from collections.abc import Sequence
from typing import Any

from hilum.operators import TEXTS, Takes

kind = "matches"
example = {"attribute": "SeriesDescription", "operator": "matches", "value": r"(?i)\bt1\b.*mprage"}
vrs, reads_text, takes = TEXTS, True, Takes.PATTERN

LONGEST = 1000  # characters of an expression
MEMORY = 1 << 20  # bytes of a compiled one


def prepare(wanted: str) -> Any:
    """The compiled expression."""
    import re2

    if len(wanted) > LONGEST:
        raise ValueError(f"The expression is longer than {LONGEST} characters.")
    options = re2.Options()
    options.max_mem = MEMORY
    options.log_errors = False
    try:
        return re2.compile(wanted, options)
    except re2.error as error:
        reason = error.args[0]
        raise ValueError(f"RE2 cannot read the expression: {reason.decode() if isinstance(reason, bytes) else reason}.") from error


def judge(actual: Sequence[str], wanted: Any) -> bool:
    """True where `wanted` is found in one value."""
    return any(wanted.search(one) is not None for one in actual)
