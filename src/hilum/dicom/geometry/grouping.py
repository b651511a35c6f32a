"""The volumes within a series: told apart by orientation, then by what differs among images at one position."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from operator import itemgetter
from statistics import median
from typing import Any, NamedTuple

from hilum.dicom.geometry.slices import Slice
from hilum.dicom.geometry.vectors import dot, normal_of

SAME_ORIENTATION = 0.01  # largest difference of two parallel slices' direction cosines; about 0.6 degrees
MOST_ORIENTATIONS = 64  # beyond it (a radial or hostile series) only equal orientations belong together


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
    normal = normal_of(group[0].image_orientation or (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    along = sorted(((dot(normal, image.image_position or (0, 0, 0)), image) for image in group), key=itemgetter(0))
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
