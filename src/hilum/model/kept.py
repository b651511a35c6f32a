"""The attributes the product itself keeps of each instance: what geometry, search and the pages need. Templates add theirs."""

from hilum.dicom.geometry import GEOMETRY_ATTRIBUTES

IDENTITY_ATTRIBUTES = (
    "PatientID",
    "IssuerOfPatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyDate",
    "StudyDescription",
)
SERIES_ATTRIBUTES = (
    "Modality",
    "SeriesDescription",
    "SeriesNumber",
    "ProtocolName",
    "BodyPartExamined",
    "FrameOfReferenceUID",
    "Manufacturer",
    "ManufacturerModelName",
    "ScanningSequence",
    "RepetitionTime",
)

KEPT_ATTRIBUTES: frozenset[str] = frozenset(GEOMETRY_ATTRIBUTES) | frozenset(IDENTITY_ATTRIBUTES) | frozenset(SERIES_ATTRIBUTES)
