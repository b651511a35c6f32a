"""From the original to its pseudonyms: they are functions of the project's keys, so nothing of an original is kept to be searched."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from hilum.runtime.keys import open_keys
from hilum.runtime.profiles import profiles
from hilum.runtime.settings import Settings

if TYPE_CHECKING:
    from hilum.deidentification.subjects import Subject


def pseudonyms_of_patient(settings: Settings, project: str, patient_id: str, issuer: str) -> list[str]:
    """What stands for a patient, one a key."""
    return _unique(subject.patient_pseudonym for subject in _subjects(settings, project, f"{issuer.strip()}\0{patient_id.strip()}"))


def pseudonyms_of_uid(settings: Settings, project: str, uid: str) -> list[str]:
    """What stands for a UID, one a key and root of UIDs; itself, where a profile keeps UIDs."""
    return _unique((*(subject.replace_uid(uid) for subject in _subjects(settings, project, "")), uid))


def _subjects(settings: Settings, project: str, patient: str) -> Iterator["Subject"]:
    from hilum.deidentification.subjects import Subject

    roots = {profile.uid_root: profile for profile in profiles(settings).values()}
    for key in open_keys(settings).find(project):
        for profile in roots.values():
            yield Subject(key, profile, patient, (), ())


def _unique(pseudonyms: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(pseudonyms))
