"""Frames out of an instance: PS3.5 8.2 and A.4, by the decoders that were chosen here."""

from collections.abc import Mapping
from pathlib import Path
from struct import unpack
from typing import TYPE_CHECKING, Any, TypeAlias

from hilum.dicom.pixels.opening import Image, open_image, transfer_syntax_of
from hilum.dicom.pixels.troubles import MAX_BYTES, MAX_PIXELS, NoDecoderError, PixelError, sentences

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom import Dataset

    Pixels: TypeAlias = NDArray[Any]

# Which of pydicom's decoders, the first that is installed. Named one by one because pydicom would also take pylibjpeg-libjpeg, which
# is GPL, wherever somebody has installed it; gdcm (BSD) is not required, but is the only one for JPEG Lossless.
_DECODERS: Mapping[str, tuple[str, ...]] = {
    "1.2.840.10008.1.2.4.50": ("pillow", "gdcm"),  # JPEG Baseline, 8 bit
    "1.2.840.10008.1.2.4.51": ("pillow", "gdcm"),  # JPEG Extended; pillow 8 bit only
    "1.2.840.10008.1.2.4.57": ("gdcm",),  # JPEG Lossless
    "1.2.840.10008.1.2.4.70": ("gdcm",),  # JPEG Lossless, first-order prediction
    "1.2.840.10008.1.2.4.80": ("pyjpegls", "gdcm"),  # JPEG-LS Lossless
    "1.2.840.10008.1.2.4.81": ("pyjpegls", "gdcm"),  # JPEG-LS Near-lossless
    "1.2.840.10008.1.2.4.90": ("pylibjpeg", "pillow"),  # JPEG 2000 Lossless (openjpeg)
    "1.2.840.10008.1.2.4.91": ("pylibjpeg", "pillow"),  # JPEG 2000
    "1.2.840.10008.1.2.4.201": ("pylibjpeg",),  # High-Throughput JPEG 2000 Lossless
    "1.2.840.10008.1.2.4.202": ("pylibjpeg",),  # the same with RPCL
    "1.2.840.10008.1.2.4.203": ("pylibjpeg",),  # High-Throughput JPEG 2000
    "1.2.840.10008.1.2.5": ("pylibjpeg", "pydicom"),  # RLE Lossless
}

_JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")


def frame(source: "Path | str | Dataset", index: int = 0, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES) -> "Pixels":
    """Decode one frame.

    Args:
        source: a Part 10 file, of which only this frame is read, or a data set with its File Meta Information.
        index: which frame, from 0.
        max_pixels: the most rows x columns.
        max_bytes: the most bytes of the decoded frame, of the compressed one, and of an inflated data set.

    Returns:
        Stored values of shape (rows, columns), or colours of shape (rows, columns, 3); YBR_* has become RGB, a palette has not.

    Raises:
        PixelError: there is no such frame, it is beyond a limit, or its bytes cannot be decoded.
    """
    with sentences("read"), open_image(source, max_bytes) as image:
        return decode(image, index, max_pixels, max_bytes)


def decode_all(source: "Path | str | Dataset", *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES) -> int:
    """Decode every frame, one after the other, and keep none; returns how many there are.

    Raises:
        PixelError: as `frame`. NoDecoderError: nothing here reads the encoding.
    """
    with sentences("read"), open_image(source, max_bytes) as image:
        file = None if isinstance(image.value, bytes) else image.value
        start = 0 if file is None else file.tell()
        frames = number_of_frames_of(image.dataset)
        for index in range(frames):
            if file is not None:
                file.seek(start)
            decode(image, index, max_pixels, max_bytes)
        return frames


def decode(image: Image, index: int, max_pixels: int, max_bytes: int, *, keeps_ybr: bool = False) -> "Pixels":
    """As `frame`, of what is open.

    Args:
        keeps_ybr: what the codec gives as YBR_* is not made RGB.
    """
    frames = number_of_frames_of(image.dataset)
    if not 0 <= index < frames:
        raise PixelError(f"There is no frame {index + 1}: the instance has {frames}.")
    _check_size(image.dataset, max_pixels, max_bytes)
    syntax = transfer_syntax_of(image.dataset)
    if syntax.is_private or not syntax.is_transfer_syntax:
        raise NoDecoderError("The transfer syntax is private or unknown.")
    if not syntax.is_encapsulated:
        return _native(image, syntax, index, frames)
    return _compressed(image, syntax, index, frames, max_pixels, max_bytes, keeps_ybr=keeps_ybr)


def number_of_frames_of(dataset: "Dataset") -> int:
    return max(int(dataset.get("NumberOfFrames") or 1), 1)


def _check_size(dataset: "Dataset", max_pixels: int, max_bytes: int) -> None:
    rows, columns, samples, bits = (int(dataset.get(keyword) or 0) for keyword in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated"))
    # PS3.3 C.7.6.3: Rows and Columns are US. Written as UL they have overflowed the sums of other readers.
    if not (0 < rows < 2**16 and 0 < columns < 2**16):
        raise PixelError(f"The image says to have {rows} rows and {columns} columns; each may be from 1 to 65535.")
    if samples not in (1, 3, 4) or not 0 < bits <= 64:
        raise PixelError(f"The image says to have {samples} samples a pixel of {bits} bits, which no image has.")
    if rows * columns > max_pixels:
        raise PixelError(f"A frame of {rows} by {columns} is larger than the {max_pixels} pixels that are allowed.")
    if rows * columns * samples * bits > max_bytes * 8:
        raise PixelError(f"A frame of {rows * columns * samples * bits // 8} bytes is larger than the {max_bytes} that are allowed.")


def _native(image: Image, syntax: Any, index: int, frames: int) -> "Pixels":
    from pydicom.pixels.decoders.base import get_decoder

    options = _options(image, syntax, frames)
    return get_decoder(syntax).as_array(image.value, index=index, **options)[0]


def _compressed(image: Image, syntax: Any, index: int, frames: int, max_pixels: int, max_bytes: int, *, keeps_ybr: bool) -> "Pixels":
    from pydicom.encaps import encapsulate, get_frame
    from pydicom.pixels.decoders.base import get_decoder

    decoder = get_decoder(syntax) if syntax in _DECODERS else None
    chosen = [name for name in _DECODERS.get(syntax, ()) if decoder and name in decoder.available_plugins]
    if decoder is None or not chosen:
        raise NoDecoderError(f"No decoder is installed for {syntax.name}.")
    options = _options(image, syntax, 1)
    codes = get_frame(image.value, index, number_of_frames=frames, extended_offsets=options.pop("extended_offsets", None))
    if len(codes) > max_bytes:
        raise PixelError(f"A compressed frame of {len(codes)} bytes is larger than the {max_bytes} that are allowed.")
    _check_codes(codes, syntax, max_pixels)
    return decoder.as_array(encapsulate([codes]), index=0, decoding_plugin=chosen[0], raw=keeps_ybr, **options)[0]


def _options(image: Image, syntax: Any, frames: int) -> dict[str, Any]:
    from pydicom.pixels.utils import as_pixel_options

    described = {"transfer_syntax_uid": syntax, "pixel_keyword": image.keyword, "pixel_vr": image.vr, "number_of_frames": frames}
    return {**as_pixel_options(image.dataset), **described}


def _check_codes(codes: bytes, syntax: Any, max_pixels: int) -> None:
    # CharLS (pyjpegls 1.5.1) turns for 20 s in a codestream of 3 KB that lacks its end (ISO/IEC 14495-1 C.1.1: EOI).
    if syntax in _JPEG_LS and not codes.rstrip(b"\0").endswith(b"\xff\xd9"):
        raise PixelError("The compressed frame is cut off.")
    # A decoder allocates what the compressed frame says of itself, not what Rows and Columns say.
    rows, columns = size_in_codes(codes)
    if rows * columns > max_pixels:
        raise PixelError(f"The compressed frame says to be {rows} by {columns}, more than the {max_pixels} pixels that are allowed.")


def size_in_codes(codes: bytes) -> tuple[int, int]:
    """Rows and columns by a JPEG, JPEG-LS or JPEG 2000 codestream; zero where it is none of them (RLE) or does not say."""
    # ISO/IEC 15444-1 A.5.1: SOC, then SIZ with Xsiz, Ysiz and the image's offset.
    if (start := codes.find(b"\xff\x4f\xff\x51", 0, 1024)) >= 0 and len(codes) >= start + 24:
        width, height, left, top = unpack(">4L", codes[start + 8 : start + 24])
        return max(height - top, 0), max(width - left, 0)
    if codes[:2] != b"\xff\xd8":
        return 0, 0
    at = 2
    while at + 9 <= len(codes) and codes[at] == 0xFF:
        marker, length, _, rows, columns = unpack(">xBHBHH", codes[at : at + 9])
        # ISO/IEC 10918-1 table B.1: SOF0 to SOF15 but for DHT, JPG and DAC; ISO/IEC 14495-1 C.1.1: SOF55.
        if (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            return rows, columns
        at += 1 if marker == 0xFF else 2 + length
    return 0, 0
