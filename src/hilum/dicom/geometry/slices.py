"""What geometry needs of one instance's header, read from values by DICOM keyword (PS3.3 C.7.6.2)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Any

from hilum.dicom.geometry.vectors import Vector, dot

LARGEST = 1e12  # a larger number in a header is a mistake, and its square might overflow


@dataclass(frozen=True, slots=True)
class Slice:
    """What geometry needs of one instance's header; what is absent or malformed is None.

    Attributes:
        key: the caller's own name for the instance.
        image_position: ImagePositionPatient, mm in the patient's coordinates, centre of the first pixel.
        image_orientation: ImageOrientationPatient, direction cosines of the first row, then of the first column.
        malformed: keywords that were present but could not be read.
    """

    key: int | str
    image_position: Vector | None = None
    image_orientation: tuple[float, ...] | None = None
    pixel_spacing: tuple[float, ...] | None = None
    slice_thickness: float | None = None
    spacing_between_slices: float | None = None
    instance_number: int | None = None
    rows: int | None = None
    columns: int | None = None
    echo_numbers: tuple[int, ...] | None = None
    echo_time: float | None = None
    inversion_time: float | None = None
    diffusion_b_value: float | None = None
    diffusion_gradient_orientation: tuple[float, ...] | None = None
    temporal_position_identifier: int | None = None
    acquisition_number: int | None = None
    trigger_time: float | None = None
    image_type: tuple[str, ...] = ()
    number_of_frames: int | None = None
    malformed: tuple[str, ...] = ()


def _number(values: Sequence[Any]) -> float:
    (value,) = values
    # float() takes digits grouped by "_", PS3.5 6.2 (DS) does not.
    if isinstance(value, str) and "_" in value:
        raise ValueError(value)
    number = float(value)
    if not abs(number) <= LARGEST:  # not a number is never less
        raise ValueError(value)
    return number


def _integer(values: Sequence[Any]) -> int:
    number = _number(values)
    # PS3.5 6.2: an IS has 32 bits.
    if not number.is_integer() or not -(2**31) <= number < 2**31:
        raise ValueError(number)
    return int(number)


def _integers(values: Sequence[Any]) -> tuple[int, ...]:
    return tuple(_integer([value]) for value in values)


def _numbers(count: int) -> Callable[[Sequence[Any]], tuple[float, ...]]:
    def read(values: Sequence[Any]) -> tuple[float, ...]:
        if len(values) != count:
            raise ValueError(values)
        return tuple(_number([value]) for value in values)

    return read


def _orientation(values: Sequence[Any]) -> tuple[float, ...]:
    cosines = _numbers(6)(values)
    row, column = cosines[:3], cosines[3:]
    # PS3.3 C.7.6.2.1.1: the row and column vectors are of unit length and orthogonal.
    if abs(hypot(*row) - 1) > 0.1 or abs(hypot(*column) - 1) > 0.1 or abs(dot(row, column)) > 0.1:
        raise ValueError(values)
    return cosines


def _words(values: Sequence[Any]) -> tuple[str, ...]:
    return tuple(str(value).strip() for value in values)


_READERS: tuple[tuple[str, str, Callable[[Sequence[Any]], Any]], ...] = (
    ("ImagePositionPatient", "image_position", _numbers(3)),
    ("ImageOrientationPatient", "image_orientation", _orientation),
    ("PixelSpacing", "pixel_spacing", _numbers(2)),
    ("SliceThickness", "slice_thickness", _number),
    ("SpacingBetweenSlices", "spacing_between_slices", _number),
    ("InstanceNumber", "instance_number", _integer),
    ("Rows", "rows", _integer),
    ("Columns", "columns", _integer),
    ("EchoNumbers", "echo_numbers", _integers),
    ("EchoTime", "echo_time", _number),
    ("InversionTime", "inversion_time", _number),
    ("DiffusionBValue", "diffusion_b_value", _number),
    ("DiffusionGradientOrientation", "diffusion_gradient_orientation", _numbers(3)),
    ("TemporalPositionIdentifier", "temporal_position_identifier", _integer),
    ("AcquisitionNumber", "acquisition_number", _integer),
    ("TriggerTime", "trigger_time", _number),
    ("ImageType", "image_type", _words),
    ("NumberOfFrames", "number_of_frames", _integer),
)


GEOMETRY_ATTRIBUTES: tuple[str, ...] = ("SOPInstanceUID", *(keyword for keyword, _, _ in _READERS))
"""The keywords that `slice_from` reads."""


def slice_from(attributes: Mapping[str, Any], key: int | str | None = None) -> Slice:
    """Read a slice from values by DICOM keyword: text (several values parted by a backslash), numbers, or lists of them.

    Args:
        attributes: any of `GEOMETRY_ATTRIBUTES`; others are ignored.
        key: the caller's name for the instance; its SOPInstanceUID by default.
    """
    read: dict[str, Any] = {}
    malformed = []
    for keyword, name, reader in _READERS:
        values = _values_of(attributes.get(keyword))
        if not values:
            continue
        try:
            read[name] = reader(values)
        except (ValueError, TypeError, OverflowError):
            malformed.append(keyword)
    return Slice(str(attributes.get("SOPInstanceUID", "")) if key is None else key, **read, malformed=tuple(malformed))


def _values_of(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    if isinstance(value, str):
        return value.split("\\") if value.strip() else ()
    return value if isinstance(value, list | tuple | Sequence) else (value,)
