"""Synthetic images for the benches, the same for the same seed: headers of real size, pixels that deflate about two to one.

Pixels are a smooth body with noise in a round field of view. What makes instances differ stands in fields of fixed length, so that one
header, made once by pydicom, serves a whole series.
"""

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage

ROOT_UID = "1.2.826.0.1.3680043.10.1399"
PATTERNS = 16  # the pictures come from so many fields of noise, shifted from image to image
# What stands in a series' header where its instances differ: as long as what is put there.
INSTANCE_SLOT, NUMBER_SLOT, POSITION_SLOT = b"900000000000", b"8888", b"-7777.7"

COMMON = {
    "SpecificCharacterSet": "ISO_IR 100",
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "StudyDate": "20240131",
    "SeriesDate": "20240131",
    "AcquisitionDate": "20240131",
    "ContentDate": "20240131",
    "StudyTime": "101500.000000",
    "SeriesTime": "101730.120000",
    "AcquisitionTime": "101733.450000",
    "ContentTime": "101733.460000",
    "Manufacturer": "Synthetic",
    "InstitutionName": "Nowhere General",
    "InstitutionAddress": "1 Example Street",
    "ReferringPhysicianName": "Referring^Doctor",
    "StationName": "BENCH01",
    "StudyDescription": "Bench of receiving",
    "InstitutionalDepartmentName": "Radiology",
    "PhysiciansOfRecord": "Record^Doctor",
    "OperatorsName": "Operator^One",
    "ManufacturerModelName": "Synthesis 3000",
    "PatientBirthDate": "19600101",
    "PatientSex": "O",
    "PatientAge": "064Y",
    "PatientWeight": "70",
    "DeviceSerialNumber": "12345",
    "SoftwareVersions": ["1.0", "bench"],
    "ProtocolName": "Routine",
    "PatientPosition": "HFS",
    "PositionReferenceIndicator": "SN",
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "SliceThickness": "1.25",
    "AcquisitionNumber": 1,
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "BitsAllocated": 16,
    "BitsStored": 16,
    "HighBit": 15,
    "PixelRepresentation": 1,
    "SmallestImagePixelValue": -1024,
    "LargestImagePixelValue": 300,
    "WindowCenter": [40, -600],
    "WindowWidth": [400, 1600],
    "WindowCenterWidthExplanation": ["SOFT", "LUNG"],
    "RescaleIntercept": 0,
    "RescaleSlope": 1,
    "RequestedProcedureDescription": "Bench",
    "PerformedProcedureStepStartDate": "20240131",
    "PerformedProcedureStepStartTime": "101500.000000",
    "PerformedProcedureStepID": "PPS42",
    "PerformedProcedureStepDescription": "Routine",
}
OF_CT = {
    "BodyPartExamined": "CHEST",
    "ScanOptions": "HELICAL",
    "KVP": 120,
    "DataCollectionDiameter": 500,
    "ReconstructionDiameter": 380,
    "DistanceSourceToDetector": 1085.6,
    "DistanceSourceToPatient": 595,
    "GantryDetectorTilt": 0,
    "TableHeight": 150.5,
    "RotationDirection": "CW",
    "ExposureTime": 500,
    "XRayTubeCurrent": 220,
    "Exposure": 110,
    "FilterType": "BODY",
    "GeneratorPower": 26,
    "FocalSpots": [0.7, 0.7],
    "ConvolutionKernel": "B31f",
    "RevolutionTime": 0.5,
    "SingleCollimationWidth": 0.6,
    "TotalCollimationWidth": 38.4,
    "TableSpeed": 46,
    "SpiralPitchFactor": 0.6,
    "CTDIvol": 7.4,
}
OF_MR = {
    "BodyPartExamined": "HEAD",
    "ScanningSequence": ["SE", "IR"],
    "SequenceVariant": ["SK", "SP"],
    "ScanOptions": "PFP",
    "MRAcquisitionType": "3D",
    "SequenceName": "*spc3d1_236ns",
    "RepetitionTime": 5000,
    "EchoTime": 386,
    "InversionTime": 1800,
    "NumberOfAverages": 1,
    "ImagingFrequency": 123.25,
    "ImagedNucleus": "1H",
    "EchoNumbers": 1,
    "MagneticFieldStrength": 3,
    "NumberOfPhaseEncodingSteps": 255,
    "EchoTrainLength": 278,
    "PercentSampling": 100,
    "PercentPhaseFieldOfView": 100,
    "PixelBandwidth": 751,
    "TransmitCoilName": "Body",
    "AcquisitionMatrix": [0, 256, 256, 0],
    "InPlanePhaseEncodingDirection": "ROW",
    "FlipAngle": 120,
    "SAR": 0.1,
    "dBdt": 0,
}


@dataclass(frozen=True)
class Kind:
    """A kind of image: square, 16 bits a pixel; every series is a study, and a patient, of its own.

    Args:
        side: pixels.
        slices: instances a series.
        private_bytes: what a vendor keeps in its own elements.
    """

    modality: str
    sop_class_uid: str
    side: int
    slices: int = 250
    private_bytes: int = 2048

    @property
    def size(self) -> str:
        return f"{self.side * self.side * 2 >> 10} KB {self.modality}"


CT = Kind("CT", CTImageStorage, 512)
MR = Kind("MR", MRImageStorage, 256)


def make_images(kind: Kind, number: int, seed: int = 1) -> Iterator[bytes]:
    """`number` Part 10 files of about `side * side * 2` bytes, in explicit VR little endian."""
    draw = _picture_maker(kind.side, seed)
    header = b""
    for at in range(number):
        series, slice_number = divmod(at, kind.slices)
        if slice_number == 0:
            header = _series_header(kind, seed, series)
        yield _fill_in(header, at, slice_number) + draw(at)


def write_zip(path: Path, images: Iterator[bytes], method: int) -> int:
    """The images as one archive of folders; returns its size in bytes. `method`: zipfile.ZIP_STORED or ZIP_DEFLATED."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for at, image in enumerate(images):
            archive.writestr(f"series{at // 250:03d}/image{at:05d}.dcm", image)
    return path.stat().st_size


def _fill_in(header: bytes, at: int, slice_number: int) -> bytes:
    header = header.replace(INSTANCE_SLOT, b"1%011d" % at).replace(NUMBER_SLOT, b"%-4d" % (slice_number + 1))
    return header.replace(POSITION_SLOT, f"{slice_number * 1.25:<7.2f}".encode())


def _series_header(kind: Kind, seed: int, series: int) -> bytes:
    """All of a file that stands before the pixels."""
    dataset = _dataset(kind, f"{ROOT_UID}.{seed}.{kind.side}.{series + 1}")
    dataset.PixelData = bytes(kind.side * kind.side * 2)
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()[: -len(dataset.PixelData)]


def _dataset(kind: Kind, study_instance_uid: str) -> Dataset:
    dataset = Dataset()
    for keyword, value in {**COMMON, **(OF_CT if kind.modality == "CT" else OF_MR)}.items():
        setattr(dataset, keyword, value)
    dataset.Modality = kind.modality
    dataset.SOPClassUID = kind.sop_class_uid
    dataset.SOPInstanceUID = f"{study_instance_uid}.2.{INSTANCE_SLOT.decode()}"
    dataset.StudyInstanceUID = study_instance_uid
    dataset.SeriesInstanceUID = dataset.FrameOfReferenceUID = f"{study_instance_uid}.1"
    dataset.PatientID = dataset.AccessionNumber = dataset.StudyID = study_instance_uid[-12:].replace(".", "-")
    dataset.PatientName = f"Bench^{dataset.PatientID}"
    dataset.SeriesDescription, dataset.SeriesNumber = f"{kind.modality} 1.25", 1
    dataset.InstanceNumber, dataset.SliceLocation = NUMBER_SLOT.decode(), POSITION_SLOT.decode()
    dataset.ImagePositionPatient = ["-190", "-190", POSITION_SLOT.decode()]
    dataset.PixelSpacing = [round(380 / kind.side, 6)] * 2
    dataset.Rows = dataset.Columns = kind.side
    block = dataset.private_block(0x0029, "HILUM BENCH", create=True)
    block.add_new(0x10, "OB", bytes(range(256)) * (kind.private_bytes // 256))
    for element in range(0x11, 0x19):
        block.add_new(element, "LO", f"private value {element}")
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def _picture_maker(side: int, seed: int) -> Callable[[int], bytes]:
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    body = np.where(np.hypot(x / 0.8, y / 0.65) < 1, 40 + 60 * np.cos(9 * x) * np.cos(7 * y), -1000)
    noise = np.random.default_rng(seed).normal(0, 30, (PATTERNS, side, side))
    fields, outside = (body + noise).astype("<i2"), np.hypot(x, y) > 1

    def draw(at: int) -> bytes:
        picture = np.roll(fields[at % PATTERNS], at // PATTERNS, axis=0)
        picture[outside] = -1024
        return bytes(picture.tobytes())

    return draw
