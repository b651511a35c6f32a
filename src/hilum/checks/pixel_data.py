"""Pixel Data that is there and long enough for its image (PS3.3 C.7.6.3, PS3.5 8.1)."""

from collections.abc import Iterator

from hilum.checks import Content
from hilum.dicom.headers import Header
from hilum.dicom.iods import Usage, modules_of
from hilum.model.outcomes import Severity
from hilum.model.words import joined

kind = "pixel-data"
severity = Severity.ERROR
meaning = "The image has no pixels, or fewer than its header describes: it cannot be shown or processed as a whole."
mend = "Send the image again; it was cut off before it came."

SIZES = ("Rows", "Columns", "BitsAllocated")
PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA = 0x7FE00010, 0x7FE00008, 0x7FE00009
# PS3.3 C.7.6.24, C.7.6.25: these have a size of their own, whatever Bits Allocated says.
BITS = {FLOAT_PIXEL_DATA: 32, DOUBLE_FLOAT_PIXEL_DATA: 64}


def judge(content: Content) -> Iterator[str]:
    """At most one trouble."""
    header = content.header
    if header.trouble:
        return
    if not _is_image(header):
        missing = [keyword for keyword in SIZES if not (header.number(keyword) or 0) > 0]
        if _asks_for_pixels(header):
            yield f"its header has no {joined(missing)}: its pixels cannot be found"
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
    return all((header.number(keyword) or 0) > 0 for keyword in SIZES)


def _asks_for_pixels(header: Header) -> bool:
    """Whether its IOD has the Image Pixel Module as a mandatory one (PS3.3 A.1.3), or it brings pixels whatever its IOD says."""
    uses = modules_of((header.text("SOPClassUID") or "").strip())
    return header.pixel_data is not None or any(use.module == "image-pixel" and use.usage is Usage.MANDATORY for use in uses)


def _bytes_needed(header: Header, bits: int) -> int:
    rows, columns = (int(header.number(keyword) or 0) for keyword in ("Rows", "Columns"))
    samples, frames = (max(int(header.number(keyword) or 1), 1) for keyword in ("SamplesPerPixel", "NumberOfFrames"))
    # PS3.3 C.7.6.3.1.2: two pixels share their chrominance samples.
    per_pixel = 2 if samples == 3 and header.text("PhotometricInterpretation") in ("YBR_FULL_422", "YBR_PARTIAL_422") else samples
    # PS3.5 8.1.1, 8.2: frames of one bit are packed without a gap.
    return (rows * columns * per_pixel * frames * bits + 7) // 8
