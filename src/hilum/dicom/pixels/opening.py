"""An instance opened at its pixels: the header in memory, the pixel data still in the file (PS3.5 8, A.5)."""

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import unpack
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from hilum.dicom.pixels.troubles import PixelError

if TYPE_CHECKING:
    from pydicom import Dataset

_DEFLATED = b"1.2.840.10008.1.2.1.99"
_EXPLICIT = b"1.2.840.10008.1.2.1\0\0\0"

_LARGE_VALUE = 4 * 2**20  # bytes; a header value beyond is left in the file: no table of an image is so large

_PIXEL_ELEMENTS = {0x7FE00010: "PixelData", 0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData"}


class Image(NamedTuple):
    dataset: "Dataset"
    keyword: str  # PixelData, FloatPixelData or DoubleFloatPixelData
    vr: str
    value: bytes | BinaryIO  # a file stands at the first byte of the value


@contextmanager
def open_image(source: "Path | str | Dataset", max_bytes: int) -> Iterator[Image]:
    if not isinstance(source, Path | str):
        yield _of_dataset(source)
        return
    with Path(source).open("rb") as file:
        yield _of_file(_inflated(file, max_bytes))


def _of_dataset(dataset: "Dataset") -> Image:
    for tag, keyword in _PIXEL_ELEMENTS.items():
        if tag in dataset:
            element = dataset[tag]
            return Image(dataset, keyword, str(element.VR), element.value)
    raise PixelError("The instance has no pixel data.")


def _of_file(file: BinaryIO) -> Image:
    from pydicom import dcmread
    from pydicom.tag import Tag

    dataset = dcmread(file, stop_before_pixels=True, defer_size=_LARGE_VALUE, force=True)
    syntax = transfer_syntax_of(dataset)
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
    return Image(dataset, keyword, vr, file)


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


def transfer_syntax_of(dataset: "Dataset") -> Any:
    syntax = getattr(dataset, "file_meta", {}).get("TransferSyntaxUID")
    if not syntax:
        raise PixelError("The instance does not say its transfer syntax.")
    return syntax
