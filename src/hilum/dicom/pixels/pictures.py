"""Pictures of frames: in the proportions of the body, alone and many side by side."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from hilum.dicom.pixels.decoding import decode, number_of_frames_of
from hilum.dicom.pixels.opening import open_image
from hilum.dicom.pixels.showing import functional_group, window
from hilum.dicom.pixels.troubles import MAX_BYTES, MAX_PIXELS, PixelError, sentences

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydicom import Dataset

    Bytes8: TypeAlias = NDArray[np.uint8]

THUMBNAIL = 300  # pixels, the longest side


def thumbnail(
    source: "Path | str | Dataset",
    index: int | None = None,
    *,
    longest: int = THUMBNAIL,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
) -> bytes:
    """A PNG whose longest side has `longest` pixels, in the proportions that the pixel spacing gives.

    Args:
        index: which frame, from 0; the middle one by default.

    Raises:
        PixelError: as `frame` and `window`.
    """
    with sentences("shown"), open_image(source, max_bytes) as image:
        index = number_of_frames_of(image.dataset) // 2 if index is None else index
        array = window(decode(image, index, max_pixels, max_bytes), image.dataset, index)
        return as_png(fitted(array, aspect_of(image.dataset, index), longest))


def montage(frames: "Sequence[Bytes8]", *, columns: int | None = None, tile: int = 150, max_tiles: int = 400) -> bytes:
    """A PNG with frames (as `window` gives them) side by side on black, row by row, each within a square tile.

    Args:
        columns: how many a row; nearly a square by default.
        tile: pixels of a tile's side.
        max_tiles: the most frames.

    Raises:
        PixelError: there are none, or too many.
    """
    from PIL import Image

    if not 0 < len(frames) <= max_tiles:
        raise PixelError(f"A montage takes from 1 to {max_tiles} frames, not {len(frames)}.")
    across = columns or math.ceil(math.sqrt(len(frames)))
    sheet = Image.new("RGB", (across * tile, math.ceil(len(frames) / across) * tile))
    for number, array in enumerate(frames):
        picture = fitted(array, 1.0, tile)
        down, right = divmod(number, across)
        sheet.paste(picture, (right * tile + (tile - picture.width) // 2, down * tile + (tile - picture.height) // 2))
    return as_png(sheet)


def aspect_of(dataset: "Dataset", index: int) -> float:
    """How much higher a pixel is than wide."""
    measures = functional_group(dataset, "PixelMeasuresSequence", index) or dataset
    for holder, keyword in (
        (measures, "PixelSpacing"),
        (dataset, "ImagerPixelSpacing"),
        (dataset, "NominalScannedPixelSpacing"),
        (dataset, "PixelAspectRatio"),
    ):
        value = holder.get(keyword)
        # PS3.3 10.7.1.3: the spacing between rows, so downwards, comes first; PixelAspectRatio (C.7.6.3.1.7) is likewise.
        if value is not None and len(value) == 2 and (pair := [float(part) for part in value]) and min(pair) > 0 and max(pair) < math.inf:
            return min(max(pair[0] / pair[1], 0.05), 20.0)
    return 1.0


def fitted(array: "Bytes8", aspect: float, longest: int) -> Any:
    from PIL import Image

    height, width = array.shape[0] * aspect, float(array.shape[1])
    scale = longest / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return Image.fromarray(array).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def as_png(picture: Any) -> bytes:
    held = io.BytesIO()
    picture.save(held, "PNG")
    return held.getvalue()
