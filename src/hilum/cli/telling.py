"""What commands print: facts on stdout, as JSON or for people; how far the work is, and what went wrong, on stderr."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from os import environ
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Explained(Protocol):
    """An error that says itself what is wrong and what to do: the product's own, and the SDK's."""

    sentence: str
    mend: str


def sentence_of(error: BaseException) -> str:
    """An error as one line: what went wrong, and the mend."""
    if isinstance(error, Explained):
        mend = f" {error.mend[:1].upper()}{error.mend[1:]}" if error.mend else ""
        return printable(f"{error.sentence}{mend}")
    if isinstance(error, (OSError, ValueError)):
        return printable(f"{error}")
    return printable(f"A surprise: {type(error).__name__}: {error}. Set HILUM_DEBUG=1 to see where, and tell the authors.")


def printable(text: str) -> str:
    """Nothing that a sender wrote acts on a terminal: control characters become visible."""
    return "".join(character if character.isprintable() or character == "\n" else repr(character)[1:-1] for character in text)


def say(text: str = "") -> None:
    """A line for people, on stdout; what others wrote in it went through `printable` or `styled`."""
    print(text, flush=True)


def note(text: str) -> None:
    """A line about the work, on stderr."""
    print(printable(text), file=sys.stderr, flush=True)


def print_json(facts: Any) -> None:
    """Facts for programs."""
    print(json.dumps(facts, indent=2, ensure_ascii=False, default=str))


def print_columns(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Facts for people, in columns that line up; the last one may be as long as it likes."""
    table = [list(heads), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(row[number]) for row in table) for number in range(len(heads))]
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        print("  ".join([*cells, row[-1]]).rstrip())


def since(at: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that says enough: 12 s, 4 min, 3 h, 2 days."""
    took = max(timedelta(), now - at)
    for unit, seconds in (("days", 86_400), ("h", 3600), ("min", 60)):
        if took.total_seconds() >= 2 * seconds:
            return f"{int(took.total_seconds() // seconds)} {unit}"
    return f"{int(took.total_seconds())} s"


# --- on a terminal -----------------------------------------------------------------------------------------------------------

STYLES = {"bold": "1", "dim": "2", "good": "32", "held": "33", "bad": "31"}


def styled(text: str, style: str) -> str:
    """Text in a style, where stdout is a terminal that wants it (https://no-color.org)."""
    if not sys.stdout.isatty() or environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return printable(text)
    return f"\x1b[{STYLES[style]}m{printable(text)}\x1b[0m"
