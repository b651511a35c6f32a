"""Regions of an image made dark, whatever its encoding (PS3.3 C.7.6.3, PS3.5 8 and A.4). Nothing else of it changes.

Native pixels are changed where they stand. A compressed frame is decoded, changed and encoded again without loss, in its own transfer
syntax where that has a lossless form; the other frames keep their bytes. Where it has none (JPEG Baseline, say), all frames become
JPEG-LS Lossless: that adds no loss to what there was.

Codecs are native code and the bytes are anybody's: as with `pixels`, call this in a child process with limits of its own.
"""

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hilum.dicom.pixels import PixelError, frame

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydicom import Dataset

JPEG_LS_LOSSLESS, JPEG_2000_LOSSLESS, RLE_LOSSLESS = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"

LOSSLESS_FORM: Mapping[str, str] = {
    RLE_LOSSLESS: RLE_LOSSLESS,
    JPEG_LS_LOSSLESS: JPEG_LS_LOSSLESS,
    "1.2.840.10008.1.2.4.81": JPEG_LS_LOSSLESS,  # PS3.5 8.2.3: Near-lossless allows an error of 0
    JPEG_2000_LOSSLESS: JPEG_2000_LOSSLESS,
    "1.2.840.10008.1.2.4.91": JPEG_2000_LOSSLESS,  # PS3.5 8.2.4: reversible codestreams are allowed there, too
}
"""Transfer syntax -> the one whose encoder makes frames that both may hold."""

_OWN_COLOURS = frozenset(["RGB", "YBR_RCT"])  # decoded they are RGB, and RGB is what their encoders take
_MONOCHROME = frozenset(["MONOCHROME1", "MONOCHROME2"])


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of pixels; `left` and `top` count from 0. What lies outside an image is left alone."""

    left: int
    top: int
    width: int
    height: int


def blank(content: bytes, regions: Sequence[Region], frames: Collection[int] | None = None) -> bytes:
    """An object with `regions` of its image made dark.

    Args:
        content: a whole Part 10 object.
        regions: what is made dark in each frame.
        frames: which frames, from 0; None: all of them.

    Returns:
        The object again. Only its pixel data differ, and what describes them where the transfer syntax had to change.

    Raises:
        PixelError: there is no image, it cannot be decoded, or there is no way to write it again without loss.
    """
    from pydicom import dcmread

    dataset = dcmread(io.BytesIO(content), force=True)
    number = max(int(dataset.get("NumberOfFrames") or 1), 1)
    chosen = sorted(set(range(number)) if frames is None else set(frames))
    if "PixelData" not in dataset or not hasattr(dataset.file_meta, "TransferSyntaxUID"):
        raise PixelError("The instance has no pixel data that can be made dark.")
    if not chosen or chosen[0] < 0 or chosen[-1] >= number:
        raise PixelError(f"There is no such frame: the instance has {number}.")
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        _blank_compressed(dataset, regions, chosen, number)
    else:
        _blank_native(dataset, regions, chosen, number)
    written = io.BytesIO()
    dataset.save_as(written, enforce_file_format=True)
    return written.getvalue()


def darken(pixels: "NDArray[Any]", regions: Sequence[Region], dark: Any) -> None:
    """Set regions of one frame, (rows, columns) or (rows, columns, samples), in place."""
    for region in regions:
        top, left = max(region.top, 0), max(region.left, 0)
        pixels[top : max(region.top + region.height, 0), left : max(region.left + region.width, 0)] = dark


# --- native ------------------------------------------------------------------------------------------------------------------------


def _blank_native(dataset: "Dataset", regions: Sequence[Region], chosen: Sequence[int], number: int) -> None:
    import numpy as np

    rows, columns, samples, bits = _shape(dataset)
    photometric = str(dataset.PhotometricInterpretation)
    content = bytearray(dataset.PixelData)
    if bits == 1:
        _blank_bits(dataset, content, regions, chosen)
        return
    is_subsampled = photometric in ("YBR_FULL_422", "YBR_PARTIAL_422")
    per_frame = rows * columns * (2 if is_subsampled else samples)
    values = np.frombuffer(content, dtype=_stored_type(dataset, bits))
    if len(values) < per_frame * number:
        raise PixelError("The pixel data are shorter than their frames.")
    for index in chosen:
        stored = values[index * per_frame : (index + 1) * per_frame]
        if is_subsampled:
            _darken_subsampled(stored.reshape(rows, columns // 2, 4), regions, bits)
        elif samples > 1 and int(dataset.get("PlanarConfiguration") or 0) == 1:
            darken(np.moveaxis(stored.reshape(samples, rows, columns), 0, -1), regions, _dark(dataset, stored, bits))
        else:
            shape = (rows, columns) if samples == 1 else (rows, columns, samples)
            darken(stored.reshape(shape), regions, _dark(dataset, stored, bits))
    dataset.PixelData = bytes(content)


def _darken_subsampled(stored: "NDArray[Any]", regions: Sequence[Region], bits: int) -> None:
    """PS3.3 C.7.6.3.1.2: two pixels are Y Y Cb Cr, so a region grows to whole pairs."""
    pairs = [
        Region(region.left // 2, region.top, (region.left + region.width + 1) // 2 - region.left // 2, region.height) for region in regions
    ]
    grey = 1 << (bits - 1)
    darken(stored, pairs, (0, 0, grey, grey))


def _blank_bits(dataset: "Dataset", content: bytearray, regions: Sequence[Region], chosen: Sequence[int]) -> None:
    """PS3.5 8.1.1: pixels of one bit follow each other without gaps, frames too, the first in the lowest bit."""
    import numpy as np

    rows, columns, *_ = _shape(dataset)
    bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
    for index in chosen:
        darken(bits[index * rows * columns : (index + 1) * rows * columns].reshape(rows, columns), regions, 0)
    dataset.PixelData = np.packbits(bits, bitorder="little").tobytes()


def _stored_type(dataset: "Dataset", bits: int) -> "np.dtype[Any]":
    import numpy as np

    if bits not in (8, 16, 32):
        raise PixelError(f"Pixels of {bits} bits cannot be made dark.")
    order = "<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">"
    kind = "i" if int(dataset.get("PixelRepresentation") or 0) else "u"
    return np.dtype(f"{order}{kind}{bits // 8}")


# --- compressed ----------------------------------------------------------------------------------------------------------------------


def _blank_compressed(dataset: "Dataset", regions: Sequence[Region], chosen: Sequence[int], number: int) -> None:
    from pydicom.encaps import encapsulate, generate_frames

    syntax = str(dataset.file_meta.TransferSyntaxUID)
    form = _form_for(dataset, syntax)
    if form is None:
        form, changed = JPEG_LS_LOSSLESS, range(number)
    else:
        changed = chosen  # type: ignore[assignment]
    codes = list(generate_frames(dataset.PixelData, number_of_frames=number))
    for index in changed:
        pixels = frame(dataset, index).copy()
        if index in chosen:
            darken(pixels, regions, _dark(dataset, pixels, int(dataset.BitsAllocated), is_decoded=True))
        codes[index] = _encode(dataset, pixels, form)
    dataset.PixelData = encapsulate(codes, has_bot=True)
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):  # PS3.3 C.7.6.3.1.8: they would point elsewhere now
        dataset.pop(keyword, None)
    if len(changed) == number and form != LOSSLESS_FORM.get(syntax):
        _describe_converted(dataset, form)


def _form_for(dataset: "Dataset", syntax: str) -> str | None:
    """The lossless form of its own transfer syntax; None where all frames must become another one."""
    is_plain = int(dataset.SamplesPerPixel) == 1 or str(dataset.PhotometricInterpretation) in _OWN_COLOURS
    return LOSSLESS_FORM.get(syntax) if is_plain else None


def _describe_converted(dataset: "Dataset", form: str) -> None:
    from pydicom.uid import UID

    dataset.file_meta.TransferSyntaxUID = UID(form)
    if int(dataset.SamplesPerPixel) > 1:
        dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "RGB", 0


def _encode(dataset: "Dataset", pixels: "NDArray[Any]", form: str) -> bytes:
    """One frame, without loss.

    Raises:
        PixelError: the encoder does not take it.
    """
    from pydicom.pixels.encoders.base import get_encoder
    from pydicom.uid import UID

    rows, columns, samples, bits = _shape(dataset)
    described: dict[str, Any] = {
        "rows": rows,
        "columns": columns,
        "samples_per_pixel": samples,
        "bits_allocated": bits,
        "bits_stored": int(dataset.BitsStored),
        "pixel_representation": int(dataset.get("PixelRepresentation") or 0),
        "photometric_interpretation": _photometric_to_encode(dataset, form),
        "number_of_frames": 1,
        "planar_configuration": 0,
    }
    try:
        return bytes(get_encoder(UID(form)).encode(pixels, **described))
    except Exception as error:  # codecs raise what they like; all of it means that this frame cannot be written
        raise PixelError("A frame could not be encoded again without loss.") from error


def _photometric_to_encode(dataset: "Dataset", form: str) -> str:
    photometric = str(dataset.PhotometricInterpretation)
    if int(dataset.SamplesPerPixel) == 1:
        return photometric
    # PS3.5 8.2.4: the reversible component transformation is JPEG 2000's own.
    return "YBR_RCT" if form == JPEG_2000_LOSSLESS and photometric == "YBR_RCT" else "RGB"


# --- what is dark ----------------------------------------------------------------------------------------------------------------------


def _dark(dataset: "Dataset", pixels: "NDArray[Any]", bits: int, *, is_decoded: bool = False) -> Any:
    """The stored value of the darkest pixel there is: no window changes because of it."""
    photometric = str(dataset.PhotometricInterpretation)
    if photometric in _MONOCHROME:
        return pixels.max() if photometric == "MONOCHROME1" else pixels.min()
    if photometric == "PALETTE COLOR":
        return _darkest_entry(dataset)
    if photometric.startswith("YBR_FULL") and not is_decoded:
        return (0, 1 << (bits - 1), 1 << (bits - 1))
    return 0


def _darkest_entry(dataset: "Dataset") -> int:
    """PS3.3 C.7.6.3.1.5: the pixel value whose red, green and blue are least together."""
    import numpy as np

    number, first, entry_bits = (int(part) for part in dataset.RedPaletteColorLookupTableDescriptor)
    tables = [dataset.get(f"{colour}PaletteColorLookupTableData") for colour in ("Red", "Green", "Blue")]
    if any(table is None for table in tables):
        raise PixelError("The palette is segmented or missing: what is dark in it is not known.")
    kind = "<u2" if entry_bits == 16 or len(tables[0]) >= 2 * (number or 65_536) else "u1"
    light = sum(np.frombuffer(table, kind).astype(np.int64)[: number or 65_536] for table in tables)
    return first + int(np.argmin(light))


def _shape(dataset: "Dataset") -> tuple[int, int, int, int]:
    """Rows, columns, samples a pixel, bits allocated."""
    return int(dataset.Rows), int(dataset.Columns), int(dataset.get("SamplesPerPixel") or 1), int(dataset.BitsAllocated)
