"""Results as processors make them: over images they are given, with UIDs and dates of their own."""

import copy
import io
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

RT_STRUCTURE_SET, ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.481.3", "1.2.840.10008.5.1.4.1.1.104.1"
TODAY = "20260301"  # as the processor has it
DETACHED_STUDY = "1.2.840.10008.3.1.2.3.1"


def encode(made: Dataset) -> bytes:
    """As a file; without its own File Meta it gets explicit VR little endian."""
    if not hasattr(made, "file_meta"):
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    written = io.BytesIO()
    dcmwrite(written, made, enforce_file_format=True)
    return written.getvalue()


def segmentation(images: Sequence[Dataset]) -> Dataset:
    """A SEG of the lower half of every slice, made with highdicom."""
    import highdicom
    from pydicom.sr.codedict import codes

    mask = np.zeros((len(images), images[0].Rows, images[0].Columns), np.uint8)
    mask[:, images[0].Rows // 2 :] = 1
    algorithm = highdicom.AlgorithmIdentificationSequence("halves", codes.DCM.ArtificialIntelligence, "1")
    described = highdicom.seg.SegmentDescription(
        1, "half", codes.SCT.Organ, codes.SCT.Liver, highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC, algorithm
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return highdicom.seg.Segmentation(
            images, mask, "BINARY", [described], generate_uid(), 301, generate_uid(), 1, "Halves Inc", "halves", "1", "1"
        )


def report(images: Sequence[Dataset], evidence: Dataset) -> Dataset:
    """A measurement report over a region of the segmentation `evidence`, made with highdicom."""
    import highdicom
    from highdicom.sr import MeasurementReport, ObservationContext, ObserverContext, PersonObserverIdentifyingAttributes
    from pydicom.sr.codedict import codes

    observer = ObserverContext(codes.DCM.Person, PersonObserverIdentifyingAttributes("Reader^Second"))
    region = highdicom.sr.ReferencedSegment(
        evidence.SOPClassUID,
        evidence.SOPInstanceUID,
        1,
        source_images=[highdicom.sr.SourceImageForSegmentation(one.SOPClassUID, one.SOPInstanceUID) for one in images],
    )
    group = highdicom.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        highdicom.sr.TrackingIdentifier(generate_uid(), "half"), referenced_segment=region
    )
    content = MeasurementReport(ObservationContext(observer), codes.LN.CTUnspecifiedBodyRegion, imaging_measurements=[group])
    return highdicom.sr.Comprehensive3DSR([*images, evidence], content[0], generate_uid(), 302, generate_uid(), 1, "Halves Inc")


def structure_set(images: Sequence[Dataset]) -> Dataset:
    """An RTSTRUCT with one contour a slice (PS3.3 A.19)."""
    made = _new(images[0], RT_STRUCTURE_SET, "RTSTRUCT", 303)
    made.StructureSetLabel, made.StructureSetDate, made.StructureSetTime = "halves", TODAY, "120000"
    series = Dataset()
    series.SeriesInstanceUID = images[0].SeriesInstanceUID
    series.ContourImageSequence = [_reference(one) for one in images]
    study = Dataset()
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = DETACHED_STUDY, images[0].StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    frame = Dataset()
    frame.FrameOfReferenceUID, frame.RTReferencedStudySequence = images[0].FrameOfReferenceUID, [study]
    made.ReferencedFrameOfReferenceSequence = [frame]
    roi, contours = Dataset(), Dataset()
    roi.ROINumber, roi.ReferencedFrameOfReferenceUID, roi.ROIName, roi.ROIGenerationAlgorithm = 1, frame.FrameOfReferenceUID, "half", ""
    made.StructureSetROISequence = [roi]
    contours.ReferencedROINumber, contours.ContourSequence = 1, [_contour(one) for one in images]
    made.ROIContourSequence = [contours]
    return made


def encapsulated_pdf(images: Sequence[Dataset], text: bytes = b"%PDF-1.7 of nobody") -> Dataset:
    """A PDF in an object (PS3.3 A.45.1)."""
    made = _new(images[0], ENCAPSULATED_PDF, "DOC", 304)
    made.DocumentTitle, made.MIMETypeOfEncapsulatedDocument, made.EncapsulatedDocument = "Report", "application/pdf", text
    made.ContentDate = made.ContentTime = ""
    made.BurnedInAnnotation = "NO"
    made.SourceInstanceSequence = [_reference(one) for one in images]
    return made


def derived_image(image: Dataset) -> Dataset:
    """The image with its values halved, as a new object in a new series that keeps the rest of the header."""
    made = copy.deepcopy(image)
    made.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    made.SourceImageSequence = [_reference(image)]
    made.SOPInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
    made.PixelData = bytes(len(image.PixelData))
    made.ContentDate, made.ContentTime = TODAY, "120000"
    return made


def _new(image: Dataset, sop_class_uid: str, modality: str, series_number: int) -> Dataset:
    made = Dataset()
    kept = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime", "StudyID")
    for keyword in (
        *kept,
        "AccessionNumber",
        "PatientIdentityRemoved",
        "DeidentificationMethod",
        "LongitudinalTemporalInformationModified",
    ):
        setattr(made, keyword, image.get(keyword, ""))
    made.SOPClassUID, made.SOPInstanceUID, made.SeriesInstanceUID = sop_class_uid, generate_uid(), generate_uid()
    made.Modality, made.SeriesNumber, made.InstanceNumber = modality, series_number, 1
    return made


def _reference(image: Dataset) -> Dataset:
    referenced = Dataset()
    referenced.ReferencedSOPClassUID, referenced.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    return referenced


def _contour(image: Dataset) -> Dataset:
    contour: Any = Dataset()
    x, y, z = (float(value) for value in image.ImagePositionPatient)
    contour.ContourImageSequence, contour.ContourGeometricType, contour.NumberOfContourPoints = [_reference(image)], "CLOSED_PLANAR", 3
    contour.ContourData = [x, y, z, x + 10, y, z, x, y + 10, z]
    return contour
