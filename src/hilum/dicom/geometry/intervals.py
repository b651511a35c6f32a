"""How the slices of one volume stand to each other: their distance, where it is uneven, and whether they are sheared."""

from collections import defaultdict
from math import atan2, degrees, dist

from hilum.dicom.geometry.grouping import Volume
from hilum.dicom.geometry.ladders import ladder_of, missing_after
from hilum.dicom.geometry.slices import Slice


def spacing(volume: Volume) -> float | None:
    """The distance in mm between neighbouring slices, measured from their positions; None where there is none to measure."""
    ladder = ladder_of(volume)
    return ladder.spacing if ladder else None


def irregular_spacing(volume: Volume) -> list[tuple[Slice, float]]:
    """Intervals (mm), each with the slice before it, that differ from the spacing and are no gap."""
    ladder = ladder_of(volume)
    if ladder is None:
        return []
    return [
        (ladder.rungs[index], interval)
        for index, interval in enumerate(ladder.intervals)
        if abs(interval / ladder.spacing - 1) > 0.1 and not missing_after(ladder, index, frozenset())[0]
    ]


def duplicates(volume: Volume) -> list[tuple[Slice, ...]]:
    """Images of one volume that lie at the same position, two or more together."""
    at_position = defaultdict(list)
    for position, image in zip(volume.positions, volume.slices, strict=False):
        at_position[position].append(image)
    return [tuple(images) for images in at_position.values() if len(images) > 1]


def gantry_tilt(volume: Volume) -> float:
    """Degrees between the way from the first to the last position and the slices' normal: parallel, but sheared. No gap."""
    if len(volume.positions) < 2:
        return 0.0
    along = volume.positions[-1] - volume.positions[0]
    whole = dist(volume.slices[0].image_position or (), volume.slices[-1].image_position or ())
    return degrees(atan2(max(whole**2 - along**2, 0.0) ** 0.5, along)) if along > 0 else 0.0
