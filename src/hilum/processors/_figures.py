"""How the figures of `image_quality.json` are written for a reader; shared by the reports that show them."""

from collections.abc import Mapping
from typing import Any

from hilum.processors._pages import Column

QUALITY_COLUMNS = (
    Column("Series", 30),
    Column("Matrix", 22, numbers=True),
    Column("Spacing, mm", 26, numbers=True),
    Column("Coverage, mm", 24, numbers=True),
    Column("Signal", 13, numbers=True),
    Column("Noise", 13, numbers=True),
    Column("SNR", 11, numbers=True),
)

LABELS = {"signal": "Signal", "noise": "Noise", "noise_in_air": "Noise in air", "snr": "Signal to noise"}


def quality_row(one: Mapping[str, Any]) -> tuple[object, ...]:
    """A series' row under `QUALITY_COLUMNS`."""
    extents = (size(one["dimensions"]), size(one["spacing_mm"]), size(one["coverage_mm"]))
    return (title(one), *extents, number(one["signal"]), number(one["noise"]), number(one["snr"]))


def title(one: Mapping[str, Any]) -> str:
    """A series' caption; its name where it has neither role nor description."""
    return caption(one["role"], one["description"]) or str(one["name"])


def caption(role: str, description: str) -> str:
    """What a series is called: its role, and its description where that says more."""
    spoken = role.upper().replace("_", " ")
    return " · ".join(part for part in (spoken, "" if description.upper() == spoken else description) if part)


def size(along: Mapping[str, float | None] | None) -> str:
    """Columns x rows x slices, to a hundredth."""
    if along is None:
        return "–"
    lengths = (along[axis] for axis in ("columns", "rows", "slices"))
    return " × ".join("–" if length is None else f"{round(length, 2):g}" for length in lengths)


def number(value: float | None) -> str:
    """At most four digits where they suffice, never an exponent below a million."""
    if value is None:
        return "–"
    if abs(value) >= 1e6:
        return f"{value:.3g}"
    digits = 0 if abs(value) >= 100 or float(value).is_integer() else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}"
