"""CSV that a spreadsheet opens as text: nothing that somebody wrote becomes a formula."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that spreadsheets calculate (OWASP, CSV injection)."""


def to_csv(rows: Iterable[Sequence[str | float | None]]) -> Iterator[str]:
    """Lines of CSV (RFC 4180), a row at a time."""
    for row in rows:
        line = io.StringIO()
        csv.writer(line, quoting=csv.QUOTE_MINIMAL).writerow([_cell(value) for value in row])
        yield line.getvalue()


def _cell(value: str | float | None) -> str | float:
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.lstrip(" \n\0\ufeff").startswith(FORMULA) else value
