"""Small DICOM files, made and changed in memory."""

import io
from collections.abc import Mapping
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset

EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"


def image(number: int, study: str = "1.2.826.1", series: str = "", **attributes: Any) -> bytes:
    """An MR image of 4 x 4 pixels, at `number` mm along the patient's long axis."""
    series = series or f"{study}.1"
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = EXPLICIT_LITTLE_ENDIAN
    made.SOPClassUID = MR_IMAGE_STORAGE
    made.SOPInstanceUID = f"{series}.{number}"
    made.StudyInstanceUID, made.SeriesInstanceUID = study, series
    made.PatientID, made.PatientName, made.Modality = "P1", "Invented^Patient", "MR"
    made.SeriesNumber, made.SeriesDescription, made.InstanceNumber = 1, "T1", number
    made.ImagePositionPatient, made.ImageOrientationPatient = [0, 0, number], [1, 0, 0, 0, 1, 0]
    made.PixelSpacing, made.SliceThickness = [1, 1], 1
    made.Rows = made.Columns = 4
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 0
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.PixelData = bytes(32)
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    written = io.BytesIO()
    pydicom.dcmwrite(written, made, enforce_file_format=True)
    return written.getvalue()


def series_of(numbers: "range | list[int]", **attributes: Any) -> dict[str, bytes]:
    """File name -> image, one a slice."""
    series = attributes.get("series", "")
    return {f"{series}{number:03}.dcm": image(number, **attributes) for number in numbers}


def read_folder(folder: Any) -> Mapping[str, bytes]:
    """Every file below a folder by its relative name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
