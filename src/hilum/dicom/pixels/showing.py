"""Stored values made visible, as PS3.4 N.2 says."""

import math
from typing import TYPE_CHECKING, Any, TypeAlias

from hilum.dicom.pixels.troubles import sentences

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydicom import Dataset

    Pixels: TypeAlias = NDArray[Any]
    Bytes8: TypeAlias = NDArray[np.uint8]


def window(array: "Pixels", dataset: "Dataset", index: int = 0) -> "Bytes8":
    """Make stored values visible: Modality LUT, then VOI LUT, then MONOCHROME1 inverted, or the palette (PS3.4 N.2).

    Args:
        array: what `frame` gave.
        dataset: the header it came with.
        index: the frame's, for the functional groups of an enhanced instance.

    Returns:
        Eight bits of shape (rows, columns), or (rows, columns, 3) for colours. Without a usable window the values between the
        first and the 99th percentile are shown.

    Raises:
        PixelError: the header's tables cannot be applied.
    """
    with sentences("shown"):
        photometric = str(dataset.get("PhotometricInterpretation", "MONOCHROME2"))
        if photometric == "PALETTE COLOR":
            return _through_palette(array, dataset)
        if array.ndim == 3:
            return _in_eight_bits(array[..., :3], int(dataset.get("BitsStored", 8)))
        shown = _windowed(_rescaled(array, dataset, index), array, dataset, index)
        # PS3.3 C.7.6.3.1.2: in MONOCHROME1 the lowest value is white.
        return 255 - shown if photometric == "MONOCHROME1" else shown


def functional_group(dataset: "Dataset", keyword: str, index: int) -> "Dataset | None":
    """PS3.3 C.7.6.16: a functional group macro's first item, of the frame or else shared by all."""
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    for groups in (*per_frame[index : index + 1], *shared[:1]):
        if items := groups.get(keyword):
            return items[0]  # type: ignore[no-any-return]
    return None


def _rescaled(array: "Pixels", dataset: "Dataset", index: int) -> "Pixels":
    import numpy as np

    if dataset.get("ModalityLUTSequence"):
        from pydicom.pixels.processing import apply_modality_lut

        return apply_modality_lut(array, dataset).astype(np.float64)
    macro = functional_group(dataset, "PixelValueTransformationSequence", index) or dataset
    slope, intercept = _first(macro.get("RescaleSlope")), _first(macro.get("RescaleIntercept"))
    values: Pixels = array.astype(np.float32 if array.dtype.itemsize <= 2 else np.float64)
    np.multiply(values, 1.0 if slope is None else slope, out=values)
    np.add(values, intercept or 0.0, out=values)
    np.nan_to_num(values, copy=False)
    return values


def _windowed(values: "Pixels", stored: "Pixels", dataset: "Dataset", index: int) -> "Bytes8":
    voi = functional_group(dataset, "FrameVOILUTSequence", index) or dataset
    center, width = _first(voi.get("WindowCenter")), _first(voi.get("WindowWidth"))
    if center is not None and width is not None and width > 0:
        shown = _to_bytes(_voi(values, center, width, str(voi.get("VOILUTFunction") or "LINEAR")))
        # A window that shows nothing of the image is a wrong one.
        if shown.min() != shown.max():
            return shown
    elif dataset.get("VOILUTSequence"):
        return _through_voi_lut(values, dataset)
    return _to_bytes(_between_percentiles(values, stored, dataset))


def _voi(values: "Pixels", center: float, width: float, function: str) -> "Pixels":
    """PS3.3 C.11.2.1: shares of full brightness, from 0 to 1."""
    import numpy as np

    if function == "SIGMOID":  # C.11.2.1.3.1
        return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -80, 80)))
    if function == "LINEAR_EXACT" or width <= 1:  # C.11.2.1.3.2; LINEAR needs a width of 1 and divides by one less
        return (values - center) / width + 0.5
    return (values - (center - 0.5)) / (width - 1) + 0.5  # C.11.2.1.2.1


def _through_voi_lut(values: "Pixels", dataset: "Dataset") -> "Bytes8":
    import numpy as np
    from pydicom.pixels.processing import apply_voi

    bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
    return _to_bytes(apply_voi(values.astype(np.int64), dataset).astype(np.float64) / (2**bits - 1))


def _between_percentiles(values: "Pixels", stored: "Pixels", dataset: "Dataset") -> "Pixels":
    import numpy as np

    stride = max(math.isqrt(values.size // 250_000), 1)  # a quarter of a million values are enough to know the percentiles
    seen = values[::stride, ::stride]
    padding = dataset.get("PixelPaddingValue")
    if isinstance(padding, int):
        unpadded = seen[stored[::stride, ::stride] != padding]
        seen = unpadded if unpadded.size else seen
    low, high = (float(edge) for edge in np.percentile(seen, (1, 99)))
    if low == high:
        low, high = float(values.min()), float(values.max())
    return (values - low) / ((high - low) or 1.0)


def _through_palette(array: "Pixels", dataset: "Dataset") -> "Bytes8":
    from pydicom.pixels.processing import apply_color_lut

    colours = apply_color_lut(array, dataset)[..., :3]
    bits = int(dataset.RedPaletteColorLookupTableDescriptor[2])
    # PS3.3 C.7.6.3.1.6: entries of 8 bits may be said, or be stored, to have 16; the values tell.
    return _in_eight_bits(colours, 8 if colours.size and colours.max() < 256 else max(bits, 8))


def _in_eight_bits(array: "Pixels", bits: int) -> "Bytes8":
    import numpy as np

    return (array >> max(bits - 8, 0)).astype(np.uint8) if array.dtype.kind in "ui" else _to_bytes(array)


def _to_bytes(shares: "Pixels") -> "Bytes8":
    import numpy as np

    return (np.clip(shares, 0, 1) * 255 + 0.5).astype(np.uint8)


def _first(value: Any) -> float | None:
    """The first of one or more numbers; None for none, and for what is not finite."""
    if value is None or value == "":
        return None
    number = float(value if isinstance(value, str | int | float) else value[0])
    return number if math.isfinite(number) else None
