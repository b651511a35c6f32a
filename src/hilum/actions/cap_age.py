"""An age over 90 years becomes 90 years: so few are older that their age alone may say who they are.

{"attribute": "PatientAge", "action": "cap-age"}
"""

import re

from hilum.actions import NoSettings, Occurrence, Subject

kind = "cap-age"
example = {"attribute": "PatientAge", "action": "cap-age"}
Settings = NoSettings

_AGE = re.compile(rb"([0-9]{3})([DWMY])[ \0]*")  # PS3.5 6.2: AS
_MOST = {b"Y": 90, b"M": 90 * 12, b"W": 90 * 52, b"D": 90 * 365}


def act(occurrence: Occurrence, subject: Subject, settings: NoSettings) -> bytes | None:  # noqa: ARG001 - the actions' contract
    """The age, at most 90 years; None where it is none."""
    found = _AGE.fullmatch(occurrence.value)
    if found is None:
        return None if occurrence.value.strip(b" \0") else b""
    return b"090Y" if int(found[1]) > _MOST[found[2]] else occurrence.value
