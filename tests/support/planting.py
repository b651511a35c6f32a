"""Objects with a patient's name planted wherever DICOM lets somebody write, and the search for what is left of it."""

import base64
import struct
from collections.abc import Callable, Iterator
from typing import Any

from deidentifying import encoded, read
from pydicom import Dataset
from pydicom.sequence import Sequence

from images import image

NAME, GIVEN, NUMBER = "Featherstone", "Wilhelmina", "MRN-4711-0815"
PLANTED = f"{NAME} {GIVEN}"
EXPLICIT, IMPLICIT, BIG, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
_STORAGE = "1.2.840.10008.5.1.4.1.1."
MR, SR, RTSTRUCT, ECG = (f"{_STORAGE}{last}" for last in ("4", "88.33", "481.3", "9.1.1"))

Planter = Callable[[Dataset], None]


def leaks(content: bytes, *tokens: str) -> list[str]:
    """Which tokens stand in some bytes, in whatever disguise: any case, UTF-16, base64 at its three alignments."""
    lower = content.lower()
    return [
        token
        for token in tokens or (NAME, GIVEN, NUMBER)
        if any(form in lower for form in _plain(token)) or any(form in content for form in _base64(token))
    ]


def _plain(token: str) -> Iterator[bytes]:
    for codec in ("utf-8", "utf-16-le", "utf-16-be", "latin-1"):
        try:
            yield token.lower().encode(codec)
        except UnicodeEncodeError:
            continue


def _base64(token: str) -> Iterator[bytes]:
    for form in (token, token.upper(), token.lower()):
        for codec in ("utf-8", "utf-16-le"):
            for lead in range(3):
                whole = base64.b64encode(bytes(lead) + form.encode(codec))
                yield whole[4:-4]


def named(number: int, sop_class: str = MR, **attributes: Any) -> Dataset:
    """An object of a patient of that name, in a study and series of its own."""
    made = read(image(number, study=f"1.2.826.77.{number}", PatientName=f"{NAME}^{GIVEN}", PatientID=NUMBER, **attributes))
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = sop_class
    return made


def items(*contents: Dataset) -> Sequence:
    return Sequence(contents)


def holding(**attributes: Any) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


# --- one planter a kind of place ------------------------------------------------------------------------------------------------


def private_of_every_vr(made: Dataset) -> None:
    block = made.private_block(0x0029, PLANTED, create=True)
    for number, vr in enumerate(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT")):
        block.add_new(number, vr, NAME.upper() if vr == "CS" else NAME)
    for number, vr in enumerate(("OB", "OD", "OF", "OL", "OV", "OW", "UN"), start=0x20):
        block.add_new(number, vr, (PLANTED * 8).encode()[:160])
    inner = holding(PatientName=PLANTED)
    inner.private_block(0x0031, PLANTED, create=True).add_new(1, "LO", PLANTED)
    block.add_new(0x40, "SQ", items(holding(ContentSequence=items(inner))))


def wrong_vr_everywhere(made: Dataset) -> None:
    """Text in attributes whose VR holds none, and unknown attributes of the standard's groups."""
    for tag in (0x00180050, 0x00181030, 0x00280030, 0x0008103E, 0x00200011, 0x00280010 + 5, 0x00187777, 0x00107777):
        made.add_new(tag, "LO", PLANTED)


def overlays_and_curves(made: Dataset) -> None:
    for group in (0x6000, 0x6002, 0x601E):
        made.add_new(group << 16 | 0x3000, "OW", PLANTED.encode())
        made.add_new(group << 16 | 0x4000, "LT", PLANTED)
        made.add_new(group << 16 | 0x0022, "LO", PLANTED)
        made.add_new(group << 16 | 0x1500, "LO", PLANTED)
    for group in (0x5000, 0x501E):
        made.add_new(group << 16 | 0x2500, "LO", PLANTED)
        made.add_new(group << 16 | 0x3000, "OW", PLANTED.encode())


def icons(made: Dataset) -> None:
    icon = holding(Rows=1, Columns=1, PixelData=PLANTED.encode())
    icon["PixelData"].VR = "OW"
    made.IconImageSequence = items(icon)
    made.ReferencedImageSequence = items(holding(ReferencedSOPInstanceUID="1.2.3", IconImageSequence=items(icon)))


def signatures_and_padding(made: Dataset) -> None:
    made.DigitalSignaturesSequence = items(holding(Signature=PLANTED.encode(), CertificateOfSigner=PLANTED.encode()))
    made.MACParametersSequence = items(holding(MACIDNumber=1, MACAlgorithm="SHA256"))
    made.add_new(0xFFFCFFFC, "OB", PLANTED.encode())


def original_attributes(made: Dataset) -> None:
    before = holding(PatientName=PLANTED, PatientID=NUMBER, StudyDescription=PLANTED)
    made.OriginalAttributesSequence = items(
        holding(
            ModifyingSystem=PLANTED,
            SourceOfPreviousValues=PLANTED,
            ModifiedAttributesSequence=items(before),
            ReasonForTheAttributeModification="CORRECT",
        )
    )


def requests_and_people(made: Dataset) -> None:
    person = holding(PersonIdentificationCodeSequence=items(holding(CodeValue=NAME[:16], CodeMeaning=PLANTED)), PersonAddress=PLANTED)
    made.ReferringPhysicianName = made.OperatorsName = PLANTED
    made.ReferringPhysicianIdentificationSequence = items(person)
    made.RequestAttributesSequence = items(holding(RequestedProcedureDescription=PLANTED, ReasonForTheRequestedProcedure=PLANTED))
    made.OtherPatientIDsSequence = items(holding(PatientID=NUMBER, TypeOfPatientID="TEXT", PatientName=PLANTED))
    made.AnatomicRegionSequence = items(holding(CodeValue="T-A0100", CodingSchemeDesignator="SRT", CodeMeaning=f"Brain of {PLANTED}"))
    made.ContributingEquipmentSequence = items(
        holding(Manufacturer="M", InstitutionName=PLANTED, OperatorsName=PLANTED, ContributionDescription=PLANTED)
    )


def structured_report(made: Dataset) -> None:
    del made.PixelData, made.Rows, made.Columns
    made.Modality, made.ValueType = "SR", "CONTAINER"
    made.VerifyingObserverSequence = items(
        holding(VerifyingObserverName=PLANTED, VerifyingOrganization=PLANTED, VerificationDateTime="20200101")
    )
    made.ContentSequence = items(
        holding(ValueType="PNAME", RelationshipType="HAS OBS CONTEXT", PersonName=PLANTED),
        holding(ValueType="TEXT", RelationshipType="CONTAINS", TextValue=f"seen with {PLANTED}"),
        holding(
            ValueType="CONTAINER",
            RelationshipType="CONTAINS",
            ConceptNameCodeSequence=items(holding(CodeValue="1", CodingSchemeDesignator="99X", CodeMeaning=PLANTED)),
            ContentSequence=items(
                holding(
                    ValueType="CONTAINER",
                    ContentSequence=items(holding(ValueType="PNAME", PersonName=PLANTED), holding(ValueType="TEXT", TextValue=PLANTED)),
                )
            ),
        ),
    )


def structure_set(made: Dataset) -> None:
    del made.PixelData, made.Rows, made.Columns
    made.Modality = "RTSTRUCT"
    made.StructureSetLabel, made.StructureSetName, made.StructureSetDescription = NAME, PLANTED, PLANTED
    made.StructureSetROISequence = items(
        holding(ROINumber=1, ROIName=f"Bladder {NAME}", ROIDescription=PLANTED, ROIGenerationDescription=PLANTED)
    )
    made.RTROIObservationsSequence = items(
        holding(ObservationNumber=1, ROIInterpreter=PLANTED, ROIObservationLabel=NAME, ROIObservationDescription=PLANTED)
    )


def waveforms(made: Dataset) -> None:
    del made.PixelData, made.Rows, made.Columns
    made.Modality = "ECG"
    channel = holding(ChannelLabel=PLANTED, ChannelDerivationDescription=PLANTED, WaveformBitsStored=16)
    made.WaveformSequence = items(
        holding(
            MultiplexGroupLabel=NAME,
            NumberOfWaveformChannels=1,
            WaveformBitsAllocated=16,
            ChannelDefinitionSequence=items(channel),
            WaveformData=b"\1\0",
        )
    )
    made.WaveformSequence[0]["WaveformData"].VR = "OW"
    made.WaveformAnnotationSequence = items(holding(UnformattedTextValue=f"called by {PLANTED}", AnnotationGroupNumber=1))
    made.AcquisitionContextSequence = items(holding(ValueType="TEXT", TextValue=PLANTED))


def free_texts(made: Dataset) -> None:
    made.StudyDescription = made.SeriesDescription = made.ProtocolName = f"Head of {PLANTED}"
    made.ImageComments = made.AdditionalPatientHistory = made.PatientComments = f"{PLANTED}, {NUMBER}"
    made.SequenceName, made.InstitutionName = NAME, PLANTED
    made.DerivationDescription = made.AcquisitionProtocolDescription = f"by {PLANTED}"


def code_strings(made: Dataset) -> None:
    """A code that the IOD has stays as it is: nobody knows all defined terms."""
    made.BodyPartExamined, made.ImageType = NAME.upper(), ["ORIGINAL", "PRIMARY", NAME.upper()]


def kept_texts(made: Dataset) -> None:
    """What an option retains stays as it is."""
    made.StationName, made.DeviceSerialNumber = NAME, NAME


def disguised(made: Dataset) -> None:
    """A cleaner does not see through these; the self-check does."""
    made.SeriesDescription = base64.b64encode(f"x {PLANTED} ".encode()).decode()[:64]


PLANTERS: dict[str, tuple[Planter, str]] = {
    planter.__name__: (planter, sop_class)
    for planter, sop_class in [
        (private_of_every_vr, MR),
        (wrong_vr_everywhere, MR),
        (overlays_and_curves, MR),
        (icons, MR),
        (signatures_and_padding, MR),
        (original_attributes, MR),
        (requests_and_people, MR),
        (free_texts, MR),
        (code_strings, MR),
        (kept_texts, MR),
        (disguised, MR),
        (structured_report, SR),
        (structure_set, RTSTRUCT),
        (waveforms, ECG),
    ]
}


def planted_objects(syntax: str = EXPLICIT) -> dict[str, bytes]:
    """One object a planter, by its name."""
    made = {}
    for number, (name, (planter, sop_class)) in enumerate(PLANTERS.items(), start=1):
        dataset = named(number, sop_class)
        planter(dataset)
        made[name] = encoded(dataset, syntax)
    return made


def implicit_within_un(tag: int) -> bytes:
    """PS3.5 6.2.2 note 2: a sequence written as UN of undefined length, its items in implicit VR little endian."""
    name = f"{NAME}^{GIVEN}".encode()
    element = struct.pack("<HHI", 0x0010, 0x0010, len(name) + len(name) % 2) + name + b" " * (len(name) % 2)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(element)) + element
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, b"UN", 0, 0xFFFFFFFF) + item + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
