"""Every value of an object, at every depth, as bytes: read by code that the de-identification does not use.

It knows the encodings of PS3.5 7 and 10.1 and nothing else. It is strict: what it cannot walk to the end raises, for then nobody can
say what the object holds.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pydicom._dicom_dict import DicomDictionary

PREAMBLE = 0x00000000  # stands for the 128 bytes before DICM, which have no tag
TRANSFER_SYNTAX = 0x00020010
CHARACTER_SET = 0x00080005
PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
IMPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"

MOST_DEPTH = 64
MOST_INFLATED = 1 << 30

_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
# PS3.5 Table 7.1-1: these have two reserved bytes and a length of 32 bits.
_LONG = {vr.encode(): vr for vr in ["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]}
_SHORT = {
    vr.encode(): vr
    for vr in ["AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US"]
}


class UnreadableError(ValueError):
    """The object cannot be walked to its end; the message is a sentence without any of its values."""


class Value(NamedTuple):
    """One value as it stands in the object.

    Args:
        path: tags of the sequences around it, its own last; `(PREAMBLE,)` for the preamble.
        vr: as written, or of the dictionary where the encoding has none; UN where neither tells.
        content: its bytes.
        charset: Specific Character Set that applies to it, as written: `ISO_IR 192`, or several with backslashes.
    """

    path: tuple[int, ...]
    vr: str
    content: memoryview
    charset: str = ""

    @property
    def tag(self) -> int:
        return self.path[-1]


@dataclass(slots=True)
class _Encoding:
    order: str
    is_explicit: bool


def read_values(content: bytes | bytearray | memoryview) -> Iterator[Value]:
    """Every value of a Part 10 object, or of a bare data set, but the pixels themselves.

    Args:
        content: the whole object; a memory map is as good.

    Raises:
        UnreadableError: it is not what it says it is.
    """
    view, at = memoryview(content), 0
    syntax = IMPLICIT_LITTLE
    if bytes(view[128:132]) == b"DICM":
        yield Value((PREAMBLE,), "OB", view[:128])
        at = 132
        walk = _Walk(view, _Encoding("<", is_explicit=True))
        for value in walk.values_of_meta(at):
            if value.tag == TRANSFER_SYNTAX:
                syntax = bytes(value.content).rstrip(b"\0 ").decode("ascii", "replace")
            yield value
        at = walk.ended_at
    if syntax == DEFLATED:
        view, at = memoryview(_inflate(view[at:])), 0
    order = ">" if syntax == EXPLICIT_BIG or (not at and _looks_big_endian(view)) else "<"
    is_explicit = syntax != IMPLICIT_LITTLE if at or syntax != IMPLICIT_LITTLE else _looks_explicit(view)
    yield from _Walk(view, _Encoding(order, is_explicit)).values(at, len(view), (), "")


def _looks_explicit(view: memoryview) -> bool:
    """A bare data set does not say how it is encoded: a VR behind the first tag does."""
    return bytes(view[4:6]) in {**_SHORT, **_LONG}


def _looks_big_endian(view: memoryview) -> bool:
    """The groups that a data set begins with are below 0100 (PS3.6), so the byte that is not zero tells the order."""
    return bytes(view[:1]) == b"\0" and bytes(view[1:2]) != b"\0"


def _inflate(view: memoryview) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = inflater.decompress(view, MOST_INFLATED)
    except zlib.error as error:
        raise UnreadableError("Its deflated data set is damaged.") from error
    if inflater.unconsumed_tail:
        raise UnreadableError("Its deflated data set is larger than a data set may be.")
    return content


class _Walk:
    """A data set in one encoding; `ended_at` is where the File Meta ended."""

    def __init__(self, view: memoryview, encoding: _Encoding) -> None:
        self._view = view
        self._order = encoding.order
        self._is_explicit = encoding.is_explicit
        self._short = struct.Struct(f"{encoding.order}HH2sH").unpack_from
        self._tag = struct.Struct(f"{encoding.order}HH").unpack_from
        self._u16 = struct.Struct(f"{encoding.order}H").unpack_from
        self._u32 = struct.Struct(f"{encoding.order}I").unpack_from
        self.ended_at = 0

    def values_of_meta(self, at: int) -> Iterator[Value]:
        """Group 2, which ends where another group begins (PS3.10 7.1)."""
        while at + 8 <= len(self._view) and self._u16(self._view, at)[0] == 2:
            tag, vr, length, start = self._header(at, is_explicit=True)
            self._require(start + length)
            yield Value((tag,), vr, self._view[start : start + length])
            at = start + length
        self.ended_at = at

    def values(self, at: int, end: int, path: tuple[int, ...], charset: str, *, is_explicit: bool | None = None) -> Iterator[Value]:
        """The values of a data set or an item that ends at `end`."""
        explicit = self._is_explicit if is_explicit is None else is_explicit
        view, size, unpack = self._view, len(self._view), self._short
        while at < end:
            if explicit and at + 8 <= size:  # nearly every element: short, and without a call of its own
                group, element, code, length = unpack(view, at)
                short_vr = _SHORT.get(code)
                if short_vr is not None and group != 0xFFFE and at + 8 + length <= size:
                    tag, start, at = group << 16 | element, at + 8, at + 8 + length
                    if tag == CHARACTER_SET:
                        charset = bytes(view[start:at]).decode("ascii", "replace").strip("\0 ")
                    yield Value((*path, tag), short_vr, view[start:at], charset)
                    continue
            tag, vr, length, start = self._header(at, is_explicit=explicit)
            if tag in (_ITEM_END, _SEQUENCE_END):
                self.ended_at = start
                return
            if vr == "SQ" or length == _UNDEFINED:
                if length == _UNDEFINED and vr not in ("SQ", "UN"):
                    yield from self._fragments(start, (*path, tag), vr)
                else:
                    # PS3.5 6.2.2: a sequence of undefined length whose VR is UN is encoded as implicit VR little endian.
                    inner = False if vr == "UN" else explicit
                    yield from self._items(start, length, (*path, tag), charset, is_explicit=inner)
                at = self.ended_at
                continue
            self._require(start + length)
            if path or tag not in PIXELS:
                value = Value((*path, tag), vr, self._view[start : start + length], charset)
                if tag == CHARACTER_SET:
                    charset = bytes(value.content).decode("ascii", "replace").strip("\0 ")
                yield value
            at = start + length
        self.ended_at = at

    def _items(self, at: int, length: int, path: tuple[int, ...], charset: str, *, is_explicit: bool) -> Iterator[Value]:
        if len(path) > MOST_DEPTH:
            raise UnreadableError(f"Its sequences are nested more than {MOST_DEPTH} deep.")
        end = len(self._view) if length == _UNDEFINED else at + length
        self._require(end)
        while at < end:
            tag, item_length, start = self._delimiter(at)
            if tag == _SEQUENCE_END:
                self.ended_at = start
                return
            if tag != _ITEM:
                raise UnreadableError("A sequence holds something else than items.")
            item_end = len(self._view) if item_length == _UNDEFINED else start + item_length
            self._require(item_end)
            yield from self.values(start, item_end, path, charset, is_explicit=is_explicit)
            at = self.ended_at
        self.ended_at = at

    def _fragments(self, at: int, path: tuple[int, ...], vr: str) -> Iterator[Value]:
        """PS3.5 A.4: encapsulated pixels; elsewhere (an icon's) alike."""
        while True:
            tag, length, start = self._delimiter(at)
            if tag == _SEQUENCE_END:
                self.ended_at = start
                return
            if tag != _ITEM or length == _UNDEFINED:
                raise UnreadableError("Its pixel data hold something else than fragments.")
            self._require(start + length)
            if len(path) > 1 or path[-1] not in PIXELS:
                yield Value(path, vr, self._view[start : start + length])
            at = start + length

    def _header(self, at: int, *, is_explicit: bool) -> tuple[int, str, int, int]:
        """Tag, VR, length and where the value begins."""
        self._require(at + 8)
        group, element, vr, short_length = self._short(self._view, at)
        tag = group << 16 | element
        if group == 0xFFFE:
            return tag, "", self._u32(self._view, at + 4)[0], at + 8
        if not is_explicit:
            return tag, _vr_of(tag), self._u32(self._view, at + 4)[0], at + 8
        if vr in _SHORT:
            return tag, _SHORT[vr], short_length, at + 8
        if vr in _LONG:
            self._require(at + 12)
            return tag, _LONG[vr], self._u32(self._view, at + 8)[0], at + 12
        raise UnreadableError(f"({group:04X},{element:04X}) has no VR of the standard.")

    def _delimiter(self, at: int) -> tuple[int, int, int]:
        self._require(at + 8)
        group, element = self._tag(self._view, at)
        return group << 16 | element, self._u32(self._view, at + 4)[0], at + 8

    def _require(self, end: int) -> None:
        if end > len(self._view):
            raise UnreadableError("It ends before its last value does.")


def _vr_of(tag: int) -> str:
    """Of the dictionary, for implicit VR; private and unknown ones are UN (PS3.5 A.1 with 6.2.2)."""
    known = DicomDictionary.get(tag)
    if known is None:
        return "UN" if tag & 0xFFFF else "UL"
    # `OB or OW`, `US or SS`: either is bytes to us.
    return str(known[0]).partition(" ")[0]
