"""What a de-identified copy must still have: pixels, geometry, intervals between dates, references, and no error that its original has not.

Used by the tests on a sample and by `bench/deid_real.py` on everything.
"""

import re
import subprocess
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pydicom.data
from deidentifying import checked_answer_of, read
from pydicom import Dataset

from hilum.deidentification.engine import Engine, Rewritten
from hilum.dicom.attributes import tag_of, vr_of
from hilum.dicom.confidentiality import Option
from hilum.dicom.iods import type_of

_GEOMETRY = """
Rows Columns NumberOfFrames SamplesPerPixel PlanarConfiguration BitsAllocated BitsStored HighBit PixelRepresentation
PhotometricInterpretation PixelSpacing ImagerPixelSpacing NominalScannedPixelSpacing PixelAspectRatio ImagePositionPatient
ImageOrientationPatient ImagePositionVolume ImageOrientationVolume SliceThickness SpacingBetweenSlices SliceLocation
PatientPosition GantryDetectorTilt RescaleSlope RescaleIntercept WindowCenter WindowWidth DimensionIndexValues
DimensionIndexPointer FunctionalGroupPointer FrameIncrementPointer InStackPositionNumber TemporalPositionIndex
TotalPixelMatrixRows TotalPixelMatrixColumns ImageOrientationSlide XOffsetInSlideCoordinateSystem
YOffsetInSlideCoordinateSystem ZOffsetInSlideCoordinateSystem RowPositionInTotalImagePixelMatrix
ColumnPositionInTotalImagePixelMatrix ContourData ContourGeometricType NumberOfContourPoints GraphicData GraphicType
GridFrameOffsetVector DoseGridScaling SegmentNumber ReferencedSegmentNumber SegmentationType MaximumFractionalValue
RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor BluePaletteColorLookupTableDescriptor
RealWorldValueSlope RealWorldValueIntercept LUTDescriptor ImageFrameOrigin OverlayRows OverlayColumns
"""
GEOMETRY = frozenset(_GEOMETRY.split())
"""Attributes that say where pixels lie and what they mean (PS3.3 C.7.6.2, C.7.6.3, C.7.6.16, C.8.8.6, C.8.12, C.10.9)."""

# UIDs that name a kind of thing (PS3.6 A), not one thing.
_KINDS = ("ClassUID", "SchemeUID", "ContextUID", "ResourceUID", "CreatorUID", "SyntaxUID", "ContextGroupUID")

Path_ = tuple[Any, ...]


def real_files(shared_data: Path) -> dict[str, list[Path]]:
    """All files there are, by the folder that holds them: those of the project, pydicom's own, and those that it has fetched before."""
    roots = [shared_data, Path(pydicom.data.__file__).parent / "test_files", Path.home() / ".pydicom" / "data"]
    found: dict[str, list[Path]] = {}
    for root in roots:
        for path in sorted(root.rglob("*")) if root.is_dir() else ():
            if path.is_file() and path.suffix not in {".json", ".md", ".gz", ".zip", ".nii", ".txt", ".py"}:
                found.setdefault(str(path.parent), []).append(path)
    return found


def harm_done(before: Dataset, after: Dataset) -> list[str]:
    """What a copy has not that it should have, as sentences without values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept, given = values_of(after), values_of(before)
        named = str(before.get("SOPClassUID", ""))
        lost = (path for path, value in given.items() if _is_lost(path, value, kept) and _belongs(named, path))
        return [*_pixels(before, after), *(f"{_spell(path)} changed" for path in lost)]


def _belongs(sop_class_uid: str, path: Path_) -> bool:
    """What the IOD does not have at its top level is left out on purpose: that is the allow list."""
    return len(path) > 1 or type_of(sop_class_uid, path[0]) is not None


def _pixels(before: Dataset, after: Dataset) -> Iterator[str]:
    for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"):
        old, new = before.get(keyword), after.get(keyword)
        if old != new and not _is_swapped(before, old, new):
            yield f"{keyword} changed"


def _is_swapped(before: Dataset, old: bytes, new: bytes | None) -> bool:
    """Pixels of 16 bits of a big endian object, written little endian."""
    if new is None or before.original_encoding[1] is not False or before.get("BitsAllocated") != 16:
        return False
    swapped = bytearray(old)
    swapped[::2], swapped[1::2] = old[1::2], old[::2]
    return bytes(swapped) == new


def _is_lost(path: Path_, value: Any, kept: dict[Path_, Any]) -> bool:
    """Text where a number belongs is no geometry: it is removed on purpose."""
    keyword = path[-1]
    is_no_number = isinstance(value, str) and vr_of(tag_of(keyword)) in {"DS", "IS"}
    return keyword in GEOMETRY and value not in (None, "") and not is_no_number and kept.get(path) != value


def _values(dataset: Dataset, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every value of a standard attribute, by keywords and numbers of items; those of icons are not the image's."""
    for tag in list(dataset.keys()):
        if tag.is_private or tag.group == 0x7FE0:
            continue
        try:
            element = dataset[tag]
        except Exception:  # noqa: BLE001 - pydicom raises whatever a broken value provokes
            continue
        if element.VR == "SQ":
            for number, item in enumerate(element.value if element.keyword != "IconImageSequence" else ()):
                yield from _values(item, (*path, element.keyword, number))
        elif element.keyword:
            yield (*path, element.keyword), element.value


def values_of(dataset: Dataset) -> dict[Path_, Any]:
    """Every value of a standard attribute by its path."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dict(_values(dataset))


def _spell(path: Path_) -> str:
    return ".".join(str(part) for part in path if not isinstance(part, int))


def uid_pairs(before: Dataset, after: Dataset) -> Iterator[tuple[str, str, str]]:
    """Where a UID of one thing stands in both: path, old, new."""
    kept = values_of(after)
    for path, value in values_of(before).items():
        if path[-1].endswith("UID") and not path[-1].endswith(_KINDS) and isinstance(value, str) and value:
            new = kept.get(path)
            if isinstance(new, str) and new:
                yield _spell(path), value, new


def date_pairs(before: Dataset, after: Dataset) -> Iterator[tuple[str, int]]:
    """Dates that stand in both: path, and how many days they were moved."""
    kept = values_of(after)
    for path, value in values_of(before).items():
        old, new = _day(value), _day(kept.get(path))
        if path[-1].endswith(("Date", "DateTime")) and old and new:
            yield _spell(path), (new - old).days


def _day(value: Any) -> date | None:
    found = re.match(r"([0-9]{4})\.?([0-9]{2})\.?([0-9]{2})", str(value or ""))
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def errors_of(file: Path) -> Counter[str]:
    """Errors that dciodvfy finds, by their text without values."""
    said = subprocess.run(["dciodvfy", "-new", str(file)], capture_output=True, text=True, errors="replace", check=False)
    lines = (said.stdout + said.stderr).splitlines()
    return Counter(re.sub(r"<[^>]*>|\[[^\]]*\]", "", line) for line in lines if line.startswith("Error"))


@dataclass
class Tally:
    """What was seen over many objects of one profile."""

    answers: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    harm: Counter[str] = field(default_factory=Counter)
    new_errors: Counter[str] = field(default_factory=Counter)
    uids: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    offsets: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def take(self, path: Path, engine: Engine, place: Path) -> None:
        """De-identify one file, check it again, and compare."""
        content = path.read_bytes()
        answer, written = checked_answer_of(content, engine, place)
        self.answers[type(answer).__name__] += 1
        if not isinstance(answer, Rewritten):
            self.reasons[answer.why] += 1
            return
        before, after = read(content), read(written)
        self.harm.update(f"{path.name}: {harm}" for harm in harm_done(before, after))
        self.new_errors.update(
            {f"{path.name}: {error}": times for error, times in (errors_of(place / "made.dcm") - errors_of(path)).items()}
        )
        for _, old, new in uid_pairs(before, after):
            self.uids[old].add(new)
        patient = str(before.get("PatientID") or before.get("StudyInstanceUID"))
        if Option.RETAIN_MODIFIED_DATES in engine.profile.options:  # else a date that the IOD needs is a dummy
            self.offsets[patient].update(days for _, days in date_pairs(before, after))

    @property
    def torn_references(self) -> int:
        """UIDs that became several, and pairs that became one."""
        all_new = [new for news in self.uids.values() for new in news]
        return sum(len(news) > 1 for news in self.uids.values()) + len(all_new) - len(set(all_new))

    @property
    def torn_dates(self) -> int:
        """Patients whose dates were moved by several offsets."""
        return sum(len(days) > 1 for days in self.offsets.values())
