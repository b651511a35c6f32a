"""What the catalogue keeps of each instance: the attributes that geometry, search and the pages need, and those that templates add."""

from collections.abc import Mapping
from typing import Any

from hilum.dicom.geometry import GEOMETRY_ATTRIBUTES
from hilum.dicom.headers import Header

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


def attributes_of(header: Header, paths: tuple[str, ...], private_vrs: Mapping[str, str]) -> dict[str, Any]:
    """Path -> value, or list of values where there are several (of all items, for a path through `[*]`).

    What is missing is not there. What is there without a value is ""; a sequence with items, and what has no values that can be read, is
    True.

    Args:
        private_vrs: path -> VR, for what comes without one (Implicit VR Little Endian, UN) and is in no dictionary.
    """
    found: dict[str, Any] = {}
    for path in paths:
        values = header.values(path) if "." not in path else _of_all_items(header, path)
        if values == () and path in private_vrs:
            values = header.values_as(path, private_vrs[path])
        if values:
            found[path] = values[0] if len(values) == 1 else list(values)
        elif values is not None:
            found[path] = header.has_content(path) or ""
    return found


def _of_all_items(header: Header, path: str) -> tuple[Any, ...] | None:
    there = [values for values in header.each(path) if values is not None]
    return tuple(value for values in there for value in values) if there else None
