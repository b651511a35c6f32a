"""What a sender's file may hold and a database refuses: PostgreSQL's text has no NUL, its JSON no NaN; UTF-8 has no lone surrogates."""

import math
from collections.abc import Mapping
from typing import Any

NUL_SHOWN = "\N{SYMBOL FOR NULL}"


def storable(value: Any) -> Any:
    """The same value as both databases take it; whatever is not text, a number, a list or a mapping is left alone."""
    match value:
        case str():
            if value.isascii() and "\0" not in value:
                return value
            return value.replace("\0", NUL_SHOWN).encode("utf-8", "replace").decode("utf-8")
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"  # PS3.18 F.2.5: so in DICOM JSON
        case list() | tuple():
            return [storable(part) for part in value]
        case Mapping():
            return {storable(key): storable(part) for key, part in value.items()}
    return value
