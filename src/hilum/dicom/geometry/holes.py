"""The slices that are missing from a volume, or from a series that should have a known number of images."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from hilum.dicom.geometry.grouping import Volume, volumes
from hilum.dicom.geometry.ladders import Evidence, ladder_of, missing_after, numbers_between
from hilum.dicom.geometry.slices import Slice
from hilum.dicom.geometry.vectors import Vector, toward


@dataclass(frozen=True, slots=True)
class Gap:
    """A place where slices are missing.

    Attributes:
        volume: the label of the volume.
        count: how many are missing.
        numbers: which, counted from 1 in the volume as it should be; empty where only their count is known.
        instance_numbers: their InstanceNumbers, where the numbering reveals them.
        after: the slice before the hole; None at the start, or where the place is unknown.
        after_number: that slice's number, counted as `numbers`.
        position: ImagePositionPatient (mm) of the first that is missing.
        evidence: what says so.
    """

    volume: str
    count: int
    numbers: tuple[int, ...]
    instance_numbers: tuple[int, ...]
    after: Slice | None
    after_number: int | None
    position: Vector | None
    evidence: Evidence


def gaps(volume: Volume, used: frozenset[int] = frozenset()) -> list[Gap]:
    """The holes between the slices of one volume.

    Args:
        used: the InstanceNumbers of the whole series: one that another volume bears is not missing here.
    """
    ladder = ladder_of(volume, used)
    found: list[Gap] = []
    if ladder is None:
        return found
    number = 0
    for index, after in enumerate(ladder.rungs[:-1]):
        number += 1
        count, evidence = missing_after(ladder, index, used)
        if count:
            numbers = tuple(range(number + 1, number + 1 + count))
            borne = numbers_between(ladder, index, count) if evidence == "position and numbering" else ()
            position = _position_between(after, ladder.rungs[index + 1], 1 / (count + 1))
            found.append(Gap(volume.label, count, numbers, borne, after, number, position, evidence))
            number += count
    return found


def missing_slices(slices: Iterable[Slice], expected: int | None = None) -> list[Gap]:
    """What is missing from one series.

    Args:
        expected: how many images the series should have; only with it can the first and the last be missed.
    """
    return missing_from(volumes(slices), expected)


def missing_from(parts: Sequence[Volume], expected: int | None = None) -> list[Gap]:
    """As `missing_slices`, where the volumes of the series are known already."""
    used = frozenset(image.instance_number for part in parts for image in part.slices if image.instance_number is not None)
    found = {index: gaps(part, used) for index, part in enumerate(parts)}
    if expected is not None:
        _add_ends(parts, found, expected)
    return [gap for part in found.values() for gap in part]


def skipped_instance_numbers(slices: Iterable[Slice]) -> list[tuple[int, int]]:
    """Runs (first, last) of InstanceNumbers that no image bears: a hint only, for many writers leave numbers out."""
    numbers = sorted({image.instance_number for image in slices if image.instance_number is not None})
    return [(a + 1, b - 1) for a, b in pairwise(numbers) if b - a > 1]


def _add_ends(parts: Sequence[Volume], found: dict[int, list[Gap]], expected: int) -> None:
    """Add the images that the count says to be missing beyond the holes: at an end where the numbering shows which, else somewhere."""
    images = {image.key for part in parts for image in part.slices}
    sizes = [len(part.slices) + sum(gap.count for gap in found[index]) for index, part in enumerate(parts)]
    short = expected - len(images) - sum(gap.count for holes in found.values() for gap in holes)
    if short <= 0:
        return
    share, rest = divmod(short, len(parts) or 1)
    # Only equal volumes, each with one image a position, show how the count divides among them.
    is_each_an_image = len(images) == sum(len(part.slices) for part in parts)  # and no frame of one
    if rest or len(set(sizes)) != 1 or not is_each_an_image or not all(map(_has_one_a_position, parts)):
        found[len(parts)] = [_somewhere("the series", short)]
        return
    for index, part in enumerate(parts):
        found[index] = _with_ends(part, found[index], sizes[index] + share, share, index)


def _has_one_a_position(volume: Volume) -> bool:
    return volume.unjudged is None and len(set(volume.positions)) == len(volume.slices)


def _with_ends(part: Volume, holes: Sequence[Gap], each: int, short: int, index: int) -> list[Gap]:
    lowest = part.slices[0].instance_number
    # The numbers of a series begin at 1, or each volume's where the one before ended.
    leads = [lowest - first for first in (index * each + 1, 1) if lowest is not None and 0 <= lowest - first <= short]
    if not leads or lowest is None:
        return [*holes, _somewhere(part.label, short)]
    lead, trail = leads[0], short - leads[0]
    ends = [replace(hole, numbers=tuple(n + lead for n in hole.numbers), after_number=(hole.after_number or 0) + lead) for hole in holes]
    if lead:
        numbers = tuple(range(lowest - lead, lowest))
        ends.insert(0, Gap(part.label, lead, tuple(range(1, lead + 1)), numbers, None, None, None, "expected count"))
    if trail:
        missing = tuple(range(each - trail + 1, each + 1))
        ends.append(Gap(part.label, trail, missing, (), part.slices[-1], each - trail, None, "expected count"))
    return ends


def _somewhere(label: str, count: int) -> Gap:
    return Gap(label, count, (), (), None, None, None, "expected count")


def _position_between(one: Slice, other: Slice, share: float) -> Vector | None:
    if one.image_position is None or other.image_position is None:
        return None
    return toward(one.image_position, other.image_position, share)
