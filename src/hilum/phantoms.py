"""A head phantom for the demonstration: one study of a T1 and a FLAIR series, of ellipsoids whose volumes are known.

Five lesions of 2.631 ml together (1.357, 0.503, 0.628, 0.094 and 0.048 ml) and two lateral ventricles of 8.796 ml each lie in white matter;
the noise is Rician with a known standard deviation (Gudbjartsson and Patz 1995). The files are valid MR Image Storage objects
(PS3.3 A.4); patients are invented; the same arguments give the same bytes.

    >>> phantom = make_phantom_study(Path("phantom"), patient_id="PHANTOM-1")
    >>> phantom.volumes_ml["lesion 1"]
    1.357
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import cos, pi, radians, sin
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.dicom.uids import remap_uid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    Voxels = NDArray[np.float32]

SLICES, ROWS, COLUMNS = 40, 160, 160
SPACING = (4.0, 1.4, 1.4)
"""Millimetres between slices, rows, columns."""

FINER = (6, 2, 2)
"""Into how many smaller ones a voxel is parted where a volume matters."""

NOISE = 12.0
"""Standard deviation of the noise in each of the two channels, in the units of the pixel values."""

_UID_KEY = b"hilum's demonstration phantom"


@dataclass(frozen=True, slots=True)
class Tissue:
    """What a tissue looks like: pixel values in T1 and FLAIR."""

    t1: float
    flair: float


FAT, BONE, CSF = Tissue(820, 430), Tissue(90, 60), Tissue(170, 70)
GREY_MATTER, WHITE_MATTER, LESION = Tissue(470, 420), Tissue(680, 320), Tissue(420, 760)


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """A part of the head.

    Args:
        name: as in `PhantomStudy.volumes_ml`; empty where the volume is of no interest.
        tissue: what fills it.
        centre: mm towards the patient's left, back and head (PS3.3 C.7.6.2.1.1) from the middle of the head.
        semi_axes: mm, in the same order before turning.
        turned: degrees about the axis from foot to head.
        ripple: how much the surface waves, relative to the radius: folds of the cortex.
    """

    name: str
    tissue: Tissue
    centre: tuple[float, float, float]
    semi_axes: tuple[float, float, float]
    turned: float = 0.0
    ripple: float = 0.0

    @property
    def volume_ml(self) -> float:
        """Its exact volume."""
        a, b, c = self.semi_axes
        return 4 / 3 * pi * a * b * c / 1000


HEAD: tuple[Ellipsoid, ...] = (  # from the outside in: later ones lie in earlier ones
    Ellipsoid("", FAT, (0, 0, 0), (76, 96, 78)),
    Ellipsoid("", BONE, (0, 0, 0), (72, 92, 74)),
    Ellipsoid("", CSF, (0, 0, 0), (67, 87, 69)),
    Ellipsoid("", GREY_MATTER, (0, 0, 0), (64, 84, 66), ripple=0.015),
    Ellipsoid("", WHITE_MATTER, (0, 0, 0), (55, 75, 57), ripple=0.05),
    Ellipsoid("", CSF, (0, 0, 34), (1.4, 86, 36)),  # the fissure between the hemispheres
    Ellipsoid("", GREY_MATTER, (20, 8, -6), (9, 15, 11), 15),
    Ellipsoid("", GREY_MATTER, (-20, 8, -6), (9, 15, 11), -15),
    Ellipsoid("", CSF, (0, 6, -8), (2.5, 11, 9)),
    Ellipsoid("left ventricle", CSF, (14, -2, 12), (6.25, 28, 12), 12),
    Ellipsoid("right ventricle", CSF, (-14, -2, 12), (6.25, 28, 12), -12),
    Ellipsoid("lesion 1", LESION, (28, 24, 20), (6, 9, 6), 25),
    Ellipsoid("lesion 2", LESION, (-26, 26, 24), (4, 6, 5), -20),
    Ellipsoid("lesion 3", LESION, (31, -30, 18), (5, 5, 6)),
    Ellipsoid("lesion 4", LESION, (-34, -14, 28), (2.5, 3, 3)),
    Ellipsoid("lesion 5", LESION, (14, 34, 34), (2, 2.4, 2.4)),
)


@dataclass(frozen=True, slots=True)
class Sequence:
    """One series: which of a tissue's values it shows, and how it says so in its headers."""

    folder: str
    contrast: str
    attributes: Mapping[str, Any]


SEQUENCES = (
    Sequence(
        "t1",
        "t1",
        {
            "SeriesDescription": "T1W 3D",
            "SeriesNumber": 2,
            "ScanningSequence": ["GR", "IR"],
            "SequenceVariant": ["SP", "MP"],
            "MRAcquisitionType": "3D",
            "RepetitionTime": 2300,
            "EchoTime": 2.9,
            "InversionTime": 900,
            "FlipAngle": 9,
        },
    ),
    Sequence(
        "flair",
        "flair",
        {
            "SeriesDescription": "FLAIR",
            "SeriesNumber": 3,
            "ScanningSequence": ["SE", "IR"],
            "SequenceVariant": ["SK", "SP"],
            "MRAcquisitionType": "2D",
            "RepetitionTime": 11000,
            "EchoTime": 125,
            "InversionTime": 2800,
            "FlipAngle": 90,
        },
    ),
)


@dataclass(frozen=True, slots=True)
class PhantomStudy:
    """What was made. `volumes_ml`: the exact volume of each lesion and ventricle, and of `lesions` together."""

    study_instance_uid: str
    accession_number: str
    patient_id: str
    volumes_ml: Mapping[str, float]
    files: tuple[Path, ...]


def make_phantom_study(folder: Path, *, patient_id: str = "PHANTOM-1", seed: int = 0, without_slice: int | None = None) -> PhantomStudy:
    """Write a study below `folder`, one folder a series.

    Args:
        folder: made where it is missing.
        patient_id: names the patient and, with `seed`, the study: the same two give the same UIDs.
        seed: of the noise.
        without_slice: this InstanceNumber of the FLAIR series is not written.
    """
    import numpy as np

    study = _study_header(patient_id, seed)
    chance = np.random.default_rng(seed)
    amounts = list(_amounts())
    files = []
    for sequence in SEQUENCES:
        voxels = _scan(amounts, sequence.contrast, chance)
        for number, image in enumerate(voxels, start=1):
            if sequence.contrast == "flair" and number == without_slice:
                continue
            path = folder / sequence.folder / f"IM-{number:04d}.dcm"
            path.parent.mkdir(parents=True, exist_ok=True)
            _instance(study, sequence, number, image).save_as(path, enforce_file_format=True)
            files.append(path)
    return PhantomStudy(study["StudyInstanceUID"], study["AccessionNumber"], patient_id, _volumes(), tuple(files))


def _volumes() -> dict[str, float]:
    named = {part.name: part.volume_ml for part in HEAD if part.name}
    named["lesions"] = sum(volume for name, volume in named.items() if name.startswith("lesion"))
    return {name: round(volume, 3) for name, volume in named.items()}


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of each voxel of a box one part fills, 0 to 1."""

    tissue: Tissue
    box: tuple[slice, ...]
    filled: "Voxels"


# --- the image ----------------------------------------------------------------------------------------------------------


def _amounts() -> Iterator[Amount]:
    """How much of each voxel every part fills, in the order of `HEAD`."""
    import numpy as np

    positions = [_positions(count, step) for count, step in zip((SLICES, ROWS, COLUMNS), SPACING, strict=True)]
    for part in HEAD:
        box = tuple(_reached(part, at, axis, step) for at, axis, step in zip(reversed(part.centre), positions, SPACING, strict=True))
        grid = np.meshgrid(*(axis[inside] for axis, inside in zip(positions, box, strict=True)), indexing="ij")
        yield Amount(part.tissue, box, _filled(part, *grid))


def _positions(count: int, step: float) -> "Voxels":
    import numpy as np

    return ((np.arange(count) - (count - 1) / 2) * step).astype(np.float32)


def _reached(part: Ellipsoid, centre: float, positions: "Voxels", step: float) -> slice:
    reach = max(part.semi_axes) * (1 + part.ripple) + step
    inside = (abs(positions - centre) <= reach).nonzero()[0]
    return slice(int(inside[0]), int(inside[-1]) + 1)


def _filled(part: Ellipsoid, to_head: "Voxels", to_back: "Voxels", to_left: "Voxels") -> "Voxels":
    """How much of the voxels at these positions the part fills, 0 to 1: the mean of smaller ones where its volume matters."""
    import numpy as np

    finer = FINER if part.name else (1, 1, 1)
    size = tuple(step / count for step, count in zip(SPACING, finer, strict=True))
    offsets = list(product(*(_positions(count, step) for count, step in zip(finer, size, strict=True))))
    filled = np.zeros_like(to_head)
    for head, back, left in offsets:
        filled += _filled_by_distance(part, to_head + head, to_back + back, to_left + left, size)
    return filled / np.float32(len(offsets))


def _filled_by_distance(part: Ellipsoid, to_head: "Voxels", to_back: "Voxels", to_left: "Voxels", size: tuple[float, ...]) -> "Voxels":
    import numpy as np

    x, y, z = to_left - part.centre[0], to_back - part.centre[1], to_head - part.centre[2]
    turn = radians(part.turned)
    x, y = x * cos(turn) + y * sin(turn), y * cos(turn) - x * sin(turn)
    a, b, c = part.semi_axes
    radius = np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2) + 1e-6
    # How much the relative radius changes across a voxel: one on the surface is filled in part.
    across = (abs(x) / a**2 * size[2] + abs(y) / b**2 * size[1] + abs(z) / c**2 * size[0]) / radius
    if part.ripple:
        radius *= 1 + part.ripple * np.cos(17 * np.arctan2(x, y)) * np.cos(z / 5)
    filled: Voxels = np.clip(0.5 + (1 - radius) / across, 0, 1)
    return filled


def _scan(amounts: list[Amount], contrast: str, chance: "np.random.Generator") -> "NDArray[np.uint16]":
    """The magnitude image, (slices, rows, columns), with Rician noise: the length of a signal with noise in both channels."""
    import numpy as np

    signal = np.zeros((SLICES, ROWS, COLUMNS), np.float32)
    for amount in amounts:
        signal[amount.box] += (getattr(amount.tissue, contrast) - signal[amount.box]) * amount.filled
    real, imaginary = (chance.standard_normal(signal.shape, np.float32) * np.float32(NOISE) for _ in range(2))
    magnitude: Voxels = np.hypot(signal + real, imaginary)
    return np.rint(magnitude).astype(np.uint16)


# --- the headers --------------------------------------------------------------------------------------------------------


def _uid(*parts: object) -> str:
    return remap_uid(_UID_KEY, "/".join(map(str, parts)))


def _study_header(patient_id: str, seed: int) -> dict[str, Any]:
    """What all instances of the study share: PS3.3 C.7.1.1 Patient, C.7.2.1 General Study, C.7.5.1 General Equipment."""
    return {
        "PatientName": f"Phantom^{patient_id.title()}",
        "PatientID": patient_id,
        "PatientBirthDate": "19800101",
        "PatientSex": "O",
        "StudyInstanceUID": _uid(patient_id, seed),
        "StudyDate": "20240115",
        "StudyTime": "101500",
        "StudyID": "1",
        "StudyDescription": "HEAD PHANTOM",
        "AccessionNumber": f"HILUM{int(_uid(patient_id, seed).removeprefix('2.25.')) % 10**9:09d}",
        "ReferringPhysicianName": "",
        "Manufacturer": "Hilum",
        "ManufacturerModelName": "Head phantom",
        "SoftwareVersions": "1",
        "FrameOfReferenceUID": _uid(patient_id, seed, "frame of reference"),
        "PositionReferenceIndicator": "",
        "Modality": "MR",
        "PatientPosition": "HFS",
        "BodyPartExamined": "HEAD",
    }


def _instance(study: dict[str, Any], sequence: Sequence, number: int, image: "NDArray[np.uint16]") -> "Dataset":
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

    series_instance_uid = _uid(study["StudyInstanceUID"], sequence.folder)
    sop_instance_uid = _uid(series_instance_uid, number)
    meta, instance = FileMetaDataset(), Dataset()
    _set(meta, {"MediaStorageSOPClassUID": MRImageStorage, "MediaStorageSOPInstanceUID": sop_instance_uid})
    _set(meta, {"TransferSyntaxUID": ExplicitVRLittleEndian})
    _set(instance, {"SOPClassUID": MRImageStorage, "SOPInstanceUID": sop_instance_uid, "SeriesInstanceUID": series_instance_uid})
    _set(instance, study | dict(sequence.attributes) | _image_header(number))
    instance.PixelData = image.astype("<u2").tobytes()
    instance.file_meta = meta
    return instance


def _image_header(number: int) -> dict[str, Any]:
    """PS3.3 C.7.6.1 General Image, C.7.6.2 Image Plane, C.7.6.3 Image Pixel, C.8.3.1 MR Image."""
    left, back, head = (-(count - 1) / 2 * step for count, step in zip((COLUMNS, ROWS, SLICES), reversed(SPACING), strict=True))
    return {
        "ImageType": ["ORIGINAL", "PRIMARY", "OTHER"],
        "InstanceNumber": number,
        "ContentDate": "20240115",
        "ContentTime": "101500",
        "AcquisitionNumber": 1,
        "ImagePositionPatient": [left, back, head + (number - 1) * SPACING[0]],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [SPACING[1], SPACING[2]],
        "SliceThickness": SPACING[0],
        "SpacingBetweenSlices": SPACING[0],
        "ScanOptions": "",
        "EchoTrainLength": 1,
        "EchoNumbers": 1,
        "MagneticFieldStrength": 3,
        "ImagingFrequency": 127.7,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": ROWS,
        "Columns": COLUMNS,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "WindowCenter": 400,
        "WindowWidth": 800,
    }


def _set(instance: "Dataset", attributes: Mapping[str, Any]) -> None:
    for keyword, value in attributes.items():
        setattr(instance, keyword, value)
