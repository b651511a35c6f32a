"""Native pixels made dark where they stand (PS3.5 8.1), a frame at a time."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hilum.dicom.blanking.description import SUBSAMPLED, Image
from hilum.dicom.blanking.regions import Blanking, Region, darken
from hilum.dicom.elements import PixelDataElement, Source, TruncatedError
from hilum.dicom.pixels.troubles import PixelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_FRAME_BYTES = 256 << 20
_CHUNK = 1 << 20
_PIXEL_DATA = 0x7FE00010


def blank_native(
    source: Source, pixel_data: PixelDataElement, image: Image, blanking: Blanking, *, clears_unused_bits: bool = False
) -> Iterator[bytes]:
    """The value of Pixel Data with regions of it dark, of the same length; what lies behind the last frame becomes zeros.

    Args:
        clears_unused_bits: bits outside of those that are stored get the value that they have without an overlay in them.

    Raises:
        PixelError: frames and value do not fit each other, or are of a kind that cannot be made dark.
    """
    if pixel_data.tag != _PIXEL_DATA or pixel_data.length is None:
        raise PixelError("Its pixels are fractions, or fragments: they cannot be made dark where they stand.")
    length = pixel_data.length
    swaps = image.big_endian and pixel_data.vr == "OW" and image.bits <= 8  # PS3.5 7.3: words of two bytes
    # PS3.5 8.1.1: pixels of one bit follow each other without gaps, frames too; eight frames end with a byte.
    together = 8 if image.bits == 1 else 1
    size = _bytes_of_frame(image)
    if -(-size * image.frames // together) > length:
        raise PixelError("The pixel data are shorter than their frames.")
    at = 0
    for first in range(0, image.frames, together):
        unit = min(size, length - at)
        content = _read(source, pixel_data.offset + at, unit, swaps=swaps)
        chosen = [index for index in range(together) if first + index < image.frames and blanking.concerns(first + index)]
        if chosen or clears_unused_bits:
            content = _changed(content, image, blanking, chosen, clears=clears_unused_bits)
        yield _swapped(content) if swaps else bytes(content)
        at += unit
    for left in range(length - at, 0, -_CHUNK):
        yield bytes(min(left, _CHUNK))


def copy_native(source: Source, pixel_data: PixelDataElement, most: int) -> Iterator[bytes]:
    """The value of Pixel Data, of the same length; what lies behind its frames becomes zeros.

    Args:
        most: bytes that the frames can have; one more makes them even.

    Raises:
        PixelError: they are fragments.
        TruncatedError: they end too early.
    """
    if pixel_data.length is None:
        raise PixelError("Its pixels are not as its transfer syntax says: they are fragments.")
    length = pixel_data.length
    kept = length if length <= most + 1 else most
    for at in range(0, kept, _CHUNK):
        wanted = min(_CHUNK, kept - at)
        content = source.read_at(pixel_data.offset + at, wanted)
        if len(content) < wanted:
            raise TruncatedError(f"The file ends {kept - at - len(content)} bytes too early.")
        yield content
    for left in range(length - kept, 0, -_CHUNK):
        yield bytes(min(left, _CHUNK))


def _bytes_of_frame(image: Image) -> int:
    """Of one frame; of eight where a pixel has one bit."""
    if image.bits not in (8, 16, 32) and not (image.bits == 1 and image.samples == 1):
        raise PixelError(f"Pixels of {image.bits} bits cannot be made dark.")
    if image.photometric in SUBSAMPLED and (image.columns % 2 or image.samples != 3 or image.bits != 8):
        raise PixelError("Its colours are subsampled in a way that PS3.3 does not know.")
    samples = 2 if image.photometric in SUBSAMPLED else image.samples
    size = image.rows * image.columns * samples * (image.bits if image.bits > 1 else 8) // 8
    if size > MOST_FRAME_BYTES:
        raise PixelError(f"A frame of {size} bytes is larger than the {MOST_FRAME_BYTES} that are allowed.")
    return size


def _read(source: Source, at: int, size: int, *, swaps: bool) -> bytearray:
    content = bytearray(source.read_at(at, size))
    if len(content) < size:
        raise PixelError("The pixel data are shorter than their frames.")
    if swaps and size % 2:
        raise PixelError("Its frames end within a word: they cannot be made dark.")
    return bytearray(_swapped(content)) if swaps else content


def _swapped(content: bytearray) -> bytes:
    import numpy as np

    return np.frombuffer(content, ">u2").astype("<u2").tobytes()


def _changed(content: bytearray, image: Image, blanking: Blanking, chosen: list[int], *, clears: bool) -> bytearray:
    import numpy as np

    if image.bits == 1:
        return _blank_bits(content, image, blanking, chosen)
    order, kind = ">" if image.big_endian else "<", "i" if image.is_signed else "u"
    stored = np.frombuffer(content, f"{order}{kind}{image.bits // 8}")
    if clears:
        _clear(stored, image)
    if chosen:
        _blank_frame(stored, image, blanking.regions)
    return content


def _blank_frame(stored: "NDArray[Any]", image: Image, regions: tuple[Region, ...]) -> None:
    import numpy as np

    rows, columns = image.rows, image.columns
    if image.photometric in SUBSAMPLED:
        _darken_subsampled(stored.reshape(rows, columns // 2, 4), regions, image)
    elif image.samples > 1 and image.by_plane:
        darken(np.moveaxis(stored.reshape(image.samples, rows, columns), 0, -1), regions, image.dark(stored))
    else:
        shape = (rows, columns) if image.samples == 1 else (rows, columns, image.samples)
        darken(stored.reshape(shape), regions, image.dark(stored))


def _darken_subsampled(stored: "NDArray[Any]", regions: tuple[Region, ...], image: Image) -> None:
    """PS3.3 C.7.6.3.1.2: two pixels are Y Y Cb Cr, so a region grows to whole pairs."""
    pairs = [Region(one.left // 2, one.top, (one.left + one.width + 1) // 2 - one.left // 2, one.height) for one in regions]
    grey = 1 << (image.bits - 1)
    darken(stored, pairs, (0, 0, grey, grey))


def _blank_bits(content: bytearray, image: Image, blanking: Blanking, chosen: list[int]) -> bytearray:
    """Pixels of one bit, the first in the lowest bit."""
    import numpy as np

    bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
    size = image.rows * image.columns
    dark = 1 if image.photometric == "MONOCHROME1" else 0
    for index in chosen:
        darken(bits[index * size : (index + 1) * size].reshape(image.rows, image.columns), blanking.regions, dark)
    return bytearray(np.packbits(bits, bitorder="little").tobytes())


def _clear(stored: "NDArray[Any]", image: Image) -> None:
    """Leave the stored bits alone; the bits above are the sign's, or zero."""
    above, below = image.bits - 1 - image.high_bit, image.high_bit + 1 - image.bits_stored
    stored <<= above
    stored >>= above + below
    stored <<= below
