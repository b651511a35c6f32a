"""The value stays, if it is one: text that its VR does not allow is no value, and might be anything.

{"attribute": "PatientWeight", "action": "keep"}
"""

import re
from collections.abc import Mapping

from hilum.actions import NoSettings, Occurrence, Subject

kind = "keep"
example = {"attribute": "PatientWeight", "action": "keep"}
Settings = NoSettings

# PS3.5 6.2, with what real objects do besides: lower case in CS, colons and points of ACR-NEMA in TM and DA.
_VALID: Mapping[str, re.Pattern[bytes]] = {
    vr: re.compile(rf"(?:{pattern})(?:\\(?:{pattern}))*[ \0]*".encode(), re.ASCII)
    for vr, pattern in {
        "AS": r"[0-9 ]{0,3}[DWMY]?",
        "CS": r"[A-Za-z0-9_ .+-]{0,64}",
        "DA": r"(?:[0-9]{4}\.?[0-9]{2}\.?[0-9]{2})?(?:-(?:[0-9]{8})?)?",
        "DS": r" *(?:[-+]?[0-9.]+(?:[Ee][-+]?[0-9]+)?|[-+]?nan|[-+]?inf)? *",
        "DT": r"[0-9]{0,14}(?:\.[0-9]{1,6})?(?:[-+][0-9]{4})? *",
        "IS": r" *[-+]?[0-9.]* *",
        "TM": r"[0-9]{0,2}:?[0-9]{0,2}:?[0-9]{0,2}(?:\.[0-9]{0,6})? *",
        "UI": r"[0-9.]*",
    }.items()
}


def act(occurrence: Occurrence, subject: Subject, settings: NoSettings) -> bytes | None:  # noqa: ARG001 - the actions' contract
    """The bytes as they are; None where its VR does not allow them."""
    pattern = _VALID.get(occurrence.vr)
    return occurrence.value if pattern is None or pattern.fullmatch(occurrence.value) else None
