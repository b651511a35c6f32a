"""PS3.3 C.7.6.3 Image Pixel: frames out of an instance, made visible as PS3.4 N.2 says, thumbnails and montages of them.

Codecs are native code and the bytes are anybody's: call these functions in a child process with limits of its own. Whatever is
wrong with an image is a `PixelError` with a sentence; sizes are judged before anything is allocated for them.

    >>> png = thumbnail(path)
    >>> grey = window(frame(dataset, 0), dataset)
"""

import io
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from struct import unpack
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydicom import Dataset

    Pixels: TypeAlias = NDArray[Any]
    Bytes8: TypeAlias = NDArray[np.uint8]

MAX_PIXELS = 100_000_000  # rows x columns of one frame; a mammogram has 13 million, a stitched X-ray 40 million
MAX_BYTES = 512 * 2**20  # of one decoded frame, of one compressed frame, and of an inflated data set

THUMBNAIL = 300  # pixels, the longest side


class PixelError(ValueError):
    """An image that cannot be shown: its one argument is a sentence for a person, without patient data."""

    @property
    def sentence(self) -> str:
        return str(self.args[0])


class NoDecoderError(PixelError):
    """Nothing here reads the image's encoding: that says nothing about the image."""


_DEFLATED = b"1.2.840.10008.1.2.1.99"
_EXPLICIT = b"1.2.840.10008.1.2.1\0\0\0"

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

_LARGE_VALUE = 4 * 2**20  # bytes; a header value beyond is left in the file: no table of an image is so large

_PIXEL_ELEMENTS = {0x7FE00010: "PixelData", 0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData"}


class _Image(NamedTuple):
    dataset: "Dataset"
    keyword: str  # PixelData, FloatPixelData or DoubleFloatPixelData
    vr: str
    value: bytes | BinaryIO  # a file stands at the first byte of the value


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
    with sentences("read"), _opened(source, max_bytes) as image:
        return _decoded(image, index, max_pixels, max_bytes)


def decode_all(source: "Path | str | Dataset", *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES) -> int:
    """Decode every frame, one after the other, and keep none; returns how many there are.

    Raises:
        PixelError: as `frame`. NoDecoderError: nothing here reads the encoding.
    """
    with sentences("read"), _opened(source, max_bytes) as image:
        file = None if isinstance(image.value, bytes) else image.value
        start = 0 if file is None else file.tell()
        frames = _number_of_frames(image.dataset)
        for index in range(frames):
            if file is not None:
                file.seek(start)
            _decoded(image, index, max_pixels, max_bytes)
        return frames


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
    with sentences("shown"), _opened(source, max_bytes) as image:
        index = _number_of_frames(image.dataset) // 2 if index is None else index
        array = window(_decoded(image, index, max_pixels, max_bytes), image.dataset, index)
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


# --- Opening ---------------------------------------------------------------------------------------------------------


@contextmanager
def sentences(verb: str) -> Iterator[None]:
    try:
        yield
    except PixelError:
        raise
    except OSError as error:
        raise PixelError(f"The file cannot be read, or ends too early ({type(error).__name__}).") from error
    # Header values of any type and codecs of five makers: struct.error, RecursionError, KeyError, zlib.error, MemoryError and more.
    # The texts of these may quote header values, so only the kind is told; the cause stays in the traceback.
    except Exception as error:
        raise PixelError(f"The image cannot be {verb}: its header or pixel data is damaged or unusual ({type(error).__name__}).") from error


@contextmanager
def _opened(source: "Path | str | Dataset", max_bytes: int) -> Iterator[_Image]:
    if not isinstance(source, Path | str):
        yield _of_dataset(source)
        return
    with Path(source).open("rb") as file:
        yield _of_file(_inflated(file, max_bytes))


def _of_dataset(dataset: "Dataset") -> _Image:
    for tag, keyword in _PIXEL_ELEMENTS.items():
        if tag in dataset:
            element = dataset[tag]
            return _Image(dataset, keyword, str(element.VR), element.value)
    raise PixelError("The instance has no pixel data.")


def _of_file(file: BinaryIO) -> _Image:
    from pydicom import dcmread
    from pydicom.tag import Tag

    dataset = dcmread(file, stop_before_pixels=True, defer_size=_LARGE_VALUE, force=True)
    syntax = _transfer_syntax(dataset)
    order = "<" if syntax.is_little_endian else ">"
    head = file.read(8)
    if len(head) < 8:
        raise PixelError("The instance has no pixel data.")
    group, element = unpack(f"{order}HH", head[:4])
    vr = "OW"
    # Some data sets are implicit whatever their transfer syntax says.
    if not syntax.is_implicit_VR and head[4:6] in (b"OB", b"OW", b"OF", b"OD", b"UN"):
        vr = head[4:6].decode("ascii")
        file.read(4)  # PS3.5 7.1.2: these have two reserved bytes, then a length of 32 bits
    keyword = _PIXEL_ELEMENTS.get(Tag(group, element))
    if keyword is None:
        raise PixelError("The instance has no pixel data.")
    return _Image(dataset, keyword, vr, file)


def _inflated(file: BinaryIO, max_bytes: int) -> BinaryIO:
    """The file itself, or where its data set is deflated (PS3.5 A.5), what it is inflated: 292 KB may become 300 MB."""
    head = file.read(4096)
    file.seek(0)
    # PS3.10 7.1: the File Meta Information Group Length stands first, at 132, and counts from the byte after its value.
    length = unpack("<L", head[140:144])[0] if head[132:136] == b"\x02\0\0\0" else len(head)
    meta = head[: 144 + length]
    if _DEFLATED not in meta:
        return file
    if len(meta) == len(head):
        raise PixelError("The instance is deflated and its File Meta Information has no usable length.")
    file.seek(len(meta))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    data = inflater.decompress(file.read(max_bytes), max_bytes)
    if inflater.unconsumed_tail:
        raise PixelError(f"The inflated data set is larger than the {max_bytes} bytes that are allowed.")
    return io.BytesIO(meta.replace(_DEFLATED, _EXPLICIT) + data)


def _transfer_syntax(dataset: "Dataset") -> Any:
    syntax = getattr(dataset, "file_meta", {}).get("TransferSyntaxUID")
    if not syntax:
        raise PixelError("The instance does not say its transfer syntax.")
    return syntax


# --- Decoding --------------------------------------------------------------------------------------------------------


def _decoded(image: _Image, index: int, max_pixels: int, max_bytes: int) -> "Pixels":
    frames = _number_of_frames(image.dataset)
    if not 0 <= index < frames:
        raise PixelError(f"There is no frame {index + 1}: the instance has {frames}.")
    _check_size(image.dataset, max_pixels, max_bytes)
    syntax = _transfer_syntax(image.dataset)
    if syntax.is_private or not syntax.is_transfer_syntax:
        raise NoDecoderError("The transfer syntax is private or unknown.")
    decode = _compressed if syntax.is_encapsulated else _native
    return decode(image, syntax, index, frames, max_pixels, max_bytes)


def _number_of_frames(dataset: "Dataset") -> int:
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


def _native(image: _Image, syntax: Any, index: int, frames: int, *_: int) -> "Pixels":
    from pydicom.pixels.decoders.base import get_decoder

    options = _options(image, syntax, frames)
    return get_decoder(syntax).as_array(image.value, index=index, **options)[0]


def _compressed(image: _Image, syntax: Any, index: int, frames: int, max_pixels: int, max_bytes: int) -> "Pixels":
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
    return decoder.as_array(encapsulate([codes]), index=0, decoding_plugin=chosen[0], **options)[0]


def _options(image: _Image, syntax: Any, frames: int) -> dict[str, Any]:
    from pydicom.pixels.utils import as_pixel_options

    described = {"transfer_syntax_uid": syntax, "pixel_keyword": image.keyword, "pixel_vr": image.vr, "number_of_frames": frames}
    return {**as_pixel_options(image.dataset), **described}


def _check_codes(codes: bytes, syntax: Any, max_pixels: int) -> None:
    # CharLS (pyjpegls 1.5.1) turns for 20 s in a codestream of 3 KB that lacks its end (ISO/IEC 14495-1 C.1.1: EOI).
    if syntax in _JPEG_LS and not codes.rstrip(b"\0").endswith(b"\xff\xd9"):
        raise PixelError("The compressed frame is cut off.")
    # A decoder allocates what the compressed frame says of itself, not what Rows and Columns say.
    rows, columns = _size_in_codes(codes)
    if rows * columns > max_pixels:
        raise PixelError(f"The compressed frame says to be {rows} by {columns}, more than the {max_pixels} pixels that are allowed.")


def _size_in_codes(codes: bytes) -> tuple[int, int]:
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


# --- Making visible --------------------------------------------------------------------------------------------------


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


# --- Pictures --------------------------------------------------------------------------------------------------------


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
