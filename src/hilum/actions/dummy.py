"""A valid value of the element's VR that says nothing; a UID becomes the one that stands for it.

{"attribute": "StationName", "action": "dummy"}
"""

from collections.abc import Mapping

from hilum.actions import NoSettings, Occurrence, Subject, parts

kind = "dummy"
example = {"attribute": "StationName", "action": "dummy"}
Settings = NoSettings

# PS3.5 6.2: a value that is valid for each VR.
_VALUES: Mapping[str, bytes] = {
    "AE": b"REMOVED",
    "AS": b"000Y",
    "AT": bytes(4),
    "CS": b"REMOVED",
    "DA": b"19000101",
    "DS": b"0",
    "DT": b"19000101000000",
    "FD": bytes(8),
    "FL": bytes(4),
    "IS": b"0",
    "LO": b"REMOVED",
    "LT": b"REMOVED",
    "OB": bytes(2),
    "OD": bytes(8),
    "OF": bytes(4),
    "OL": bytes(4),
    "OV": bytes(8),
    "OW": bytes(2),
    "PN": b"REMOVED",
    "SH": b"REMOVED",
    "SL": bytes(4),
    "SS": bytes(2),
    "ST": b"REMOVED",
    "SV": bytes(8),
    "TM": b"000000",
    "UC": b"REMOVED",
    "UL": bytes(4),
    "UN": bytes(2),
    "UR": b"http://removed.invalid",  # RFC 2606: no such host
    "US": bytes(2),
    "UT": b"REMOVED",
    "UV": bytes(8),
}


def act(occurrence: Occurrence, subject: Subject, settings: NoSettings) -> bytes | None:  # noqa: ARG001 - the actions' contract
    """The dummy of the VR; None for a VR that has none."""
    if occurrence.vr == "UI":
        return "\\".join(subject.replace_uid(uid) for uid in parts(occurrence.value)).encode("ascii")
    return _VALUES.get(occurrence.vr)
