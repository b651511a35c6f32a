"""The ten actions that the scorer of the MIDI-B challenge asks about, over real images with identities planted into them.

The challenge's own images and answer key cannot be had without an agreement; its kinds of action are public. `CASES` is the answer key:
what is written where, which words of it must go and which must stay. Hard ones are in it on purpose: people whom no attribute of the
object names, addresses in prose, dates in words.
"""

import struct
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from deidentifying import checked_answer_of, encoded, read, shipped_engine
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.sequence import Sequence
from unharmed import date_pairs, real_files, uid_pairs

from hilum.deidentification.engine import Engine, Rewritten
from hilum.dicom.iods import type_of
from hilum.dicom.uids import is_valid_uid

ACTIONS = (
    "tag_retained",
    "text_notnull",
    "text_retained",
    "text_removed",
    "date_shifted",
    "uid_changed",
    "uid_consistent",
    "patid_consistent",
    "pixels_hidden",
    "pixels_retained",
)


_SECONDARY_CAPTURE, _ULTRASOUND = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.6.1"
_BANNER = 12  # rows


class Patient(NamedTuple):
    """Invented."""

    family: str
    given: str
    number: str
    physician: str
    operator: str


PATIENTS = (
    Patient("Featherstone", "Wilhelmina", "MRN-4711-0815", "Quacksalber", "Pennyworth"),
    Patient("Okonkwo", "Chidi", "00234567", "Lindqvist", "Baptiste"),
    Patient("Müller", "Jörg", "DE-99-1234", "Øverland", "Castañeda"),
    Patient("O'Shaughnessy", "Siobhan", "K123456", "McAllister", "Nakamura"),
    Patient("Garcia-Lopez", "Maria", "20051130-7", "Petrov", "Ferreira"),
    Patient("Lee", "Ann", "Q-0001-Z", "Cho", "Diaz"),
)


class Case(NamedTuple):
    """One row of the answer key: what is written into an attribute, what of it must go, what must stay.

    `{family}`, `{given}`, `{number}`, `{physician}` and `{operator}` are the patient's.
    """

    path: str
    written: str
    removed: tuple[str, ...] = ()
    retained: tuple[str, ...] = ()
    not_null: bool = False


CASES = (
    # the person, in the attributes that are meant for it
    Case("PatientName", "{family}^{given}", ("{family}", "{given}"), not_null=True),
    Case("PatientID", "{number}", ("{number}",), not_null=True),
    Case("OtherPatientIDs", "X-{number}", ("{number}",)),
    Case("PatientBirthName", "Formerly^{given}", ("Formerly", "{given}")),
    Case("PatientMotherBirthName", "Maternal^Ancestor", ("Maternal", "Ancestor")),
    Case("PatientAddress", "17 Elm Street, Springfield 62704", ("Elm", "Springfield", "62704")),
    Case("PatientTelephoneNumbers", "+1 217 555 0199", ("555", "0199")),
    Case("PatientInsurancePlanCodeSequence.CodeMeaning", "Plan of {family}", ("{family}",)),
    Case("MilitaryRank", "Colonel", ("Colonel",)),
    Case("ReferringPhysicianName", "{physician}^A", ("{physician}",)),
    Case("PerformingPhysicianName", "{physician}^B", ("{physician}",)),
    Case("PhysiciansOfRecord", "{physician}^C", ("{physician}",)),
    Case("OperatorsName", "{operator}", ("{operator}",)),
    Case("RequestingPhysician", "{physician}", ("{physician}",)),
    Case("InstitutionName", "Saint Elsewhere Hospital", ("Elsewhere",)),
    Case("InstitutionAddress", "1 Harbour Road, Boston", ("Harbour", "Boston")),
    Case("InstitutionalDepartmentName", "Radiology East", ("East",)),
    Case("AccessionNumber", "ACC-{number}"[:16], ("{number}",)),
    Case("StudyID", "S-99817", ("99817",)),
    Case("AdmissionID", "ADM-5566", ("5566",)),
    Case("RequestAttributesSequence.RequestedProcedureID", "RP-7788", ("7788",)),
    Case("RequestAttributesSequence.ScheduledProcedureStepDescription", "for {family}", ("{family}",)),
    Case("PatientSex", "F", (), ("F",), not_null=True),
    Case("PatientAge", "043Y", (), ("043Y",)),
    Case("PatientWeight", "71", (), ("71",)),
    Case("PatientSize", "1.76", (), ("1.76",)),
    # descriptions that name the patient, or staff whom the object names elsewhere
    Case("StudyDescription", "MRI BRAIN W/O CONTRAST {family}", ("{family}",), ("MRI BRAIN W/O CONTRAST",)),
    Case("SeriesDescription", "AX T2 FLAIR for {given}", ("{given}",), ("AX T2 FLAIR",)),
    Case("ProtocolName", "HEAD ROUTINE {operator}", ("{operator}",), ("HEAD ROUTINE",)),
    Case("ImageComments", "motion, repeated by {operator}", ("{operator}",), ("motion, repeated",)),
    Case("PatientComments", "{number} prefers to be called {given}", ("{number}", "{given}"), ("prefers to be called",)),
    Case("AdditionalPatientHistory", "seizures; seen by Dr. {physician}", ("{physician}",), ("seizures",)),
    Case("RequestAttributesSequence.RequestedProcedureDescription", "CT CHEST ABDOMEN PELVIS", (), ("CT CHEST ABDOMEN PELVIS",)),
    Case("DerivationDescription", "MPR by {operator}, 3 mm", ("{operator}",), ("MPR", "3 mm")),
    Case("AdmittingDiagnosesDescription", "glioma left temporal", (), ("glioma left temporal",)),
    Case("Occupation", "son of {family}", ("{family}",), ("son of",)),
    Case("ContrastBolusAgent", "Gadovist 1.0 mmol/ml", (), ("Gadovist 1.0 mmol/ml",)),
    # descriptions with what has a form: dates, numbers, addresses of networks and of places
    Case("MedicalAlerts", "pacemaker since 2004-08-03", ("2004-08-03",), ("pacemaker since",)),
    Case("Allergies", "iodine, rash on 03/08/2004", ("03/08/2004",), ("iodine, rash on",)),
    Case("PatientState", "stable, SSN 078-05-1120", ("078-05-1120",), ("stable",)),
    Case("ReasonForVisit", "fall on Aug 3, 2004; MRN 5550199; call 217-555-0199", ("Aug 3, 2004", "5550199", "217-555-0199"), ("fall on",)),
    Case("ServiceEpisodeDescription", "see https://records.example/p/991, jane.roe@example.org", ("records.example", "jane.roe"), ("see",)),
    Case("PerformedProcedureStepDescription", "lives at 42 Wallaby Way, Sydney", ("Wallaby", "Sydney"), ("lives at",)),
    Case(
        "CommentsOnThePerformedProcedureStep",
        "patient aged 97 years, third of August 2004",
        ("97", "third of August 2004"),
        ("patient aged",),
    ),
    # people whom no attribute of the object names
    Case("RequestAttributesSequence.ReasonForTheRequestedProcedure", "discussed with Dr. Rasmussen", ("Rasmussen",), ("discussed with",)),
    Case("ClinicalTrialTimePointDescription", "baseline, protocol of Prof Yamamoto", ("Yamamoto",), ("baseline", "protocol of")),
    Case("ClinicalTrialSeriesDescription", "Mrs. Abernathy called; sister Gwendolyn came", ("Abernathy", "Gwendolyn"), ("called",)),
    Case("RequestAttributesSequence.RequestedProcedureComments", "ask Zacharias about it", ("Zacharias",)),
    Case("ContainerDescription", "box of Thelonius, shelf 4", ("Thelonius",), ("shelf 4",)),
)

_RETAINED_TAGS = """
SOPClassUID Modality Manufacturer ImageType Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation SamplesPerPixel
PhotometricInterpretation PixelSpacing ImagePositionPatient ImageOrientationPatient SliceThickness SpacingBetweenSlices SliceLocation
RescaleSlope RescaleIntercept WindowCenter WindowWidth NumberOfFrames EchoTime RepetitionTime FlipAngle MagneticFieldStrength KVP
ConvolutionKernel BodyPartExamined PatientPosition SeriesNumber InstanceNumber ScanningSequence SequenceVariant MRAcquisitionType
ManufacturerModelName SoftwareVersions StudyInstanceUID SeriesInstanceUID SOPInstanceUID FrameOfReferenceUID StudyDate StudyTime
"""
RETAINED_TAGS = _RETAINED_TAGS.split()
DATES = {"StudyDate": "20040803", "SeriesDate": "20040803", "AcquisitionDate": "20040804", "ContentDate": "20040805"}


@dataclass
class Score:
    """What was asked and what was wrong, by action."""

    asked: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    wrong_cases: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def judge(self, action: str, is_right: bool, where: str, what: str = "") -> None:
        self.asked[action] += 1
        if not is_right:
            self.wrong[action] += 1
            self.wrong_cases[action, where, what] += 1

    @property
    def percentage(self) -> float:
        return 100 * (1 - self.wrong.total() / self.asked.total())


def scored_files(shared_data: Path) -> list[Path]:
    """The first and the last image of each folder, and all that hold something different each; none whose pixels are held anyway."""
    chosen: list[Path] = []
    for folder, files in real_files(shared_data).items():
        if str(shared_data) in folder:
            chosen += files if "segm" in folder else [files[0], *files[-1:]]
    return [file for file in chosen if _can_be_scored(file)]


def _can_be_scored(file: Path) -> bool:
    try:
        sop_class = str(dcmread(file, specific_tags=["SOPClassUID"]).get("SOPClassUID", ""))
    except InvalidDicomError:
        return False
    return bool(sop_class) and not sop_class.startswith(_SECONDARY_CAPTURE)


def score(files: list[Path], engine: Engine, place: Path) -> Score:
    """Plant, de-identify with the self-check, and judge; every object stands for one of the patients in turn."""
    scored, uids, patients, offsets = Score(), defaultdict(set), defaultdict(set), defaultdict(set)
    for number, file in enumerate(files):
        patient = PATIENTS[number % len(PATIENTS)]
        given = read(file.read_bytes())
        content = encoded(planted(given, patient), str(given.file_meta.TransferSyntaxUID))
        answer, written = checked_answer_of(content, engine, place)
        if not isinstance(answer, Rewritten):
            scored.judge("text_notnull", False, "the whole object", answer.why)
            continue
        before, after = read(content), read(written)
        _judge_texts(before, after, patient, scored)
        _judge_tags(before, after, scored)
        scored.judge("pixels_retained", after.get("PixelData") == before.get("PixelData"), "PixelData")
        for path, old, new in uid_pairs(before, after):
            scored.judge("uid_changed", old.startswith("1.2.840.10008.") or (new != old and is_valid_uid(new)), path)
            uids[old].add(new)
        for path, days in date_pairs(before, after):
            scored.judge("date_shifted", days != 0 and len(offsets[patient.number] | {days}) == 1, path)
            offsets[patient.number].add(days)
        patients[patient.number].add(str(after.PatientID))
    for news in uids.values():
        scored.judge("uid_consistent", len(news) == 1, "UIDs")
    for pseudonyms in patients.values():
        scored.judge("patid_consistent", len(pseudonyms) == 1, "PatientID")
    return scored


def score_burned_in(files: list[Path], place: Path, scored: Score) -> None:
    """Write a banner into the pixels of real images, call them ultrasound, and judge what a profile's rule leaves of it."""
    for file in files:
        before = read(file.read_bytes())
        is_simple = before.get("BitsAllocated") == 16 and int(before.get("NumberOfFrames", 1)) == 1
        if is_simple and not before.file_meta.TransferSyntaxUID.is_compressed:
            _judge_banner(_with_banner(before), place, scored)


def _with_banner(dataset: Dataset) -> Dataset:
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = _ULTRASOUND
    dataset.Modality, dataset.BurnedInAnnotation, dataset.ImageType = "US", "YES", ["ORIGINAL", "PRIMARY"]
    banner = b"\x00\x01\xff\x00" * (dataset.Columns * _BANNER // 2)
    dataset.PixelData = banner + dataset.PixelData[len(banner) :]
    return dataset


def _judge_banner(before: Dataset, place: Path, scored: Score) -> None:
    rows, columns = int(before.Rows), int(before.Columns)
    rule = {
        "name": "banner",
        "where": {"Modality": "US", "Rows": rows, "Columns": columns, "BurnedInAnnotation": "YES"},
        "blank": [[0, 0, columns, _BANNER]],
    }
    content = encoded(before, str(before.file_meta.TransferSyntaxUID))
    answer, written = checked_answer_of(content, shipped_engine("research", pixels=[rule]), place)
    size = columns * _BANNER * 2
    pixels = read(written).PixelData if isinstance(answer, Rewritten) else b""
    scored.judge("pixels_hidden", bool(pixels) and len(set(struct.iter_unpack("<H", pixels[:size]))) == 1, "the banner")
    scored.judge("pixels_retained", pixels[size:] == read(content).PixelData[size:], "below the banner")


def planted(dataset: Dataset, patient: Patient) -> Dataset:
    """The real object with the patient's identity, and with `CASES` where its IOD has the attribute."""
    dataset.SpecificCharacterSet = "ISO_IR 192"
    for keyword, day in DATES.items():
        if keyword in dataset or keyword == "StudyDate":
            setattr(dataset, keyword, day)
    for case in _cases_of(dataset):
        holder, keyword = _holder(dataset, case.path)
        setattr(holder, keyword, case.written.format(**patient._asdict()))
    return dataset


def _cases_of(dataset: Dataset) -> Iterator[Case]:
    """What must go may stand anywhere; what must stay is asked for where the IOD has the attribute."""
    sop_class = str(dataset.SOPClassUID)
    return (case for case in CASES if not case.retained or type_of(sop_class, *case.path.split(".")) is not None)


def _holder(dataset: Dataset, path: str) -> tuple[Dataset, str]:
    *around, keyword = path.split(".")
    for sequence in around:
        if not dataset.get(sequence):
            setattr(dataset, sequence, Sequence([Dataset()]))
        dataset = dataset[sequence].value[0]
    return dataset, keyword


def _text_at(dataset: Dataset, path: str) -> str:
    *around, keyword = path.split(".")
    for sequence in around:
        items = dataset.get(sequence)
        if not items:
            return ""
        dataset = items[0]
    return str(dataset.get(keyword, ""))


def _judge_texts(before: Dataset, after: Dataset, patient: Patient, scored: Score) -> None:
    for case in _cases_of(before):
        text = _text_at(after, case.path)
        for token in (one.format(**patient._asdict()) for one in case.removed):
            scored.judge("text_removed", token.casefold() not in text.casefold(), case.path, case.written)
        for token in case.retained:
            scored.judge("text_retained", token in text, case.path, token)
        if case.not_null:
            scored.judge("text_notnull", bool(text), case.path)


def _judge_tags(before: Dataset, after: Dataset, scored: Score) -> None:
    sop_class = str(before.SOPClassUID)
    for keyword in RETAINED_TAGS:
        if before.get(keyword) not in (None, "") and type_of(sop_class, keyword) is not None:
            scored.judge("tag_retained", after.get(keyword) not in (None, ""), keyword)


def spell(scored: Score) -> Iterator[str]:
    """The score as lines."""
    for action in ACTIONS:
        asked, wrong = scored.asked[action], scored.wrong[action]
        yield f"{action:18} {asked:6} asked, {wrong:4} wrong" + (f", {100 * (1 - wrong / asked):6.2f} % right" if asked else "")
    yield f"{'all':18} {scored.asked.total():6} asked, {scored.wrong.total():4} wrong, {scored.percentage:6.2f} % right"
