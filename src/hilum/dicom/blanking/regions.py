"""Rectangles of pixels, and which frames they are made dark in."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of pixels; `left` and `top` count from 0. What lies outside an image is left alone."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Blanking:
    """What is made dark.

    Args:
        frames: which frames, from 0; None: all of them.
    """

    regions: tuple[Region, ...] = ()
    frames: frozenset[int] | None = None

    def concerns(self, frame: int) -> bool:
        """Whether something of this frame is made dark."""
        return bool(self.regions) and (self.frames is None or frame in self.frames)

    def count(self, frames: int) -> int:
        """In how many of an image's frames."""
        if not self.regions:
            return 0
        return frames if self.frames is None else sum(frame < frames for frame in self.frames)


def darken(pixels: "NDArray[Any]", regions: Sequence[Region], dark: Any) -> None:
    """Set regions of one frame, (rows, columns) or (rows, columns, samples), in place."""
    for region in regions:
        top, left = max(region.top, 0), max(region.left, 0)
        pixels[top : max(region.top + region.height, 0), left : max(region.left + region.width, 0)] = dark


def outside_of(kept: Sequence[Region], rows: int, columns: int) -> tuple[Region, ...]:
    """Rectangles that cover all of an image but the kept ones, and none of these."""
    edges = sorted({0, rows, *(edge for one in kept for edge in (one.top, one.top + one.height))})
    bands = [(top, bottom) for top, bottom in pairwise(edges) if 0 <= top < bottom <= rows]
    return tuple(region for top, bottom in bands for region in _gaps(kept, top, bottom, columns))


def _gaps(kept: Sequence[Region], top: int, bottom: int, columns: int) -> list[Region]:
    gaps, at = [], 0
    there = sorted((one.left, one.left + one.width) for one in kept if one.top <= top and bottom <= one.top + one.height)
    for left, right in (*there, (columns, columns)):
        if left > at:
            gaps.append(Region(at, top, left - at, bottom - top))
        at = max(at, right)
    return gaps
