"""PS3.5 7: elements, items and sequences of the native encodings, read from and written to bytes."""

import struct
from dataclasses import dataclass

from hilum.dicom.elements import OddError
from hilum.dicom.part10 import LONG_VRS, SHORT_VRS, UNDEFINED_LENGTH

ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_MOST_SHORT = 0xFFFE  # PS3.5 7.1.2: a length of 16 bits, even
_NESTING = 64

ElementHeader = tuple[int, str, int, int]
"""Tag, VR ("" where the encoding has none), VL, and where the value begins."""


@dataclass(frozen=True, slots=True)
class _Order:
    explicit: struct.Struct
    implicit: struct.Struct
    length: struct.Struct
    tag: struct.Struct


_LITTLE = _Order(*(struct.Struct(f"<{code}") for code in ("HH2sH", "HHI", "I", "HH")))
_BIG = _Order(*(struct.Struct(f">{code}") for code in ("HH2sH", "HHI", "I", "HH")))


@dataclass(frozen=True, slots=True)
class Encoding:
    """One of the three native encodings (PS3.5 10)."""

    implicit: bool = False
    big_endian: bool = False

    def read_header(self, content: bytes, at: int) -> ElementHeader:
        """The header of the element (item, delimiter) at a position.

        Raises:
            struct.error: the content ends before.
            OddError: its VR is none.
        """
        order = _BIG if self.big_endian else _LITTLE
        if self.implicit:
            group, element, length = order.implicit.unpack_from(content, at)
            return group << 16 | element, "", length, at + 8
        group, element, code, length = order.explicit.unpack_from(content, at)
        vr = SHORT_VRS.get(code)
        if vr is not None and group != 0xFFFE:
            return group << 16 | element, vr, length, at + 8
        if group == 0xFFFE:  # PS3.5 7.5: items and delimiters have no VR
            *_, length = order.implicit.unpack_from(content, at)
            return group << 16 | element, "", length, at + 8
        vr = LONG_VRS.get(code)
        if vr is None:
            raise OddError
        (length,) = order.length.unpack_from(content, at + 8)
        return group << 16 | element, vr, length, at + 12

    def element(self, tag: int, vr: str, value: bytes) -> bytes:
        """An element with its value, padded to an even length (PS3.5 6.2)."""
        if len(value) % 2:
            value += b"\0" if vr in _PADDED_WITH_NULL else b" "
        return self.header(tag, vr, len(value)) + value

    def header(self, tag: int, vr: str, length: int) -> bytes:
        """An element's header.

        Raises:
            OddError: the VR has no room for such a length.
        """
        order = _BIG if self.big_endian else _LITTLE
        if self.implicit:
            return order.implicit.pack(tag >> 16, tag & 0xFFFF, length)
        code = vr.encode("ascii")
        if code in SHORT_VRS:
            if length > _MOST_SHORT:
                raise OddError
            return order.explicit.pack(tag >> 16, tag & 0xFFFF, code, length)
        return order.explicit.pack(tag >> 16, tag & 0xFFFF, code, 0) + order.length.pack(length)

    def item(self, content: bytes) -> bytes:
        """An item of defined length (PS3.5 7.5.1)."""
        order = _BIG if self.big_endian else _LITTLE
        return order.implicit.pack(ITEM >> 16, ITEM & 0xFFFF, len(content)) + content

    def looks_implicit(self, content: bytes, at: int) -> bool:
        """Whether the element here has no VR: an item may be implicit within an explicit data set (PS3.5 6.2.2 note 2)."""
        code = content[at + 4 : at + 6]
        return len(code) == 2 and not (code in SHORT_VRS or code in LONG_VRS)

    def skip_undefined(self, content: bytes, at: int, depth: int = 0) -> int:
        """Where a value of undefined length ends: a sequence, or fragments (PS3.5 7.5, A.4).

        Raises:
            struct.error: the content ends before.
            OddError: neither is here.
        """
        if depth > _NESTING:
            raise OddError
        while True:
            tag, _, length, at = self.read_header(content, at)
            if tag == SEQUENCE_DELIMITER:
                return at
            if tag != ITEM:
                raise OddError
            at = self._skip_item(content, at, depth) if length == UNDEFINED_LENGTH else at + length

    def _skip_item(self, content: bytes, at: int, depth: int) -> int:
        inside = Encoding(self.implicit or self.looks_implicit(content, at), self.big_endian)
        while True:
            tag, vr, length, at = inside.read_header(content, at)
            if tag == ITEM_DELIMITER:
                return at
            if length != UNDEFINED_LENGTH:
                at += length
            else:
                at = (IMPLICIT if vr == "UN" else inside).skip_undefined(content, at, depth + 1)


EXPLICIT = Encoding()
IMPLICIT = Encoding(implicit=True)
_PADDED_WITH_NULL = frozenset({"UI", "OB", "UN"})
