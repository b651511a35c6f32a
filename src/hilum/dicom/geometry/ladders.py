"""The steps between the slices of one volume, and which of them are holes.

A slice is called missing only where the positions leave a hole of a whole number of slices *and* something vouches for it: the
InstanceNumbers, or positions that are otherwise regular.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import gcd
from statistics import median
from typing import Literal, NamedTuple

from hilum.dicom.geometry.grouping import Volume
from hilum.dicom.geometry.slices import Slice

MOST_MISSING = 5_000  # a hole of more slices is a jump of the table, not a loss
Evidence = Literal["position and numbering", "position", "expected count"]


class Ladder(NamedTuple):
    """The distinct positions of one volume, and what its numbering says of the steps between them."""

    rungs: list[Slice]
    intervals: list[float]  # mm
    spacing: float  # mm from one slice to the next, where none is missing
    stride: int  # how far InstanceNumber moves from one slice to the next
    steps: list[int] | None  # the intervals in slices as InstanceNumber has them; None where it cannot be trusted
    is_regular: bool  # so even that a hole needs no other witness


def ladder_of(volume: Volume, used: frozenset[int] = frozenset()) -> Ladder | None:
    """The ladder of a volume; None where fewer than two positions are known."""
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
    return Ladder(rungs, intervals, measured, stride, steps, _is_regular(intervals, measured, declared))


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


def missing_after(ladder: Ladder, index: int, used: frozenset[int]) -> tuple[int, Evidence]:
    """How many slices are missing after the index-th, and what says so."""
    ratio = ladder.intervals[index] / ladder.spacing
    count = _whole(ratio) - 1 if ratio > 1.5 else 0
    if not 1 <= count <= MOST_MISSING:
        return 0, "position"
    step = ladder.steps[index] if ladder.steps else None
    if step == count + 1 and used.isdisjoint(numbers_between(ladder, index, count)):
        return count, "position and numbering"
    before, after = ladder.rungs[index], ladder.rungs[index + 1]
    if not ladder.is_regular or before.acquisition_number != after.acquisition_number:
        return 0, "position"
    if step == 1 and not _is_renumbered(ladder, count):
        return 0, "position"
    return count, "position"


def _is_renumbered(ladder: Ladder, count: int) -> bool:
    # Numbers that run on across a hole speak against it (two ranges of one scan), unless it is the only small one of an even stack
    # whose Spacing Between Slices agrees: then somebody counted anew after the loss.
    uneven = sum(abs(interval / ladder.spacing - 1) > 0.1 for interval in ladder.intervals)
    return count <= 3 and uneven == 1 and len(ladder.intervals) >= 10 and abs(_declared(ladder.rungs) / ladder.spacing - 1) < 0.05


def numbers_between(ladder: Ladder, index: int, count: int) -> tuple[int, ...]:
    """The InstanceNumbers that `count` slices after the index-th would bear."""
    number = ladder.rungs[index].instance_number
    return () if number is None else tuple(number + ladder.stride * step for step in range(1, count + 1))
