"""Actions: what becomes of one value when an image is de-identified. One file a member.

The whole of a member (its file is `actions/set_value.py`, its kind the same words with hyphens):

    from hilum.actions import Occurrence, Settings, Subject

    kind = "set-value"
    example = {"attribute": "PatientSex", "action": "set-value", "settings": {"value": "O"}}

    class ValueSettings(Settings):
        value: str

    def act(occurrence: Occurrence, subject: Subject, settings: ValueSettings) -> bytes | None:
        return settings.value.encode("ascii")

`occurrence` is the element before (tag, VR, bytes); the answer is its new value, of the same VR, without padding, or None: the
element is left out. An action knows one value; where it stands, and whether the IOD needs it, is for the plan
(`deidentification/plans.py`). It must answer the same for the same subject and value, whatever came before.
"""

from typing import Protocol

from pydantic import BaseModel, ConfigDict

from hilum.dicom.rewriting_rules import Occurrence

__all__ = ["NoSettings", "Occurrence", "Settings", "Subject", "parts"]


class Subject(Protocol):
    """Whom the object is about, as far as an action may know."""

    @property
    def date_offset_days(self) -> int:
        """How many days are added to every date of this patient."""

    def pseudonym(self, text: str) -> str:
        """16 characters of A-Z and 2-7 that stand for a text in this project."""

    def replace_uid(self, uid: str) -> str:
        """The UID that stands for another in this project."""

    def clean(self, text: str) -> str:
        """A text without what could say who the patient is."""


class Settings(BaseModel):
    """The settings of an action; a misspelt key never passes in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoSettings(Settings):
    """Of an action that takes none."""


def parts(value: bytes) -> list[str]:
    """The single values of a text whose characters are ASCII by its VR (PS3.5 6.1.2.2), without padding."""
    text = value.decode("latin-1").rstrip(" \0")
    return [part.strip(" \0") for part in text.split("\\")] if text else []
