"""PS3.3 C.7.6.2.1.1: where the pixels of an image lie in the patient."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydicom import Dataset

    Vector = NDArray[np.float64]

from hilum.dicom.pixels import functional_group


@dataclass(frozen=True)
class Grid:
    """The plane of an image.

    Args:
        origin: the centre of its first pixel, mm, shape (3,).
        right, down: from one pixel to the next of its row, and of its column, mm, shape (3,).
    """

    origin: "Vector"
    right: "Vector"
    down: "Vector"

    @property
    def normal(self) -> "Vector":
        """Of length 1."""
        import numpy as np

        across = np.cross(self.right, self.down)
        return np.asarray(across / np.linalg.norm(across))

    def distance_of(self, points: "Vector") -> float:
        """Of points of shape (..., 3), on the mean, along the normal, mm."""
        import numpy as np

        return float(np.abs((points - self.origin) @ self.normal).mean())

    def pixels_of(self, points: "Vector") -> "Vector":
        """Points of shape (..., 3) as column and row, of shape (..., 2)."""
        import numpy as np

        away = points - self.origin
        steps = (self.right, self.down)
        return np.stack([away @ step / (step @ step) for step in steps], axis=-1)

    def points_of(self, rows: int, columns: int) -> "Vector":
        """The centres of all pixels, of shape (rows, columns, 3)."""
        import numpy as np

        row, column = np.mgrid[0:rows, 0:columns]
        return np.asarray(self.origin + column[..., None] * self.right + row[..., None] * self.down)


def grid_of(dataset: "Dataset", index: int = 0) -> Grid | None:
    """Of one frame; None where the image does not say where it lies."""
    position = functional_group(dataset, "PlanePositionSequence", index) or dataset
    orientation = functional_group(dataset, "PlaneOrientationSequence", index) or dataset
    measures = functional_group(dataset, "PixelMeasuresSequence", index) or dataset
    return make_grid(position.get("ImagePositionPatient"), orientation.get("ImageOrientationPatient"), measures.get("PixelSpacing"))


def make_grid(position: Any, orientation: Any, spacing: Any) -> Grid | None:
    """From the attributes' values; None where one is missing or impossible."""
    import numpy as np

    try:
        origin, cosines, spacings = (np.array([float(part) for part in one]) for one in (position, orientation, spacing))
        between_rows, between_columns = (float(part) for part in spacings)
    except (TypeError, ValueError):
        return None
    numbers = np.concatenate([origin, cosines, [between_rows, between_columns]])
    if origin.shape != (3,) or cosines.shape != (6,) or not np.isfinite(numbers).all() or min(between_rows, between_columns) <= 0:
        return None
    # PS3.3 10.7.1.3: the spacing between rows comes first; C.7.6.2.1.1: the cosines of the row come first.
    grid = Grid(origin, cosines[:3] * between_columns, cosines[3:] * between_rows)
    return grid if np.linalg.norm(np.cross(grid.right, grid.down)) > 0 else None
