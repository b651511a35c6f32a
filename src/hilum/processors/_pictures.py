"""The pictures of a series, in order: every frame of every instance, with what its header says of where it lies and what it means."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.dicom.geometry import GEOMETRY_ATTRIBUTES, Slice, Volume, slice_from, volumes
from hilum.dicom.pixels import window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydicom import Dataset

MOST_FRAMES = 10_000  # of one instance; a header may announce billions

LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601-7 2.5.1, of red, green and blue

# PS3.3 C.7.6.16.2: the functional group macros of an enhanced instance that say where a frame lies.
_MACROS: dict[str, tuple[str, ...]] = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
}


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame: the file it is in, its number there from 0, and its place."""

    path: Path
    index: int
    slice: Slice


@dataclass(frozen=True, slots=True)
class Survey:
    """The pictures of a series: its volumes, all pictures in their order, and how many files have no readable header."""

    volumes: tuple[Volume, ...]
    pictures: tuple[Picture, ...]
    instances: int
    unreadable: int

    @property
    def largest(self) -> Volume | None:
        """The volume with the most pictures."""
        return max(self.volumes, key=lambda volume: len(volume.slices), default=None)

    def of(self, volume: Volume) -> list[Picture]:
        """The pictures of one volume, in its order."""
        by_key = {picture.slice.key: picture for picture in self.pictures}
        return [by_key[image.key] for image in volume.slices]


def survey(folder: Path) -> Survey:
    """Read the headers of all files of a folder."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    headers = [(path, read_header(path)) for path in files]
    found = [picture for path, header in headers if header is not None for picture in _pictures(path, header)]
    numbered = [replace(picture, slice=replace(picture.slice, key=key)) for key, picture in enumerate(found)]
    parts = tuple(volumes(picture.slice for picture in numbered))
    unsorted = Survey(parts, tuple(numbered), len(files), sum(header is None for _, header in headers))
    return replace(unsorted, pictures=tuple(picture for part in parts for picture in unsorted.of(part)))


def read_header(path: Path) -> "Dataset | None":
    """The header without pixel data; None where it cannot be read."""
    from pydicom import dcmread

    try:
        return dcmread(path, stop_before_pixels=True, force=True)
    except Exception:  # noqa: BLE001  pydicom lets through whatever a damaged header raises: struct.error, RecursionError, zlib.error ...
        return None


def _pictures(path: Path, header: "Dataset") -> Iterator[Picture]:
    shared = {keyword: header.get(keyword) for keyword in GEOMETRY_ATTRIBUTES}
    frames = min(_number_of_frames(header), MOST_FRAMES)
    if frames == 1 and "PerFrameFunctionalGroupsSequence" not in header:
        yield Picture(path, 0, slice_from(shared))
        return
    for index in range(frames):
        own = _of_frame(header, index)
        yield Picture(path, index, slice_from(shared | {"NumberOfFrames": None, "InstanceNumber": index + 1} | own))


def _number_of_frames(header: "Dataset") -> int:
    try:
        return max(1, int(header.get("NumberOfFrames") or 1))
    except (TypeError, ValueError):
        return 1


def _of_frame(header: "Dataset", index: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for macro, keywords in _MACROS.items():
        item = macro_of(header, macro, index)
        found |= {keyword: item[keyword].value for keyword in keywords if item is not None and keyword in item}
    return found


def macro_of(header: "Dataset", macro: str, index: int) -> "Dataset | None":
    """A functional group macro's item, the frame's own before the shared one."""
    own = (header.get("PerFrameFunctionalGroupsSequence") or [])[index : index + 1]
    for groups in (*own, *(header.get("SharedFunctionalGroupsSequence") or [])[:1]):
        if items := groups.get(macro):
            return items[0]  # type: ignore[no-any-return]
    return None


# --- values -------------------------------------------------------------------------------------------------------------


def values_of(pixels: "NDArray[Any]", header: "Dataset", index: int) -> "NDArray[np.float32]":
    """What statistics are made of, (rows, columns): values after rescaling, or the luminance of colours."""
    import numpy as np

    if header.get("PhotometricInterpretation") == "PALETTE COLOR":
        pixels = window(pixels, header, index)
    if pixels.ndim == 3:
        return pixels[..., :3].astype(np.float32) @ np.array(LUMINANCE, np.float32)
    slope, intercept = _rescaling(header, index)
    # Float Pixel Data (PS3.3 C.7.6.24) may hold NaN and infinities.
    values: NDArray[np.float32] = np.nan_to_num(pixels.astype(np.float32) * np.float32(slope) + np.float32(intercept))
    return values


def _rescaling(header: "Dataset", index: int) -> tuple[float, float]:
    holder = macro_of(header, "PixelValueTransformationSequence", index) or header
    try:
        return float(holder.get("RescaleSlope", 1) or 1), float(holder.get("RescaleIntercept", 0) or 0)
    except (TypeError, ValueError):
        return 1.0, 0.0


def padding_of(pixels: "NDArray[Any]", header: "Dataset") -> "NDArray[np.bool_] | None":
    """Where there is no image (PS3.3 C.7.5.1.1.2 Pixel Padding Value); None where there is no padding."""
    value = header.get("PixelPaddingValue")
    if pixels.ndim != 2 or not isinstance(value, int):
        return None
    padding: NDArray[np.bool_] = pixels == value
    return padding if padding.any() else None


def spread(pictures: Sequence[Picture], most: int) -> list[Picture]:
    """At most `most` of them, evenly spread."""
    if len(pictures) <= most:
        return list(pictures)
    return [pictures[round((place + 0.5) * len(pictures) / most - 0.5)] for place in range(most)]
