"""What PS3.5 does not allow and real objects do: read by pydicom, within limits."""

import warnings
from typing import TYPE_CHECKING, Any

from hilum.dicom.attributes import ARRAY_VRS, vr_of
from hilum.dicom.elements import NOTHING, PIXEL_DATA_TAGS, Item, Limits, Source, Tree, creator_of
from hilum.dicom.part10 import LONG_VRS, SHORT_VRS, UNDEFINED_LENGTH, UnreadableError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


class _BoundedFile:
    """A source as pydicom wants it: never more bytes than there are, never more in all than the limit."""

    def __init__(self, source: Source, offset: int, limit: int) -> None:
        self._source, self._at, self._left = source, offset, limit
        self._size = source.size if source.size is not None else 1 << 62

    def read(self, size: int = -1) -> bytes:
        there = max(self._size - self._at, 0)
        size = there if size < 0 else min(size, there)
        if size > self._left:
            raise UnreadableError("The header is longer than the limit allows.")
        content = self._source.read_at(self._at, size)
        self._left -= len(content)
        self._at += len(content)
        return content

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = {0: 0, 1: self._at, 2: self._size}[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at


def read_leniently(source: Source, offset: int, wanted: Tree, limits: Limits, *, implicit: bool, big_endian: bool) -> tuple[Item, int]:
    """The elements of a data set as pydicom understands them, and where it stopped: at Pixel Data, or at the end.

    Raises:
        UnreadableError: pydicom does not understand it either.
    """
    from pydicom.filereader import read_dataset

    file: Any = _BoundedFile(source, offset, limits.header_bytes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = read_dataset(file, implicit, not big_endian, stop_when=lambda tag, _vr, _length: tag in PIXEL_DATA_TAGS)
            return _item_of(dataset, wanted, limits, limits.depth), file.tell()
        except UnreadableError:
            raise
        # pydicom raises whatever hostile bytes provoke: struct.error, OSError, KeyError, TypeError, RecursionError, ...
        except Exception as error:
            raise UnreadableError(f"The data set is broken: neither PS3.5 nor pydicom understands it ({type(error).__name__}).") from error


def _item_of(dataset: "Dataset", wanted: Tree, limits: Limits, depth: int) -> Item:
    if depth < 0:
        raise UnreadableError(f"Sequences are nested deeper than {limits.depth} levels.")
    item: Item = {}
    for tag in sorted(dataset.keys()):
        if wanted is None or tag in wanted:
            _take(dataset, int(tag), wanted, limits, depth, item)
    return item


def _take(dataset: "Dataset", tag: int, wanted: Tree, limits: Limits, depth: int, item: Item) -> None:
    raw: Any = dataset.get_item(tag)
    vr = _vr_of(raw, tag, item)
    length = getattr(raw, "length", UNDEFINED_LENGTH)
    if vr == "SQ":
        below = None if wanted is None else wanted.get(tag, NOTHING)
        item[tag] = (vr, length, [_item_of(each, below, limits, depth - 1) for each in dataset[tag].value or ()])
        return
    content = raw.value or b""
    longest = 1024 if wanted is None else limits.value_bytes
    left_out = length == UNDEFINED_LENGTH or len(content) > longest or (wanted is None and vr in ARRAY_VRS)
    item[tag] = (vr, length, None if left_out else bytes(content))


def _vr_of(raw: Any, tag: int, item: Item) -> str:
    vr = str(raw.VR or "")
    if vr.encode("latin-1", "replace") not in SHORT_VRS | LONG_VRS:
        vr = "UN" if vr else ""  # two bytes that are no VR: what follows them cannot be interpreted
    if vr not in {"", "UN"} or (vr and not tag >> 16 & 1 and raw.length >= 0xFFFF):
        return vr
    return vr_of(tag, creator_of(tag, item) if tag >> 16 & 1 else "")
