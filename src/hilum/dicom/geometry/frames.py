"""The frames of an enhanced multi-frame instance as slices (PS3.3 C.7.6.16): the functional groups say where each lies."""

from collections.abc import Sequence
from itertools import repeat
from typing import Any

from hilum.dicom.geometry.slices import Slice, slice_from
from hilum.dicom.headers import Header

MOST_FRAMES = 20_000

# Which attribute of which functional group macro (PS3.3 C.7.6.16.2, C.8.13.5) says what a plain header's keyword says.
_FRAME_ATTRIBUTES: tuple[tuple[str, str], ...] = (
    ("ImagePositionPatient", "PlanePositionSequence[0].ImagePositionPatient"),
    ("ImageOrientationPatient", "PlaneOrientationSequence[0].ImageOrientationPatient"),
    ("PixelSpacing", "PixelMeasuresSequence[0].PixelSpacing"),
    ("SliceThickness", "PixelMeasuresSequence[0].SliceThickness"),
    ("SpacingBetweenSlices", "PixelMeasuresSequence[0].SpacingBetweenSlices"),
    ("EchoTime", "MREchoSequence[0].EffectiveEchoTime"),
    ("DiffusionBValue", "MRDiffusionSequence[0].DiffusionBValue"),
    ("DiffusionGradientOrientation", "MRDiffusionSequence[0].DiffusionGradientDirectionSequence[0].DiffusionGradientOrientation"),
    ("TemporalPositionIdentifier", "FrameContentSequence[0].TemporalPositionIndex"),
    ("AcquisitionNumber", "FrameContentSequence[0].FrameAcquisitionNumber"),
    ("TriggerTime", "CardiacSynchronizationSequence[0].NominalCardiacTriggerDelayTime"),
    ("ImageType", "MRImageFrameTypeSequence[0].FrameType"),
    ("ImageType", "CTImageFrameTypeSequence[0].FrameType"),
    ("ImageType", "PETFrameTypeSequence[0].FrameType"),
)
# PS3.3 C.8.20.2: the frames of a segmentation are its segments', and empty ones may be left out.
_SEGMENTS = "SegmentSequence"


def frames_of(header: Header, key: int | str) -> list[Slice]:
    """The frames of one instance, in their order; empty where the header does not say where each lies, or where frames are segments.

    Args:
        header: of the whole data set (`scanner.scan_all`).
        key: the caller's name of the instance: every frame bears it.
    """
    count = header.count_items("PerFrameFunctionalGroupsSequence")
    if not 1 < count <= MOST_FRAMES or header.holds(_SEGMENTS):
        return []
    columns = {}
    for keyword, path in _FRAME_ATTRIBUTES:
        values = _each_frame(header, path, count)
        if any(value for value in values):
            columns[keyword] = values
    shared = {keyword: header.text(keyword) for keyword in ("Rows", "Columns") if header.text(keyword)}
    if "ImagePositionPatient" not in columns:
        return []
    return [slice_from({**shared, **{keyword: values[frame] for keyword, values in columns.items()}}, key) for frame in range(count)]


def _each_frame(header: Header, path: str, count: int) -> Sequence[Any]:
    """A value a frame: its own, or what all frames share."""
    own = header.each(f"PerFrameFunctionalGroupsSequence[*].{path}")
    if len(own) == count and any(own):
        return [list(values) if values else None for values in own]
    shared = header.values(f"SharedFunctionalGroupsSequence[0].{path}")
    return list(repeat(list(shared) if shared else None, count))
