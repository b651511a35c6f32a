"""Structure sets (PS3.3 A.19, C.8.8.6): the plane with most points of their contours."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.dicom.grids import Grid, grid_of
from hilum.dicom.overlays.placing import PALETTE, Candidate, Colour, choose_image, read_below
from hilum.dicom.pixels import THUMBNAIL, PixelError, as_png, aspect_of, fitted, sentences

if TYPE_CHECKING:
    from pydicom import Dataset

MOST_CONTOURS = 20_000


@dataclass(frozen=True)
class Contours:
    """A plane of a structure set: closed lines of shape (points, 3), mm, with their colours."""

    lines: tuple[tuple[Any, Colour], ...]
    named: tuple[str, ...]

    def needs(self, candidates: Sequence[Candidate]) -> str:
        return choose_image(self.named, candidates, self._distance)

    def draw_on(self, image: Path) -> bytes:
        with sentences("shown"):
            header, index, below = read_below(image, self._distance)
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


def read_structures(dataset: "Dataset") -> Contours:
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
