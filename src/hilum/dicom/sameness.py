"""Whether two data sets are one although their bytes differ, in what PS3.5 leaves to whoever writes: lengths of sequences and items,
explicit or undefined (7.5.1), group lengths (7.2), Data Set Trailing Padding (PS3.10 7.2). Everything else must be equal, bit for bit.
"""

import struct
from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

from hilum.dicom.elements import Source
from hilum.dicom.part10 import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    LONG_VRS,
    SHORT_VRS,
    UNDEFINED_LENGTH,
    UnreadableError,
)

MOST_DEPTH = 64
CHUNK = 1 << 20
_ITEM, _ITEM_END, _SEQUENCE_END, _PADDING = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD, 0xFFFCFFFC


class Piece(NamedTuple):
    """A value where it stands, or (of no length) the beginning of an item."""

    path: tuple[int, ...]
    offset: int
    length: int


def is_same_data_set(one: Source, other: Source, transfer_syntax_uid: str) -> bool:
    """Whether two data sets of one transfer syntax hold the same attributes with the same bytes; False, too, where that cannot be told.

    Args:
        one, other: the data sets alone, with their sizes.
    """
    if one.size == other.size and _is_same(one, _whole(one), other, _whole(other)):
        return True
    if transfer_syntax_uid == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
        return False  # two deflaters may differ, and inflating both costs more than a person's look at a rare conflict
    try:
        pairs = zip_longest(pieces_of(one, transfer_syntax_uid), pieces_of(other, transfer_syntax_uid))
        return all(first and second and _is_same(one, first, other, second) for first, second in pairs)
    except UnreadableError:
        return False


def _whole(source: Source) -> Piece:
    return Piece((), 0, source.size or 0)


def _is_same(one: Source, first: Piece, other: Source, second: Piece) -> bool:
    if (first.path, first.length) != (second.path, second.length):
        return False
    return all(
        one.read_at(first.offset + at, min(CHUNK, first.length - at)) == other.read_at(second.offset + at, min(CHUNK, first.length - at))
        for at in range(0, first.length, CHUNK)
    )


def pieces_of(source: Source, transfer_syntax_uid: str) -> Iterator[Piece]:
    """The values of a data set in their order.

    Args:
        source: the data set alone, with its size.

    Raises:
        UnreadableError: it is not encoded as it says.
    """
    order = ">" if transfer_syntax_uid == EXPLICIT_VR_BIG_ENDIAN else "<"
    walk = _Walk(source, order)
    yield from walk.elements(0, source.size or 0, (), is_explicit=transfer_syntax_uid != IMPLICIT_VR_LITTLE_ENDIAN)


class _Walk:
    """`at` is where the last thing walked ended."""

    def __init__(self, source: Source, order: str) -> None:
        self._read_at, self._size = source.read_at, source.size or 0
        self._header = struct.Struct(order + "HHI")
        self._explicit = struct.Struct(order + "HH2sH")
        self._long = struct.Struct(order + "I")
        self.at = 0

    def elements(self, at: int, end: int, path: tuple[int, ...], *, is_explicit: bool) -> Iterator[Piece]:
        while at < end:
            tag, vr, length, start = self._element(at, is_explicit=is_explicit)
            self.at = start
            if tag in (_ITEM_END, _SEQUENCE_END):
                return
            if vr == "SQ" or length == UNDEFINED_LENGTH or (not vr and self._is_item(start, length)):
                # PS3.5 6.2.2: UN of undefined length is a sequence in implicit VR.
                yield from self._items(start, length, (*path, tag), is_explicit=is_explicit and vr != "UN")
            else:
                self._require(start + length)
                if tag & 0xFFFF and tag != _PADDING:
                    yield Piece((*path, tag), start, length)
                self.at = start + length
            at = self.at
        self.at = at

    def _items(self, at: int, length: int, path: tuple[int, ...], *, is_explicit: bool) -> Iterator[Piece]:
        """Items of a sequence, or fragments (PS3.5 A.4), which hold bytes."""
        if len(path) > MOST_DEPTH:
            raise UnreadableError("Its sequences are nested too deep to be compared.")
        end = self._size if length == UNDEFINED_LENGTH else at + length
        holds_bytes = path[-1] == 0x7FE00010
        while at < end:
            group, element, item_length = self._header.unpack(self._bytes(at, 8))
            tag, start = group << 16 | element, at + 8
            self.at = start
            if tag == _SEQUENCE_END:
                return
            if tag != _ITEM:
                raise UnreadableError("A sequence holds something else than items.")
            yield Piece((*path, _ITEM), start, item_length if holds_bytes else 0)
            if holds_bytes:
                self.at = start + item_length
            else:
                inner_end = self._size if item_length == UNDEFINED_LENGTH else start + item_length
                yield from self.elements(start, inner_end, path, is_explicit=is_explicit)
            at = self.at
        self.at = at

    def _element(self, at: int, *, is_explicit: bool) -> tuple[int, str, int, int]:
        head = self._bytes(at, 8)
        group, element, length = self._header.unpack(head)
        tag = group << 16 | element
        if not is_explicit or group == 0xFFFE:
            return tag, "", length, at + 8
        *_, code, short_length = self._explicit.unpack(head)
        if code in SHORT_VRS:
            return tag, SHORT_VRS[code], short_length, at + 8
        if code not in LONG_VRS:
            raise UnreadableError("An element has no VR of the standard.")
        return tag, LONG_VRS[code], self._long.unpack(self._bytes(at + 8, 4))[0], at + 12

    def _is_item(self, at: int, length: int) -> bool:
        """In implicit VR, what begins like an item is walked as a sequence: both writers are then read alike."""
        if length < 8:
            return False
        group, element, _ = self._header.unpack(self._bytes(at, 8))
        return bool(group << 16 | element == _ITEM)

    def _bytes(self, at: int, size: int) -> bytes:
        self._require(at + size)
        return self._read_at(at, size)

    def _require(self, end: int) -> None:
        if end > self._size:
            raise UnreadableError("It ends before its last element does.")
