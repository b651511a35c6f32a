"""The element stays, without a value.

{"attribute": "PatientSex", "action": "empty"}
"""

from hilum.actions import NoSettings, Occurrence, Subject

kind = "empty"
example = {"attribute": "PatientSex", "action": "empty"}
Settings = NoSettings


def act(occurrence: Occurrence, subject: Subject, settings: NoSettings) -> bytes:  # noqa: ARG001 - the actions' contract
    """A value of no length; of a sequence, no items."""
    return b""
