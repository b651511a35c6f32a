"""Whether a result is about the study that it was made of: patient, study, references, frame of reference. Answers are sentences.

Pseudonyms tell nothing of a person, so a sentence may name them.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hilum.model.crosswalk import Named
from hilum.model.words import count
from hilum.reidentification.known import Known
from hilum.reidentification.walking import walk

if TYPE_CHECKING:
    from pydicom import Dataset

_REFERENCED_SOP_CLASS_UID, _REFERENCED_SOP_INSTANCE_UID = 0x00081150, 0x00081155
# PS3.3 C.7.4.1 and, of structure sets and registrations, C.8.8.5: Referenced Frame of Reference UID.
_FRAMES_OF_REFERENCE = frozenset({0x00200052, 0x30060024})
_MANAGEMENT = "1.2.840.10008.3.1.2."  # PS3.4 (retired study and procedure step management): references to no image


def why_it_is_held(result: "Dataset", known: Known) -> str:
    """What is wrong with a result, before anything in it is restored; empty: nothing."""
    return _wrong_study(result, known) or _wrong_patient(result, known) or _wrong_instance(result, known) or _wrong_reference(result, known)


def _wrong_study(result: "Dataset", known: Known) -> str:
    uid = str(result.get("StudyInstanceUID", ""))
    named = known.originals.get(uid)
    if named is None or named.named is not Named.STUDY or named.uid != known.study_instance_uid:
        return "It does not belong to the study that it was made of: its Study Instance UID is another one."
    return ""


def _wrong_patient(result: "Dataset", known: Known) -> str:
    for keyword in ("PatientID", "PatientName"):
        said = str(result.get(keyword) or "").strip(" ^=")
        if said and said != known.patient_pseudonym:
            return f"It is about another patient: its {keyword} is not the one of the images that it was made of."
    return ""


def _wrong_instance(result: "Dataset", known: Known) -> str:
    uid = str(result.get("SOPInstanceUID", ""))
    if uid in known.originals or uid in known.frames:
        return "It has the SOP Instance UID of an image that it was made of, and would take its place."
    return ""


def _wrong_reference(result: "Dataset", known: Known) -> str:
    referenced = set(_referenced_instances(result))
    originals = {uid: known.original_uid(uid) for uid in referenced - known.made}
    unknown = sorted(uid for uid, original in originals.items() if original not in known.frames)
    if unknown:
        return f"It refers to {count(len(unknown), 'instance')} that the study does not hold, such as {unknown[0]}."
    frames = {known.frames[original] for original in originals.values()} or set(known.frames.values())
    for uid in _frames_of_reference(result):
        if uid and known.original_uid(uid) not in frames:
            return f"Its frame of reference {uid} is not that of the images that it refers to."
    return ""


def _referenced_instances(result: "Dataset") -> Iterator[str]:
    """Of images and other composite objects, wherever they are referred to (PS3.3 10.8)."""
    for place in walk(result):
        if place.tag == _REFERENCED_SOP_INSTANCE_UID:
            sop_class = str(place.item.get("ReferencedSOPClassUID", ""))
            if not sop_class.startswith(_MANAGEMENT):
                yield from place.values


def _frames_of_reference(result: "Dataset") -> Iterator[str]:
    for place in walk(result):
        if place.tag in _FRAMES_OF_REFERENCE:
            yield from place.values
