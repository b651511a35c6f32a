"""A UID becomes the one that stands for it in the project: the same for the same, in every object and reference.

{"attribute": "SynchronizationFrameOfReferenceUID", "action": "replace-uid"}
"""

from hilum.actions import NoSettings, Occurrence, Subject, parts

kind = "replace-uid"
example = {"attribute": "SynchronizationFrameOfReferenceUID", "action": "replace-uid"}
Settings = NoSettings


def act(occurrence: Occurrence, subject: Subject, settings: NoSettings) -> bytes:  # noqa: ARG001 - the actions' contract
    """The UIDs that stand for each value; an empty one stays empty."""
    return "\\".join(subject.replace_uid(uid) for uid in parts(occurrence.value)).encode("ascii")
