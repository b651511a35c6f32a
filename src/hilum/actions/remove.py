"""The element is left out.

{"attribute": "ImageComments", "action": "remove"}
"""

from hilum.actions import NoSettings, Occurrence, Subject

kind = "remove"
example = {"attribute": "ImageComments", "action": "remove"}
Settings = NoSettings


def act(occurrence: Occurrence, subject: Subject, settings: NoSettings) -> None:
    """Nothing."""
