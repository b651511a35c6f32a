"""PS3.3 C.7.6.2 Image Plane: the volumes within a series, the order of their slices, their spacing, and what is missing.

Pure functions on plain values. A slice is called missing only where the positions leave a hole of a whole number of slices
*and* something vouches for it: the InstanceNumbers, or positions that are otherwise regular. Where a header does not say
where its image lies (no Image Position (Patient), multi-frame, mosaic) there is no verdict rather than a guess.

    >>> stack = [slice_from({"ImagePositionPatient": [0, 0, z], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "InstanceNumber": z})
    ...          for z in (1, 2, 4, 5)]
    >>> [gap.numbers for gap in missing_slices(stack)]
    [(3,)]
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import atan2, degrees, dist, gcd, hypot, inf
from operator import itemgetter
from statistics import median
from typing import Any, Literal, NamedTuple

Vector = tuple[float, float, float]
Evidence = Literal["position and numbering", "position", "expected count"]

SAME_ORIENTATION = 0.01  # largest difference of two parallel slices' direction cosines; about 0.6 degrees
MOST_ORIENTATIONS = 64  # beyond it (a radial or hostile series) only equal orientations belong together
LARGEST = 1e12  # a larger number in a header is a mistake, and its square might overflow
MOST_MISSING = 5_000  # a hole of more slices is a jump of the table, not a loss


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


@dataclass(frozen=True, slots=True)
class Volume:
    """Images of one series that belong together.

    Attributes:
        label: what tells it from the others of the series, as "echo 2, repeat 1 of 3"; "the series" where it is alone.
        slices: in the order of position; the direction is the one in which InstanceNumber rises.
        positions: mm along that direction, one a slice; images at one position have the same number.
        unjudged: why nothing can be said of its gaps; None where something can.
    """

    label: str
    slices: tuple[Slice, ...]
    positions: tuple[float, ...] = ()
    unjudged: str | None = None


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


# --- Reading headers -------------------------------------------------------------------------------------------------


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
    if abs(hypot(*row) - 1) > 0.1 or abs(hypot(*column) - 1) > 0.1 or abs(_dot(row, column)) > 0.1:
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


# --- Volumes within a series -----------------------------------------------------------------------------------------


class _Placed(NamedTuple):
    slice: Slice
    place: int  # images at the same position have the same place, counted along the normal
    position: float  # mm along the normal


# What tells volumes that lie at the same positions apart, the surest first.
_TELLS_APART: tuple[tuple[str, Callable[[Slice], Hashable]], ...] = (
    ("echo {}", lambda image: image.echo_numbers),
    ("echo time {} ms", lambda image: image.echo_time),
    ("inversion time {} ms", lambda image: image.inversion_time),
    ("b-value {} s/mm2", lambda image: image.diffusion_b_value),
    ("gradient {}", lambda image: image.diffusion_gradient_orientation),
    ("temporal position {}", lambda image: image.temporal_position_identifier),
    ("image type {}", lambda image: image.image_type or None),
    ("trigger time {} ms", lambda image: image.trigger_time),
    ("acquisition {}", lambda image: image.acquisition_number),
    ("matrix {}", lambda image: (image.columns, image.rows) if image.rows and image.columns else None),
)


def volumes(slices: Iterable[Slice]) -> list[Volume]:
    """Part the images of one series into volumes, each at most once at a position where the headers allow it.

    Orientation always parts (a localiser has three). The attributes of `_TELLS_APART` part only where positions repeat: an
    AcquisitionNumber that changes along a CT is no second volume. The last resort is the n-th image of each position.
    """
    alone, unplaced, stacked = [], [], []
    for image in slices:
        if reason := _why_alone(image):
            alone.append((image, reason))
        elif image.image_position is None or image.image_orientation is None:
            unplaced.append(image)
        else:
            stacked.append(image)
    groups = orientations(stacked)
    found = []
    for number, group in enumerate(groups, 1):
        prefix = (f"orientation {number} of {len(groups)}",) if len(groups) > 1 else ()
        found += [_volume((*prefix, *labels), part) for labels, part in _parted(_placed(group))]
    found += [Volume(f"{reason} image {number}", (image,), unjudged=reason) for number, (image, reason) in enumerate(alone, 1)]
    if unplaced:
        found.append(Volume("images without a position", tuple(unplaced), unjudged="no position and orientation"))
    return found


def orientations(slices: Iterable[Slice]) -> list[list[Slice]]:
    """Part slices that have a position into groups of parallel ones; more than one group is a mixed orientation."""
    leaders: list[tuple[float, ...]] = []
    groups: dict[tuple[float, ...], list[Slice]] = {}
    leader_of: dict[tuple[float, ...], tuple[float, ...]] = {}
    for image in slices:
        cosines = image.image_orientation
        if cosines is None or image.image_position is None:
            continue
        if cosines not in leader_of:
            leader_of[cosines] = next((leader for leader in leaders if _is_parallel(leader, cosines)), cosines)
            if leader_of[cosines] is cosines and len(leaders) < MOST_ORIENTATIONS:
                leaders.append(cosines)
        groups.setdefault(leader_of[cosines], []).append(image)
    return list(groups.values())


def _is_parallel(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(abs(a - b) <= SAME_ORIENTATION for a, b in zip(one, other, strict=True))


def _why_alone(image: Slice) -> str | None:
    # PS3.3 C.7.6.6, C.7.6.16: the frames of one instance have positions of their own, or none.
    if (image.number_of_frames or 1) > 1:
        return "multi-frame"
    # Siemens tiles a whole volume into one image; its Image Position (Patient) is the tiled plane's, not a slice's.
    return "mosaic" if "MOSAIC" in image.image_type else None


def _placed(group: Sequence[Slice]) -> list[_Placed]:
    """Give each of parallel slices its place along the normal."""
    normal = _normal_of(group[0])
    along = sorted(((_dot(normal, image.image_position or (0, 0, 0)), image) for image in group), key=itemgetter(0))
    tolerance = _same_place_within([position for position, _ in along])
    placed: list[_Placed] = []
    for position, image in along:
        if placed and position - placed[-1].position <= tolerance:
            placed.append(_Placed(image, placed[-1].place, placed[-1].position))
        else:
            placed.append(_Placed(image, placed[-1].place + 1 if placed else 0, position))
    return placed


def _same_place_within(positions: Sequence[float]) -> float:
    # Writers round positions to six significant digits; a tenth of the usual step keeps the slices of small animals apart.
    steps = [b - a for a, b in pairwise(positions) if b - a > 1e-3]
    return min(max(0.1 * median(steps), 1e-3), 0.1) if steps else 1e-3


def _parted(group: list[_Placed]) -> list[tuple[tuple[str, ...], list[_Placed]]]:
    most = _most_at_a_place(group)
    if most == 1:
        return [((), group)]
    for label, value_of in _TELLS_APART:
        # More values than images at a position: it changes from slice to slice and tells no volumes apart.
        if not 1 < len({value_of(image.slice) for image in group}) <= most:
            continue
        parts = _by_value(group, value_of)
        if max(map(_most_at_a_place, parts.values())) < most:
            ordered = sorted(parts.items(), key=lambda part: (part[0] is None, part[0] or 0))
            return [((label.format(_written(value)), *labels), deeper) for value, part in ordered for labels, deeper in _parted(part)]
    return _by_repeat(group)


def _most_at_a_place(group: Iterable[_Placed]) -> int:
    return max(Counter(image.place for image in group).values())


def _by_value(group: Iterable[_Placed], value_of: Callable[[Slice], Hashable]) -> dict[Any, list[_Placed]]:
    parts = defaultdict(list)
    for image in group:
        parts[value_of(image.slice)].append(image)
    return parts


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return "\\".join(_written(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else "unknown" if value is None else str(value)


def _by_repeat(group: list[_Placed]) -> list[tuple[tuple[str, ...], list[_Placed]]]:
    counts = Counter(Counter(image.place for image in group).values())
    repeats = counts.most_common(1)[0][0]
    if len(counts) == 1:
        parts = _by_rank(group)
    elif repeats == 1 or max(counts) > repeats:
        parts = []  # some images were sent, or taken, twice
    else:
        parts = _by_numbering(group, repeats)
    labelled: list[tuple[tuple[str, ...], list[_Placed]]] = [
        ((f"repeat {number} of {repeats}",), part) for number, part in enumerate(parts, 1)
    ]
    return labelled or [((), group)]


def _by_rank(group: Iterable[_Placed]) -> list[list[_Placed]]:
    at_place = defaultdict(list)
    for image in sorted(group, key=_numbered):
        at_place[image.place].append(image)
    return [list(part) for part in zip(*at_place.values(), strict=True)]


def _by_numbering(group: Sequence[_Placed], repeats: int) -> list[list[_Placed]]:
    """Part repeats of which some lack an image by how InstanceNumber runs: volume by volume, or position by position."""
    if len({image.slice.instance_number for image in group} - {None}) != len(group):
        return []
    ordered = sorted(group, key=_numbered)
    moves = [b.place - a.place for a, b in pairwise(ordered)]
    forward = 1 if sum(move > 0 for move in moves) * 2 > len(moves) else -1
    runs = [[ordered[0]]]
    for move, image in zip(moves, ordered[1:], strict=True):
        if move * forward > 0:
            runs[-1].append(image)
        else:
            runs.append([image])
    return runs if len(runs) == repeats else _by_remainder(ordered, repeats)


def _by_remainder(ordered: Sequence[_Placed], repeats: int) -> list[list[_Placed]]:
    first, last_place = ordered[0].slice.instance_number or 0, max(image.place for image in ordered)
    parts: list[list[_Placed]] = [[] for _ in range(repeats)]
    rising = ordered[0].place == 0
    for image in ordered:
        place, remainder = divmod((image.slice.instance_number or 0) - first, repeats)
        if image.place != (place if rising else last_place - place):
            return []
        parts[remainder].append(image)
    return parts


def _numbered(image: _Placed) -> float:
    return inf if image.slice.instance_number is None else image.slice.instance_number


def _volume(labels: tuple[str, ...], group: Sequence[_Placed]) -> Volume:
    ordered = sorted(group, key=lambda image: (image.place, _numbered(image)))
    numbers = [image.slice.instance_number for image in ordered]
    rises = sum((b > a) - (b < a) for a, b in pairwise(numbers) if a is not None and b is not None)
    sign = -1 if rises < 0 else 1
    if sign < 0:
        ordered.sort(key=lambda image: (-image.place, _numbered(image)))
    positions = tuple(sign * image.position for image in ordered)
    return Volume(", ".join(labels) or "the series", tuple(image.slice for image in ordered), positions)


# --- Spacing and gaps ------------------------------------------------------------------------------------------------


class _Ladder(NamedTuple):
    """The distinct positions of one volume, and what its numbering says of the steps between them."""

    rungs: list[Slice]
    intervals: list[float]  # mm
    spacing: float  # mm from one slice to the next, where none is missing
    stride: int  # how far InstanceNumber moves from one slice to the next
    steps: list[int] | None  # the intervals in slices as InstanceNumber has them; None where it cannot be trusted
    is_regular: bool  # so even that a hole needs no other witness


def spacing(volume: Volume) -> float | None:
    """The distance in mm between neighbouring slices, measured from their positions; None where there is none to measure."""
    ladder = _ladder(volume)
    return ladder.spacing if ladder else None


def gaps(volume: Volume, used: frozenset[int] = frozenset()) -> list[Gap]:
    """The holes between the slices of one volume.

    Args:
        used: the InstanceNumbers of the whole series: one that another volume bears is not missing here.
    """
    ladder = _ladder(volume, used)
    found: list[Gap] = []
    if ladder is None:
        return found
    number = 0
    for index, after in enumerate(ladder.rungs[:-1]):
        number += 1
        count, evidence = _hole(ladder, index, used)
        if count:
            numbers = tuple(range(number + 1, number + 1 + count))
            borne = _between(ladder, index, count) if evidence == "position and numbering" else ()
            position = _toward(after, ladder.rungs[index + 1], 1 / (count + 1))
            found.append(Gap(volume.label, count, numbers, borne, after, number, position, evidence))
            number += count
    return found


def irregular_spacing(volume: Volume) -> list[tuple[Slice, float]]:
    """Intervals (mm), each with the slice before it, that differ from the spacing and are no gap."""
    ladder = _ladder(volume)
    if ladder is None:
        return []
    return [
        (ladder.rungs[index], interval)
        for index, interval in enumerate(ladder.intervals)
        if abs(interval / ladder.spacing - 1) > 0.1 and not _hole(ladder, index, frozenset())[0]
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


def missing_slices(slices: Iterable[Slice], expected: int | None = None) -> list[Gap]:
    """What is missing from one series.

    Args:
        expected: how many images the series should have; only with it can the first and the last be missed.
    """
    images = list(slices)
    parts = volumes(images)
    used = frozenset(image.instance_number for image in images if image.instance_number is not None)
    found = {index: gaps(part, used) for index, part in enumerate(parts)}
    if expected is not None:
        _add_ends(parts, found, expected)
    return [gap for part in found.values() for gap in part]


def skipped_instance_numbers(slices: Iterable[Slice]) -> list[tuple[int, int]]:
    """Runs (first, last) of InstanceNumbers that no image bears: a hint only, for many writers leave numbers out."""
    numbers = sorted({image.instance_number for image in slices if image.instance_number is not None})
    return [(a + 1, b - 1) for a, b in pairwise(numbers) if b - a > 1]


def _ladder(volume: Volume, used: frozenset[int] = frozenset()) -> _Ladder | None:
    distinct = dict(zip(reversed(volume.positions), reversed(volume.slices), strict=False))
    if len(distinct) < 2:
        return None
    positions, rungs = list(distinct)[::-1], list(distinct.values())[::-1]
    intervals = [b - a for a, b in pairwise(positions)]
    declared = _declared(rungs)
    stride, steps = _numbered_steps(rungs, intervals, declared, used)
    if steps is not None:
        measured = median(interval / step for interval, step in zip(intervals, steps, strict=True))
    else:
        measured = _usual(intervals, declared)
    return _Ladder(rungs, intervals, measured, stride, steps, _is_regular(intervals, measured, declared))


def _numbered_steps(
    rungs: Sequence[Slice], intervals: Sequence[float], declared: float, used: frozenset[int]
) -> tuple[int, list[int] | None]:
    """The stride of InstanceNumber, and the intervals counted in slices where four in five agree with the positions."""
    numbers = [rung.instance_number for rung in rungs]
    moves = [b - a for a, b in pairwise(numbers) if a is not None and b is not None]
    if len(moves) < len(intervals) or min(moves) <= 0:
        return 1, None
    stride = gcd(*moves)
    if stride != min(moves):
        return 1, None
    per_slice = median(interval * stride / move for interval, move in zip(intervals, moves, strict=True))
    # Where every other slice is lost only Spacing Between Slices (PS3.3 C.7.6.2) can say so.
    lost = _whole(per_slice / declared) if declared else 0
    if (
        lost > 1
        and stride % lost == 0
        and not any((numbers[0] or 0) + step in used for step in range(stride // lost, stride, stride // lost))
    ):
        stride, per_slice = stride // lost, per_slice / lost
    steps = [move // stride for move in moves]
    agree = sum(_whole(interval / per_slice) == step for interval, step in zip(intervals, steps, strict=True))
    return stride, steps if agree >= 0.8 * len(steps) else None


def _declared(rungs: Sequence[Slice]) -> float:
    # PS3.3 C.8.4.15: in nuclear medicine its sign tells the direction of stacking. Zero, or next to it, says nothing.
    declared = abs(rungs[0].spacing_between_slices or 0.0)
    return declared if declared >= 1e-3 else 0.0


def _usual(intervals: Sequence[float], declared: float) -> float:
    # Spacing Between Slices is believed only where an interval shows it: some writers give the space between the slices' edges.
    shown = [interval for interval in intervals if declared and abs(interval / declared - 1) < 0.05]
    return median(shown or intervals)


def _is_regular(intervals: Sequence[float], measured: float, declared: float) -> bool:
    even = sum(abs(interval / measured - 1) < 0.1 for interval in intervals)
    is_declared = bool(declared) and abs(measured / declared - 1) < 0.05
    return (even >= 3 and even >= 0.75 * len(intervals)) or (
        is_declared and even >= 1 and all(map(_whole, (i / measured for i in intervals)))
    )


def _whole(ratio: float) -> int:
    """The whole number that the ratio is but for rounding errors of the positions; 0 for none."""
    nearest = round(ratio)
    return nearest if abs(ratio - nearest) <= min(max(0.1, 0.002 * ratio), 0.4) else 0


def _hole(ladder: _Ladder, index: int, used: frozenset[int]) -> tuple[int, Evidence]:
    """How many slices are missing after the index-th."""
    ratio = ladder.intervals[index] / ladder.spacing
    count = _whole(ratio) - 1 if ratio > 1.5 else 0
    if not 1 <= count <= MOST_MISSING:
        return 0, "position"
    step = ladder.steps[index] if ladder.steps else None
    if step == count + 1 and used.isdisjoint(_between(ladder, index, count)):
        return count, "position and numbering"
    before, after = ladder.rungs[index], ladder.rungs[index + 1]
    if not ladder.is_regular or before.acquisition_number != after.acquisition_number:
        return 0, "position"
    if step == 1 and not _is_renumbered(ladder, count):
        return 0, "position"
    return count, "position"


def _is_renumbered(ladder: _Ladder, count: int) -> bool:
    # Numbers that run on across a hole speak against it (two ranges of one scan), unless it is the only small one of an even stack
    # whose Spacing Between Slices agrees: then somebody counted anew after the loss.
    uneven = sum(abs(interval / ladder.spacing - 1) > 0.1 for interval in ladder.intervals)
    return count <= 3 and uneven == 1 and len(ladder.intervals) >= 10 and abs(_declared(ladder.rungs) / ladder.spacing - 1) < 0.05


def _between(ladder: _Ladder, index: int, count: int) -> tuple[int, ...]:
    number = ladder.rungs[index].instance_number
    return () if number is None else tuple(number + ladder.stride * step for step in range(1, count + 1))


def _add_ends(parts: Sequence[Volume], found: dict[int, list[Gap]], expected: int) -> None:
    """Add what the expected count says to be missing beyond the holes: at an end where the numbering shows which, else somewhere."""
    have = [len(set(part.positions)) or len(part.slices) for part in parts]
    each, rest = divmod(expected, len(parts) or 1)
    if not parts or rest or any(part.unjudged for part in parts):
        short = expected - sum(have) - sum(gap.count for gaps_of in found.values() for gap in gaps_of)
        found[len(parts)] = [_somewhere("the series", short)] if short > 0 else []
        return
    for index, part in enumerate(parts):
        short = each - have[index] - sum(gap.count for gap in found[index])
        if short > 0:
            found[index] = _with_ends(part, found[index], each, short, index)


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


# --- Vectors ---------------------------------------------------------------------------------------------------------


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    (a, b, c), (d, e, f) = one, other
    return a * d + b * e + c * f


def _normal_of(image: Slice) -> Vector:
    # PS3.3 C.7.6.2.1.1: the normal is the cross product of the row's and the column's direction.
    a, b, c, d, e, f = image.image_orientation or (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    length = hypot(*normal) or 1.0
    return normal[0] / length, normal[1] / length, normal[2] / length


def _toward(one: Slice, other: Slice, share: float) -> Vector | None:
    if one.image_position is None or other.image_position is None:
        return None
    (ax, ay, az), (bx, by, bz) = one.image_position, other.image_position
    return ax + (bx - ax) * share, ay + (by - ay) * share, az + (bz - az) * share
