"""Pixel Data that is there and long enough for its image (PS3.3 C.7.6.3, PS3.5 8.1)."""

from collections.abc import Iterator

from hilum.checks import Content
from hilum.dicom.headers import Header
from hilum.model.outcomes import Severity

kind = "pixel-data"
severity = Severity.ERROR
meaning = "The image has no pixels, or fewer than its header describes: it cannot be shown or processed as a whole."
mend = "Send the image again; it was cut off before it came."

PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA = 0x7FE00010, 0x7FE00008, 0x7FE00009
# PS3.3 C.7.6.24, C.7.6.25: these have a size of their own, whatever Bits Allocated says.
BITS = {FLOAT_PIXEL_DATA: 32, DOUBLE_FLOAT_PIXEL_DATA: 64}


def judge(content: Content) -> Iterator[str]:
    """At most one trouble."""
    header = content.header
    if header.trouble or not _is_image(header):
        return
    pixels = header.pixel_data
    if pixels is None:
        if not header.holds("PixelDataProviderURL"):
            yield "there is no Pixel Data"
        return
    needed = _bytes_needed(header, BITS.get(pixels.tag, int(header.number("BitsAllocated") or 0)))
    if pixels.length == 0:
        yield "its Pixel Data is empty"
    elif pixels.length is not None and pixels.length < needed:
        yield f"its Pixel Data has {pixels.length} of {needed} bytes"


def _is_image(header: Header) -> bool:
    return all((header.number(keyword) or 0) > 0 for keyword in ("Rows", "Columns", "BitsAllocated"))


def _bytes_needed(header: Header, bits: int) -> int:
    rows, columns = (int(header.number(keyword) or 0) for keyword in ("Rows", "Columns"))
    samples, frames = (max(int(header.number(keyword) or 1), 1) for keyword in ("SamplesPerPixel", "NumberOfFrames"))
    # PS3.3 C.7.6.3.1.2: two pixels share their chrominance samples.
    per_pixel = 2 if samples == 3 and header.text("PhotometricInterpretation") in ("YBR_FULL_422", "YBR_PARTIAL_422") else samples
    # PS3.5 8.1.1, 8.2: frames of one bit are packed without a gap.
    return (rows * columns * per_pixel * frames * bits + 7) // 8
