"""The element gets a value that the profile names.

{"attribute": "PatientSex", "action": "set-value", "settings": {"value": "O"}}
"""

from pydantic import Field

from hilum.actions import Occurrence, Subject
from hilum.actions import Settings as Strict

kind = "set-value"
example = {"attribute": "PatientSex", "action": "set-value", "settings": {"value": "O"}}

_BINARY = frozenset({"AT", "FD", "FL", "OB", "OD", "OF", "OL", "OV", "OW", "SL", "SQ", "SS", "SV", "UL", "UN", "US", "UV"})


class Settings(Strict):
    """value: in ASCII, which is valid in every character set; several values are separated by backslashes."""

    value: str = Field(pattern=r"^[ -~]*$", max_length=1024)


def act(occurrence: Occurrence, subject: Subject, settings: Settings) -> bytes | None:  # noqa: ARG001 - the actions' contract
    """The value; None for a VR that holds no text."""
    return None if occurrence.vr in _BINARY else settings.value.encode("ascii")
