"""The elements of a data set in the native encodings (PS3.5 7), walked without reading what nobody asked for.

The walk keeps its own stack, so that no depth of nesting can exhaust Python's, and allocates by what is there, never by what a
length announces.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from hilum.dicom.attributes import ARRAY_VRS, decode, name_of, vr_of
from hilum.dicom.part10 import LONG_VRS, SHORT_VRS, UNDEFINED_LENGTH, UnreadableError

Item: TypeAlias = dict[int, "Element"]
# VR, VL, and the content: bytes, the items of a sequence, or None for what was left out.
Element: TypeAlias = tuple[str, int, bytes | list[Item] | None]
# The tags wanted at one level, with those wanted below each; None: everything.
Tree: TypeAlias = dict[int, "Tree"] | None
NOTHING: Tree = {}

SPECIFIC_CHARACTER_SET = 0x00080005
PIXEL_DATA_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_ITEM, _ITEM_DELIMITER, _SEQUENCE_DELIMITER = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

WINDOW_SIZE = 64 * 1024
_SMALL = 1024  # values longer than this are bulk where everything is asked for


@dataclass(frozen=True, slots=True)
class Limits:
    """What one header may cost, whatever the object announces."""

    header_bytes: int = 64 * 1024 * 1024  # read (or inflated) in all, pixels not counted
    value_bytes: int = 64 * 1024  # of one wanted value
    depth: int = 64  # of nested sequences
    elements: int = 1_000_000  # outside the fast loops, fragments of Pixel Data included


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of an object, wherever they are.

    `read_at(offset, size)` gives up to `size` bytes, fewer only where the object ends. `size` is the object's, or None while it
    still arrives or is cut off at a limit: then nothing is said about its end.
    """

    read_at: Callable[[int, int], bytes]
    size: int | None

    @classmethod
    def of_bytes(cls, content: bytes | bytearray | memoryview, *, is_whole: bool = True) -> "Source":
        """A source over bytes in memory; `is_whole=False` says that more follow."""
        return cls(lambda offset, size: bytes(content[offset : offset + size]), len(content) if is_whole else None)


class TruncatedError(Exception):
    """The object ends too early; the message is the sentence."""


class OddError(Exception):
    """Structure outside PS3.5 7 that a more lenient reader may still understand."""


class MoreNeededError(Exception):
    """The bytes at hand end, the object does not."""


class Window:
    """The part of a source that is in memory, moved on as the walk goes."""

    __slots__ = ("_left", "base", "content", "source")

    def __init__(self, source: Source, head: bytes, limits: Limits) -> None:
        self.source, self.base, self.content = source, 0, head
        self._left = limits.header_bytes

    def holds(self, position: int, size: int) -> bool:
        """Whether the object has these bytes; if so they are in `content` from `position - base` on.

        Raises:
            MoreNeededError: not at hand yet.
            UnreadableError: the header is longer than the limit.
        """
        if self.base <= position and position + size <= self.base + len(self.content):
            return True
        if self.source.size is not None and position + size > self.source.size:
            return False
        self._left -= max(size, WINDOW_SIZE)
        if self._left < 0:
            raise UnreadableError("The header is longer than the limit allows.")
        self.base, self.content = position, self.source.read_at(position, max(size, WINDOW_SIZE))
        if len(self.content) >= size:
            return True
        if self.source.size is None:
            raise MoreNeededError
        return False

    def bytes_at(self, position: int, size: int) -> bytes:
        """Bytes that `holds` said are there."""
        at = position - self.base
        return self.content[at : at + size]


@dataclass(frozen=True, slots=True)
class PixelDataElement:
    """Where Pixel Data, Float or Double Float Pixel Data stands: `offset` and `length` (None: fragments) of its value, in bytes."""

    tag: int
    vr: str
    offset: int
    length: int | None


@dataclass(slots=True)
class _Level:
    """One open item (`item`) or sequence (`item` is None; `items` None: its items are left out)."""

    tag: int
    end: int | None  # None: up to its delimiter
    implicit: bool
    wanted: Tree
    item: Item | None = None
    items: list[Item] | None = None
    is_top: bool = False


class Walker:
    """Walks one data set from `position` on; the caller steps, the found elements go into the item it hands over."""

    def __init__(self, window: Window, position: int, limits: Limits, *, implicit: bool, big_endian: bool) -> None:
        self.window, self.position = window, position
        self.pixel_data: PixelDataElement | None = None
        self.depth_exceeded = False
        self._implicit, self._big_endian = implicit, big_endian
        order = ">" if big_endian else "<"
        self._explicit_header = struct.Struct(order + "HH2sH")
        self._header = struct.Struct(order + "HHI")
        self._long_length = struct.Struct(order + "I")
        self._limits, self._elements_left = limits, limits.elements

    def step(self, item: Item, wanted: Tree) -> bool:
        """Walk one element of the data set and all it contains; False where the data set ends or Pixel Data begins.

        Raises:
            TruncatedError, OddError, MoreNeededError: as they say; `item` then has what was found before.
            UnreadableError: a limit is exceeded.
        """
        stack = [_Level(0, None, self._implicit, wanted, item, is_top=True)]
        if not self._element(stack):
            return False
        while len(stack) > 1:
            level = stack[-1]
            if level.end is not None and self.position >= level.end:
                if self.position > level.end:
                    raise OddError
                stack.pop()
            elif level.item is None:
                self._next_item(stack)
            else:
                self._element(stack)
        return True

    # --- one element ----------------------------------------------------------------------------------------------------------

    def _element(self, stack: list[_Level]) -> bool:
        level = stack[-1]
        header = self._read_header(level)
        if header is None:
            if level.is_top:
                return False
            raise TruncatedError(f"The file ends inside {name_of(level.tag)}, whose end is missing.")
        tag, vr, length, start = header
        if level.is_top and tag in PIXEL_DATA_TAGS:
            self.pixel_data = PixelDataElement(tag, vr or "OW", start, None if length == UNDEFINED_LENGTH else length)
            return False
        if tag >> 16 == 0xFFFE:
            self._delimit(stack, tag, start)
            return True
        if not length and not tag and level.is_top and self._is_padding():
            return False
        self._count()
        self._take(stack, tag, vr, length, start)
        return True

    def _read_header(self, level: _Level) -> tuple[int, str, int, int] | None:
        """Tag, VR ("" in implicit VR), VL and the value's position; None where the object ends."""
        at = self.position
        if not self.window.holds(at, 8):
            return None
        group, element, length = self._header.unpack_from(self.window.content, at - self.window.base)
        tag = group << 16 | element
        if level.implicit or group == 0xFFFE:  # PS3.5 7.5: items and delimiters have no VR
            return tag, "", length, at + 8
        *_, code, length = self._explicit_header.unpack_from(self.window.content, at - self.window.base)
        if code in SHORT_VRS:
            return tag, SHORT_VRS[code], length, at + 8
        if code not in LONG_VRS:
            if level.is_top and self._is_padding():
                return 0, "", 0, at + 8
            raise OddError
        if not self.window.holds(at, 12):
            raise TruncatedError(f"The file ends inside {name_of(tag)}.")
        (length,) = self._long_length.unpack_from(self.window.content, at - self.window.base + 8)
        return tag, LONG_VRS[code], length, at + 12

    def _is_padding(self) -> bool:
        """Whether only zeros follow: not PS3.10, but how some systems fill the last block of a file."""
        return not self.window.content[self.position - self.window.base :].strip(b"\0")

    def _delimit(self, stack: list[_Level], tag: int, start: int) -> None:
        if tag != _ITEM_DELIMITER or stack[-1].end is not None or stack[-1].is_top:
            raise OddError
        stack.pop()
        self.position = start

    def _count(self) -> None:
        self._elements_left -= 1
        if self._elements_left < 0:
            raise UnreadableError(f"The header has more than {self._limits.elements} elements.")

    def _take(self, stack: list[_Level], tag: int, vr: str, length: int, start: int) -> None:
        level = stack[-1]
        kept = level.wanted is None or tag in level.wanted
        if vr in {"", "UN"}:
            vr = self._find_vr(level, tag, vr, length, start, kept=kept)
        if length != UNDEFINED_LENGTH:
            self._check_end(level, tag, start, length)
        if length == UNDEFINED_LENGTH or (kept and vr == "SQ"):
            self._open(stack, tag, vr, length, start, kept=kept)
            return
        if kept and level.item is not None:
            level.item[tag] = (vr, length, self._value(vr, length, start, everything=level.wanted is None))
        self.position = start + length

    def _find_vr(self, level: _Level, tag: int, vr: str, length: int, start: int, *, kept: bool) -> str:
        if length == UNDEFINED_LENGTH:
            # PS3.5 6.2.2 note 2: UN of undefined length is a sequence; in implicit VR what has items and no other VR is one.
            known = vr_of(tag) if kept and not vr else "UN"
            return "SQ" if vr or (known == "UN" and self._is_item(start)) else known
        if not kept or level.item is None or (vr and not tag >> 16 & 1 and length >= 0xFFFF):
            return vr or "UN"
        return vr_of(tag, creator_of(tag, level.item) if tag >> 16 & 1 else "")

    def _is_item(self, position: int) -> bool:
        if not self.window.holds(position, 8):
            return False
        group, element, _ = self._header.unpack_from(self.window.content, position - self.window.base)
        return bool(group << 16 | element == _ITEM)

    def _check_end(self, level: _Level, tag: int, start: int, length: int) -> None:
        size = self.window.source.size
        if size is not None and start + length > size:
            raise TruncatedError(truncation(name_of(tag), length, size - start))
        if level.end is not None and start + length > level.end:
            raise OddError

    def _value(self, vr: str, length: int, start: int, *, everything: bool) -> bytes | None:
        longest = _SMALL if everything else self._limits.value_bytes
        if length > longest or (everything and vr in ARRAY_VRS):
            return None
        if not length:
            return b""
        return self.window.bytes_at(start, length) if self.window.holds(start, length) else None

    # --- sequences ------------------------------------------------------------------------------------------------------------

    def _open(self, stack: list[_Level], tag: int, vr: str, length: int, start: int, *, kept: bool) -> None:
        """Go into a sequence, or into fragments, which are items of bytes (PS3.5 A.4) and left out like an unwanted sequence."""
        level = stack[-1]
        items: list[Item] | None = [] if kept and vr == "SQ" else None
        if len(stack) > 2 * self._limits.depth and vr == "SQ":
            items, self.depth_exceeded = None, True
        if kept and level.item is not None:
            level.item[tag] = (vr, length, items)
        if items is None and length != UNDEFINED_LENGTH:
            self.position = start + length
            return
        below = None if level.wanted is None else level.wanted.get(tag, NOTHING)
        end = None if length == UNDEFINED_LENGTH else start + length
        stack.append(_Level(tag, end, level.implicit, NOTHING if items is None else below, items=items))
        self.position = start

    def _next_item(self, stack: list[_Level]) -> None:
        level = stack[-1]
        if not self.window.holds(self.position, 8):
            raise TruncatedError(f"The file ends inside {name_of(level.tag)}, whose end is missing.")
        group, element, length = self._header.unpack_from(self.window.content, self.position - self.window.base)
        tag, start = group << 16 | element, self.position + 8
        if tag == _SEQUENCE_DELIMITER and level.end is None:
            stack.pop()
            self.position = start
            return
        if tag != _ITEM:
            raise OddError
        self._count()
        if length != UNDEFINED_LENGTH:
            self._check_end(level, level.tag, start, length)
        self.position = start
        if level.items is None and length != UNDEFINED_LENGTH:
            self.position += length
            return
        item: Item = {}
        if level.items is not None:
            level.items.append(item)
        end = None if length == UNDEFINED_LENGTH else start + length
        stack.append(_Level(level.tag, end, level.implicit or self.looks_implicit(start), level.wanted, item))

    def looks_implicit(self, position: int) -> bool:
        """Whether the element here has no VR. An item may be in implicit VR within an explicit data set: inside UN it must be."""
        if not self.window.holds(position, 6):
            return False
        first, second = self.window.bytes_at(position + 4, 2)
        return not (0x40 < first < 0x5B and 0x40 < second < 0x5B)


def creator_of(tag: int, item: Item) -> str:
    """The private creator that reserved the block of `tag` in this item (PS3.5 7.8.1), or ""."""
    element = item.get((tag & 0xFFFF0000) | (tag >> 8 & 0xFF))
    if element is None or not isinstance(element[2], bytes):
        return ""
    return str(next(iter(decode("LO", element[2])), ""))


def truncation(name: str, announced: int, there: int) -> str:
    """The sentence about an element that goes beyond the end of the object."""
    return f"The file ends inside {name}: {announced} bytes were announced, {max(there, 0)} are there."


def find_end(source: Source, pixel_data: PixelDataElement, limits: Limits, *, big_endian: bool) -> tuple[int, str | None]:
    """Where Pixel Data ends, and what is wrong with it as a sentence; the size of the source must be known."""
    size = source.size or 0
    name = name_of(pixel_data.tag)
    if pixel_data.length is not None:
        end = pixel_data.offset + pixel_data.length
        return end, truncation(name, pixel_data.length, size - pixel_data.offset) if end > size else None
    header = struct.Struct(">HHI" if big_endian else "<HHI")
    at = pixel_data.offset
    for _ in range(limits.elements):
        head = source.read_at(at, 8)
        if len(head) < 8:
            return size, f"The file ends inside {name}, whose last fragment or end is missing."
        group, element, length = header.unpack(head)
        tag = group << 16 | element
        if tag == _SEQUENCE_DELIMITER:
            return at + 8, None
        if tag != _ITEM or length == UNDEFINED_LENGTH:
            return size, f"{name} is broken: no fragment begins at byte {at}."
        if at + 8 + length > size:
            return size, truncation(f"a fragment of {name}", length, size - at - 8)
        at += 8 + length
    return size, f"{name} has more than {limits.elements} fragments."
