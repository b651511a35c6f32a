"""What must not be found in a copy: who the original is about, in every form it may be written in.

The table says where an original names somebody. Nothing here knows what the de-identification did, but for the UIDs it says it replaced.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from hilum.self_check.charsets import readings
from hilum.self_check.reading import Value

LEAST_WORD = 4
"""Shorter ones stand in too many words: they count as a whole value of an identifying attribute only."""

PATIENT, PERSON, ID, BIRTH, ADDRESS, TELEPHONE, INSTITUTION, UID = (
    "a part of the patient's name",
    "a part of somebody's name",
    "an identifier",
    "the birth date",
    "an address",
    "a telephone number",
    "the name of an institution",
    "an original UID",
)

IDENTIFYING: dict[int, str] = {
    0x00100010: PATIENT,  # PatientName
    0x00101001: PATIENT,  # OtherPatientNames
    0x00101005: PATIENT,  # PatientBirthName
    0x00101060: PATIENT,  # PatientMotherBirthName
    0x00100020: ID,  # PatientID
    0x00101000: ID,  # OtherPatientIDs
    0x00101090: ID,  # MedicalRecordLocator
    0x00080050: ID,  # AccessionNumber
    0x00200010: ID,  # StudyID
    0x00380010: ID,  # AdmissionID
    0x00380060: ID,  # ServiceEpisodeID
    0x00401001: ID,  # RequestedProcedureID
    0x00400009: ID,  # ScheduledProcedureStepID
    0x00400253: ID,  # PerformedProcedureStepID
    0x00402016: ID,  # PlacerOrderNumberImagingServiceRequest
    0x00402017: ID,  # FillerOrderNumberImagingServiceRequest
    0x00100030: BIRTH,  # PatientBirthDate
    0x00101040: ADDRESS,  # PatientAddress
    0x00080081: ADDRESS,  # InstitutionAddress
    0x00080092: ADDRESS,  # ReferringPhysicianAddress
    0x00102154: TELEPHONE,  # PatientTelephoneNumbers
    0x00080094: TELEPHONE,  # ReferringPhysicianTelephoneNumbers
    0x00402010: TELEPHONE,  # OrderCallbackPhoneNumber
    0x00080080: INSTITUTION,  # InstitutionName
}
"""Attributes that name somebody, and what a hit on their value is called. Every value of VR PN does, too."""

_OF_THE_PATIENT = frozenset([PATIENT, ID, BIRTH, ADDRESS, TELEPHONE])

_NOBODY_WORDS = """
anon anonymous anonymized anonymised deidentified de-identified identified pseudonym pseudonymized removed unknown unnamed none null
noname name patient subject phantom volunteer
"""
NOBODY = frozenset(_NOBODY_WORDS.split())
"""What stands in names of patients whom somebody has hidden before, or who never were."""

_WORDS = re.compile(r"[^\W_]+", re.UNICODE)
_STUDY_DATE = 0x00080020
_DAY_FORMS = ("%Y%m%d", "%Y-%m-%d", "%Y.%m.%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y")
_LINE = re.compile(r"[\r\n,;^]+")


@dataclass(slots=True)
class Needles:
    """What is looked for.

    Args:
        words: text in lower case of at least `LEAST_WORD` characters -> what it is; found as whole words anywhere.
        short: shorter text -> what it is; found as the whole value of an identifying attribute.
        uids: original UIDs that were replaced.
        dates_stay: the profile keeps dates, so that one which is somebody's birthday tells nothing.
    """

    words: dict[str, str] = field(default_factory=dict)
    short: dict[str, str] = field(default_factory=dict)
    uids: frozenset[str] = frozenset()
    dates_stay: bool = False

    def add(self, text: str, kind: str) -> None:
        """Take up one form; what names nobody is left out."""
        text = text.strip().lower()
        if not any(character.isalnum() for character in text) or text in NOBODY or not text.strip("0 .-/"):
            return
        (self.words if len(text) >= LEAST_WORD else self.short).setdefault(text, kind)

    def take_up(self, other: "Needles") -> None:
        """Look for the words of another original of the same study, too."""
        self.words = other.words | self.words
        self.short = other.short | self.short

    @property
    def size(self) -> int:
        """How many words are looked for."""
        return len(self.words) + len(self.short)


def needles_of(original: Iterable[Value], replaced_uids: Iterable[str] = (), retained: Collection[int] = ()) -> Needles:
    """What of an original must not be in its copy.

    Args:
        original: its values.
        replaced_uids: UIDs that stand for something else in the copy.
        retained: tags whose values the profile keeps on purpose (its options to retain an institution, say).
    """
    needles = Needles(uids=frozenset(replaced_uids), dates_stay=_STUDY_DATE in retained)
    for value in original:
        kind = IDENTIFYING.get(value.tag) or (PERSON if value.vr == "PN" else "")
        if kind and value.tag not in retained and len(value.content):
            for form in _forms_of(value, kind):
                needles.add(form, kind)
    return needles


def needles_of_patient(original: Iterable[Value], retained: Collection[int] = ()) -> Needles:
    """As `needles_of`, of what says who the patient is: it is true of every object of the study."""
    return needles_of((value for value in original if IDENTIFYING.get(value.tag) in _OF_THE_PATIENT), retained=retained)


def _forms_of(value: Value, kind: str) -> Iterator[str]:
    for reading in readings(value):
        for text in reading.split("\\"):
            yield from _forms(text, kind)


def _forms(text: str, kind: str) -> Iterator[str]:
    text = text.strip("\0 ")
    match kind:
        case "the birth date":
            yield from _days(text)
        case "a part of the patient's name" | "a part of somebody's name":
            yield from _WORDS.findall(text)
        case "a telephone number":
            yield text
            yield re.sub(r"\D", "", text)
        case "an address":
            yield from (line for line in _LINE.split(text) if len(_WORDS.findall(line)) > 1 or len(line) > 2 * LEAST_WORD)
        case _:
            yield text


def _days(text: str) -> Iterator[str]:
    try:
        day = datetime.strptime(text[:8], "%Y%m%d")  # noqa: DTZ007 - a day of birth has no zone
    except ValueError:
        yield text
        return
    yield from (day.strftime(form) for form in _DAY_FORMS)
