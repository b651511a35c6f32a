"""Which image an overlay lies on, and that image in colours."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.dicom.grids import Grid, grid_of
from hilum.dicom.pixels import frame, window

if TYPE_CHECKING:
    from pydicom import Dataset

    from hilum.dicom.pixels.showing import Bytes8

FARTHEST = 10.0  # mm from the plane of an image: what is farther does not lie on it

Colour = tuple[int, int, int]
PALETTE: tuple[Colour, ...] = ((255, 179, 71), (111, 208, 255), (244, 154, 193), (168, 224, 95), (255, 240, 120), (190, 160, 255))
"""For what names no colour of its own; told apart in common colour blindness, too."""


@dataclass(frozen=True)
class Candidate:
    """An image that may lie below; `grid` is None where it does not say, or holds many frames."""

    sop_instance_uid: str
    grid: Grid | None


def choose_image(named: Iterable[str], candidates: Sequence[Candidate], distance: Any) -> str:
    """By name, else by place; of several named ones the nearest."""
    by_uid = {one.sop_instance_uid: one for one in candidates}
    its = [by_uid[uid] for uid in named if uid in by_uid]
    placed = [(distance(one.grid), one.sop_instance_uid) for one in its or candidates if one.grid is not None]
    nearest = min(placed, default=None)
    if nearest is not None and (its or nearest[0] <= FARTHEST):
        return nearest[1]
    if its:
        return its[len(its) // 2].sop_instance_uid
    return candidates[0].sop_instance_uid if len(candidates) == 1 else ""


def read_below(image: Path, distance: Any) -> tuple["Dataset", int, "Bytes8"]:
    """The image's header, the frame that lies nearest, and that frame in colours of shape (rows, columns, 3)."""
    import numpy as np
    from pydicom import dcmread

    header = dcmread(image, stop_before_pixels=True, force=True)
    frames = max(int(header.get("NumberOfFrames") or 1), 1)
    grids = [(index, grid) for index in range(frames) if (grid := grid_of(header, index)) is not None]
    index = min(grids, key=lambda pair: distance(pair[1]))[0] if grids else frames // 2
    shown = window(frame(image, index), header, index)
    return header, index, shown if shown.ndim == 3 else np.repeat(shown[..., None], 3, axis=2)
