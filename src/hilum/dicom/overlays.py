"""Segmentations and structure sets made visible: on the image they belong to, or alone where that is not at hand.

    overlay = read_overlay(path)                       # its busiest plane
    uid = overlay.needs(candidates)                    # which image of the reference lies there
    png = overlay.draw_on(image_path)  or  overlay.draw_alone()

As in `pixels`: to be called in a child process with limits, and whatever is wrong is a `PixelError`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hilum.dicom.grids import Grid, grid_of
from hilum.dicom.pixels import THUMBNAIL, PixelError, as_png, aspect_of, fitted, frame, functional_group, sentences, window

if TYPE_CHECKING:
    from pydicom import Dataset

    from hilum.dicom.pixels.showing import Bytes8

MOST_FRAMES = 400  # of a segmentation that are looked at; of more, as many evenly spread
MOST_CONTOURS = 20_000
FARTHEST = 10.0  # mm from the plane of an image: what is farther does not lie on it
OPACITY = 0.45

Colour = tuple[int, int, int]
PALETTE: tuple[Colour, ...] = ((255, 179, 71), (111, 208, 255), (244, 154, 193), (168, 224, 95), (255, 240, 120), (190, 160, 255))
"""For what names no colour of its own; told apart in common colour blindness, too."""


@dataclass(frozen=True)
class Candidate:
    """An image that may lie below; `grid` is None where it does not say, or holds many frames."""

    sop_instance_uid: str
    grid: Grid | None


class Overlay(Protocol):
    """The busiest plane of a segmentation or a structure set."""

    def needs(self, candidates: Sequence[Candidate]) -> str:
        """SOP Instance UID of the image that lies there; empty where none does."""
        ...

    def draw_on(self, image: Path) -> bytes:
        """A PNG of the image with this over it; PixelError where it does not lie on it."""
        ...

    def draw_alone(self) -> bytes:
        """A PNG of this on black."""
        ...


def read_overlay(path: Path) -> Overlay:
    """Raises PixelError where it is neither, or shows nothing."""
    from pydicom import dcmread

    with sentences("read"):
        dataset = dcmread(path, force=True)
        return _read_contours(dataset) if "ROIContourSequence" in dataset else _read_segmentation(dataset)


def _choose(named: Iterable[str], candidates: Sequence[Candidate], distance: Any) -> str:
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


def _below(image: Path, distance: Any) -> tuple["Dataset", int, "Bytes8"]:
    """The image's header, the frame that lies nearest, and that frame in colours of shape (rows, columns, 3)."""
    import numpy as np
    from pydicom import dcmread

    header = dcmread(image, stop_before_pixels=True, force=True)
    frames = max(int(header.get("NumberOfFrames") or 1), 1)
    grids = [(index, grid) for index in range(frames) if (grid := grid_of(header, index)) is not None]
    index = min(grids, key=lambda pair: distance(pair[1]))[0] if grids else frames // 2
    shown = window(frame(image, index), header, index)
    return header, index, shown if shown.ndim == 3 else np.repeat(shown[..., None], 3, axis=2)


# --- segmentations (PS3.3 A.51, C.8.20) ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Labels:
    """A plane of a segmentation: `labels` of shape (rows, columns), 0 where nothing is; `colours` by label."""

    labels: "Any"
    colours: dict[int, Colour]
    grid: Grid | None
    named: tuple[str, ...]
    aspect: float

    def needs(self, candidates: Sequence[Candidate]) -> str:
        return _choose(self.named, candidates, self._distance)

    def draw_on(self, image: Path) -> bytes:
        with sentences("shown"):
            header, index, below = _below(image, self._distance)
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


def _read_segmentation(dataset: "Dataset") -> Labels:
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
            colours[int(segment.get("SegmentNumber") or 0)] = _from_cielab(*(int(part) for part in lab))
    return colours


def _from_cielab(lightness: int, a: int, b: int) -> Colour:
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


# --- structure sets (PS3.3 A.19, C.8.8.6) --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Contours:
    """A plane of a structure set: closed lines of shape (points, 3), mm, with their colours."""

    lines: tuple[tuple[Any, Colour], ...]
    named: tuple[str, ...]

    def needs(self, candidates: Sequence[Candidate]) -> str:
        return _choose(self.named, candidates, self._distance)

    def draw_on(self, image: Path) -> bytes:
        with sentences("shown"):
            header, index, below = _below(image, self._distance)
            grid = grid_of(header, index)
            if grid is None:
                raise PixelError("The image below does not say where it lies.")
            picture = fitted(below, aspect_of(header, index), THUMBNAIL)
            scale = picture.width / below.shape[1], picture.height / below.shape[0]
            # The centre of pixel 0 is half a pixel away from the picture's edge.
            return _drawn(picture, [((grid.pixels_of(line) + 0.5) * scale, colour) for line, colour in self.lines])

    def draw_alone(self) -> bytes:
        import numpy as np
        from PIL import Image

        with sentences("shown"):
            flat = [(line[:, :2], colour) for line, colour in self.lines]
            everything = np.concatenate([line for line, _ in flat])
            low, extent = everything.min(axis=0), float(max(np.ptp(everything, axis=0).max(), 1e-6))
            scale = (THUMBNAIL - 20) / extent
            picture = Image.new("RGB", (THUMBNAIL, THUMBNAIL))
            return _drawn(picture, [((line - low) * scale + 10, colour) for line, colour in flat])

    def _distance(self, grid: Grid) -> float:
        import numpy as np

        return grid.distance_of(np.concatenate([line for line, _ in self.lines]))


def _read_contours(dataset: "Dataset") -> Contours:
    """The plane with most points."""
    planes: dict[Any, list[tuple[Any, Colour, tuple[str, ...]]]] = {}
    for number, roi in enumerate(dataset.ROIContourSequence):
        colour = _roi_colour(roi, number)
        for contour in roi.get("ContourSequence") or []:
            if sum(len(one) for one in planes.values()) >= MOST_CONTOURS:
                break
            line = _points(contour)
            if line is not None:
                images = contour.get("ContourImageSequence") or []
                named = tuple(str(image.get("ReferencedSOPInstanceUID", "")) for image in images)
                planes.setdefault(named or round(float(line[:, 2].mean()), 1), []).append((line, colour, named))
    if not planes:
        raise PixelError("The structure set has no contours.")
    busiest = max(planes.values(), key=lambda lines: sum(len(line) for line, _, _ in lines))
    return Contours(tuple((line, colour) for line, colour, _ in busiest), busiest[0][2])


def _points(contour: "Dataset") -> Any:
    """PS3.3 C.8.8.6: triplets x, y, z in mm; None where they are none."""
    import numpy as np

    values = np.array([float(part) for part in contour.get("ContourData") or []])
    usable = values.size >= 3 and values.size % 3 == 0 and np.isfinite(values).all()
    return values.reshape(-1, 3) if usable else None


def _roi_colour(roi: "Dataset", number: int) -> Colour:
    given = roi.get("ROIDisplayColor")
    if given is None or len(given) != 3:
        return PALETTE[number % len(PALETTE)]
    red, green, blue = (min(max(int(part), 0), 255) for part in given)
    return red, green, blue


def _drawn(picture: Any, lines: Sequence[tuple[Any, Colour]]) -> bytes:
    from PIL import ImageDraw

    pen = ImageDraw.Draw(picture)
    for line, colour in lines:
        points = [(float(x), float(y)) for x, y in line]
        if len(points) == 1:
            (x, y) = points[0]
            pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=colour)
        else:
            pen.line([*points, points[0]], fill=colour, width=2)
    return as_png(picture)
