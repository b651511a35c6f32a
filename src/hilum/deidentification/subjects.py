"""Whom an object is about: what its header says of the patient and the staff, and what stands for it in the project."""

import base64
import hashlib
import hmac
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from hilum.deidentification.texts import Cleaner, Identifiers
from hilum.dicom.attributes import parse_path
from hilum.dicom.confidentiality import Option
from hilum.dicom.scanner import Header, Wanted
from hilum.dicom.uids import remap_uid
from hilum.model.keys import ProjectKey
from hilum.model.profiles import Profile

# PS3.3 C.7.1.1, C.7.2.1, C.7.3.1, C.7.5.1: names of the patient and of staff; what else is written of the patient; institutions.
_NAMES = (
    "PatientName",
    "PatientBirthName",
    "PatientMotherBirthName",
    "OtherPatientNames",
    "ResponsiblePerson",
    "ReferringPhysicianName",
    "ConsultingPhysicianName",
    "PhysiciansOfRecord",
    "NameOfPhysiciansReadingStudy",
    "PerformingPhysicianName",
    "OperatorsName",
    "RequestingPhysician",
    "ScheduledPerformingPhysicianName",
    "HumanPerformerName",
    "ContentCreatorName",
    "ReviewerName",
    "NamesOfIntendedRecipientsOfResults",
    "OtherPatientIDsSequence[*].PatientName",
    "VerifyingObserverSequence[*].VerifyingObserverName",
    "RTROIObservationsSequence[*].ROIInterpreter",
    "ContentSequence[*].PersonName",
    "ContentSequence[*].ContentSequence[*].PersonName",
)
_PHRASES = (
    "PatientID",
    "OtherPatientIDs",
    "OtherPatientIDsSequence[*].PatientID",
    "AccessionNumber",
    "AdmissionID",
    "PatientAddress",
    "PatientTelephoneNumbers",
    "MilitaryRank",
    "MedicalRecordLocator",
    "InstitutionName",
    "InstitutionAddress",
    "StudyID",
    "ServiceEpisodeID",
    "RequestedProcedureID",
    "ScheduledProcedureStepID",
    "PerformedProcedureStepID",
    "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberImagingServiceRequest",
)
_OTHERS = (
    "SpecificCharacterSet",
    "ImageType",
    "SOPClassUID",
    "SOPInstanceUID",
    "Modality",
    "BurnedInAnnotation",
    "RecognizableVisualFeatures",
    "BodyPartExamined",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "IssuerOfPatientID",
    "NumberOfFrames",
)
PATIENT_VALUES = ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")
STUDY_VALUES = ("StudyDate", "StudyTime", "AccessionNumber", "StudyID", "StudyDescription", "ReferringPhysicianName")
"""What the way back needs of a patient and of a study (PS3.3 C.7.1.1, C.7.2.1)."""
IDENTITY = Wanted(*_NAMES, *_PHRASES, *_OTHERS, *PATIENT_VALUES, *STUDY_VALUES)
"""What is read of an object before it is written again."""

_SAYING = frozenset(
    parse_path(path)[0].tag for path in (*_NAMES, *_PHRASES, "SpecificCharacterSet", "IssuerOfPatientID", "StudyInstanceUID")
)

_SHORTEST_OFFSET, _OFFSETS = 30, 3650  # days


@dataclass(frozen=True, eq=False)
class Subject:
    """A patient in a project, with a profile: what the actions ask. The same for all objects that say the same of the patient.

    Args:
        patient: the patient's own key within the project: issuer and Patient ID, or the study's UID where there is no Patient ID.
        names, phrases: what says who it is about, as `texts.Identifiers.of` reads it.
        originals: what its first object said of `PATIENT_VALUES` and `STUDY_VALUES`.
    """

    key: ProjectKey
    profile: Profile
    patient: str
    names: tuple[str, ...]
    phrases: tuple[str, ...]
    originals: Mapping[str, str] = field(default_factory=dict, repr=False)

    @cached_property
    def date_offset_days(self) -> int:
        """How many days are added to every date."""
        return 0 if Option.RETAIN_FULL_DATES in self.profile.options else self.patients_offset_days

    @cached_property
    def patients_offset_days(self) -> int:
        """The patient's own offset, whatever the profile: into the past, between one month and ten years."""
        digest = hmac.new(self.key.derive("dates"), self.patient.encode(errors="surrogatepass"), hashlib.sha256).digest()
        return -(_SHORTEST_OFFSET + int.from_bytes(digest[:8], "big") % _OFFSETS)

    @cached_property
    def patient_pseudonym(self) -> str:
        """Stands for Patient ID and Patient's Name."""
        return self.pseudonym(f"patient\0{self.patient}")

    def pseudonym(self, text: str) -> str:
        """80 bits of HMAC-SHA-256 in base 32 (RFC 4648)."""
        digest = hmac.new(self._text_key, text.encode(errors="surrogatepass"), hashlib.sha256).digest()
        return base64.b32encode(digest[:10]).decode("ascii")

    def replace_uid(self, uid: str) -> str:
        """Under the profile's root, or 2.25 (PS3.5 B.2)."""
        new = remap_uid(self._uid_key, uid)
        root = self.profile.uid_root
        if root and new:
            new = f"{root}.{new.removeprefix('2.25.')}"
        self._replaced_uids[new] = uid
        return new

    def take_replaced_uids(self) -> dict[str, str]:
        """New UID -> the one it stands for, of those that were replaced since the last time."""
        taken = dict(self._replaced_uids)
        self._replaced_uids.clear()
        return taken

    @cached_property
    def _replaced_uids(self) -> dict[str, str]:
        return {}

    def clean(self, text: str) -> str:
        """See `texts.Cleaner`."""
        return self._cleaner.clean(text)

    @cached_property
    def remembered(self) -> dict[object, object]:
        """Values that were changed before for this subject."""
        return {}

    @cached_property
    def _cleaner(self) -> Cleaner:
        keeps_dates = self.profile.options & {Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES}
        replace = (lambda uid: uid) if Option.RETAIN_UIDS in self.profile.options else self.replace_uid
        return Cleaner(Identifiers.of(self.names, self.phrases), self.date_offset_days if keeps_dates else None, replace)

    @cached_property
    def _uid_key(self) -> bytes:
        return self.key.derive("uids")

    @cached_property
    def _text_key(self) -> bytes:
        return self.key.derive("texts")


def what_is_said(header: Header) -> Hashable:
    """All of a header that `subject_of` reads, undecoded: objects that agree in it are about the same subject."""
    return tuple([(tag, repr(element)) for tag, element in header.item.items() if tag in _SAYING])


def subject_of(header: Header, key: ProjectKey, profile: Profile) -> Subject:
    """Whom the object with this header is about."""
    patient_id = (header.text("PatientID") or "").strip()
    issuer = (header.text("IssuerOfPatientID") or "").strip()
    patient = f"{issuer}\0{patient_id}" if patient_id else f"study\0{header.text('StudyInstanceUID') or ''}"
    originals = {keyword: header.text(keyword) or "" for keyword in (*PATIENT_VALUES, *STUDY_VALUES)}
    return Subject(key, profile, patient, tuple(_texts(header, _NAMES)), tuple(_texts(header, _PHRASES)), originals)


def _texts(header: Header, paths: Iterable[str]) -> Iterable[str]:
    for path in paths:
        if header.holds(path.split("[", maxsplit=1)[0]):
            for values in header.each(path):
                yield from (str(value) for value in values or () if str(value).strip())
