"""Segmentations (PS3.3 A.51, C.8.20): the plane with most of their pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.dicom.grids import Grid, grid_of
from hilum.dicom.overlays.placing import PALETTE, Candidate, Colour, choose_image, read_below
from hilum.dicom.pixels import THUMBNAIL, PixelError, as_png, aspect_of, fitted, frame, functional_group, sentences

if TYPE_CHECKING:
    from pydicom import Dataset

    from hilum.dicom.pixels.showing import Bytes8

MOST_FRAMES = 400  # of a segmentation that are looked at; of more, as many evenly spread
OPACITY = 0.45


@dataclass(frozen=True)
class Labels:
    """A plane of a segmentation: `labels` of shape (rows, columns), 0 where nothing is; `colours` by label."""

    labels: "Any"
    colours: dict[int, Colour]
    grid: Grid | None
    named: tuple[str, ...]
    aspect: float

    def needs(self, candidates: Sequence[Candidate]) -> str:
        return choose_image(self.named, candidates, self._distance)

    def draw_on(self, image: Path) -> bytes:
        with sentences("shown"):
            header, index, below = read_below(image, self._distance)
            labels = self._on(grid_of(header, index), below.shape[0], below.shape[1])
            return as_png(fitted(_blend(below, labels, self.colours), aspect_of(header, index), THUMBNAIL))

    def draw_alone(self) -> bytes:
        import numpy as np

        with sentences("shown"):
            black = np.zeros((*self.labels.shape, 3), np.uint8)
            return as_png(fitted(_blend(black, self.labels, self.colours, 1.0), self.aspect, THUMBNAIL))

    def _distance(self, grid: Grid) -> float:
        if self.grid is None:
            return 0.0
        rows, columns = self.labels.shape
        corner = self.grid.origin + (columns - 1) * self.grid.right + (rows - 1) * self.grid.down
        return grid.distance_of((self.grid.origin + corner) / 2)

    def _on(self, grid: Grid | None, rows: int, columns: int) -> Any:
        """The labels at the pixels of the image below, each the nearest one's."""
        import numpy as np

        if grid is None or self.grid is None:
            if self.labels.shape != (rows, columns):
                raise PixelError("The segmentation does not say where on its image it lies.")
            return self.labels
        places = np.rint(self.grid.pixels_of(grid.points_of(rows, columns))).astype(np.int64)
        column, row = places[..., 0], places[..., 1]
        inside = (row >= 0) & (row < self.labels.shape[0]) & (column >= 0) & (column < self.labels.shape[1])
        return np.where(inside, self.labels[np.where(inside, row, 0), np.where(inside, column, 0)], 0)


def read_segmentation(dataset: "Dataset") -> Labels:
    """The plane with most pixels in any segment."""
    import numpy as np

    frames = max(int(dataset.get("NumberOfFrames") or 1), 1)
    looked_at = sorted({int(index) for index in np.linspace(0, frames - 1, min(frames, MOST_FRAMES))})
    planes: dict[Any, list[tuple[int, Any]]] = {}
    for index in looked_at:
        mask = frame(dataset, index)
        if mask.any():
            planes.setdefault(_plane_key(dataset, index), []).append((index, mask))
    if not planes:
        raise PixelError("The segmentation is empty.")
    busiest = max(planes.values(), key=lambda masks: sum(int(np.count_nonzero(mask)) for _, mask in masks))
    first = busiest[0][0]
    named = tuple(uid for index, _ in busiest for uid in _source_uids(dataset, index))
    return Labels(_merged(dataset, busiest), _segment_colours(dataset), grid_of(dataset, first), named, aspect_of(dataset, first))


def _plane_key(dataset: "Dataset", index: int) -> Any:
    grid = grid_of(dataset, index)
    if grid is not None:
        return round(float(grid.origin @ grid.normal), 2)
    return _source_uids(dataset, index) or index


def _source_uids(dataset: "Dataset", index: int) -> tuple[str, ...]:
    """PS3.3 C.7.6.16.2.6: the images that a frame was derived from."""
    groups = dataset.get("PerFrameFunctionalGroupsSequence") or []
    derivations = groups[index].get("DerivationImageSequence") or [] if index < len(groups) else []
    sources = [source for derivation in derivations for source in derivation.get("SourceImageSequence") or []]
    return tuple(str(source.get("ReferencedSOPInstanceUID", "")) for source in sources)


def _merged(dataset: "Dataset", masks: Sequence[tuple[int, Any]]) -> Any:
    """One image of segment numbers; where segments overlap the later one is seen."""
    import numpy as np

    labels = np.zeros(masks[0][1].shape[:2], np.int32)
    is_map = dataset.get("SegmentationType") == "LABELMAP"  # PS3.3 C.8.20.2.3: pixel values are segment numbers
    for index, mask in masks:
        if mask.shape == labels.shape:
            labels = np.where(mask > 0, mask.astype(np.int32) if is_map else _segment_number(dataset, index), labels)
    return labels


def _segment_number(dataset: "Dataset", index: int) -> int:
    macro = functional_group(dataset, "SegmentIdentificationSequence", index)
    return int(macro.get("ReferencedSegmentNumber") or 1) if macro is not None else 1


def _segment_colours(dataset: "Dataset") -> dict[int, Colour]:
    colours: dict[int, Colour] = {}
    for segment in dataset.get("SegmentSequence") or []:
        lab = segment.get("RecommendedDisplayCIELabValue")
        if lab is not None and len(lab) == 3:
            colours[int(segment.get("SegmentNumber") or 0)] = from_cielab(*(int(part) for part in lab))
    return colours


def from_cielab(lightness: int, a: int, b: int) -> Colour:
    """PS3.3 C.10.7.1.1: CIELab scaled to 16 bits, as sRGB (IEC 61966-2-1, D50 whitepoint adapted by the Bradford matrix)."""
    import numpy as np

    high = lightness / 65535 * 100
    fy = (high + 16) / 116
    f = np.array([fy + (a / 65535 * 255 - 128) / 500, fy, fy - (b / 65535 * 255 - 128) / 200])
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * np.array([0.9642, 1.0, 0.8251])
    linear = np.clip(np.array([[3.1339, -1.6169, -0.4906], [-0.9788, 1.9161, 0.0335], [0.0719, -0.2290, 1.4052]]) @ xyz, 0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = (round(float(part) * 255) for part in srgb)
    return red, green, blue


def _blend(below: "Bytes8", labels: Any, colours: dict[int, Colour], opacity: float = OPACITY) -> "Bytes8":
    """Each label's colour over the image, its edge whole."""
    import numpy as np

    shown = below.astype(np.float32)
    for label in (int(one) for one in np.unique(labels) if one > 0):
        colour = np.array(colours.get(label) or PALETTE[(label - 1) % len(PALETTE)], np.float32)
        mask = labels == label
        shown[mask] = shown[mask] * (1 - opacity) + colour * opacity
        inner = np.zeros_like(mask)
        inner[1:-1, 1:-1] = mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
        shown[mask & ~inner] = colour
    return shown.astype(np.uint8)
