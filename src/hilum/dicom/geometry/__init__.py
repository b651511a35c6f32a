"""PS3.3 C.7.6.2 Image Plane: the volumes within a series, the order of their slices, their spacing, and what is missing.

Pure functions on plain values. A slice is called missing only where the positions leave a hole of a whole number of slices
*and* something vouches for it: the InstanceNumbers, or positions that are otherwise regular. Where a header does not say
where its image lies (no Image Position (Patient), mosaic, multi-frame without functional groups) there is no verdict rather than a guess.

    >>> stack = [slice_from({"ImagePositionPatient": [0, 0, z], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "InstanceNumber": z})
    ...          for z in (1, 2, 4, 5)]
    >>> [gap.numbers for gap in missing_slices(stack)]
    [(3,)]
"""

from hilum.dicom.geometry.frames import frames_of
from hilum.dicom.geometry.grouping import Volume, orientations, volumes
from hilum.dicom.geometry.holes import Gap, gaps, missing_from, missing_slices, skipped_instance_numbers
from hilum.dicom.geometry.intervals import duplicates, gantry_tilt, irregular_spacing, spacing
from hilum.dicom.geometry.ladders import Evidence
from hilum.dicom.geometry.slices import GEOMETRY_ATTRIBUTES, Slice, slice_from
from hilum.dicom.geometry.vectors import Vector

__all__ = [
    "GEOMETRY_ATTRIBUTES",
    "Evidence",
    "Gap",
    "Slice",
    "Vector",
    "Volume",
    "duplicates",
    "frames_of",
    "gantry_tilt",
    "gaps",
    "irregular_spacing",
    "missing_from",
    "missing_slices",
    "orientations",
    "skipped_instance_numbers",
    "slice_from",
    "spacing",
    "volumes",
]
