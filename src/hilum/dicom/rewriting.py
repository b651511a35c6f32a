"""A data set written again, element by element, as a plan says: what the plan keeps is copied, what it does not know is left out.

    plan = ...                                    # Mapping[int, Rule]: rules by tag
    rewritten = rewrite(source, plan, subject, output.write)

Nothing is parsed into objects. Runs of kept elements and Pixel Data are copied as they stand, so the cost is that of the header; a value
over 1 MiB and Pixel Data of any size stream through 1 MiB. Native encodings and the deflated one are read; what has a structure outside
PS3.5 7 raises `OddError`, and it is for the caller to choose a slower way or to refuse.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hilum.dicom.attributes import decode, name_of
from hilum.dicom.elements import PIXEL_DATA_TAGS, Limits, OddError, PixelDataElement, Source, TruncatedError, find_end, truncation
from hilum.dicom.encoding import IMPLICIT, ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER, ElementHeader, Encoding
from hilum.dicom.fitting import WRITTEN_AS, fits, fitting, most_bytes
from hilum.dicom.part10 import UNDEFINED_LENGTH, UnreadableError
from hilum.dicom.rewriting_rules import UNSAFE_PRIVATE, WRONG_VR, Addition, Occurrence, Plan, Rule, Touched, leave_out

CHUNK = 1 << 20
_FIRST_READ = 64 * 1024
_REMEMBERED_BYTES = 128
_MOST_REMEMBERED = 8192
_CHARACTER_SET = 0x00080005


Observe = Callable[[tuple[int, ...], Rule, str, bytes, bytes | None], None]
"""Told of every element outside sequences' own: path, rule, VR, value before and after (None: left out). Used for previews."""

PixelValue = Callable[[Source, PixelDataElement], Iterable[bytes]]
"""What is written as the value of Pixel Data: as long as it was, or up to the end of its fragments where they have no length."""


@dataclass(slots=True)
class Rewritten:
    """What was done."""

    touched: list[Touched] = field(default_factory=list)
    pixel_bytes: int = 0


@dataclass(slots=True)
class _Level:
    """Where the walk is: the plan, and what the values of one item depend on."""

    plan: Plan
    encoding: Encoding  # of what is read
    character_set: str
    depth: int
    creators: dict[int, str] = field(default_factory=dict)  # group and block -> private creator


def rewrite(
    source: Source,
    offset: int,
    encoding: Encoding,
    plan: Plan,
    subject: Any,
    write: Callable[[bytes], object],
    *,
    additions: Sequence[Addition] = (),
    remembered: dict[Any, Any] | None = None,
    observe: Observe | None = None,
    limits: Limits | None = None,
    pixels: PixelValue | None = None,
) -> Rewritten:
    """Write the data set that begins at `offset` again.

    Args:
        plan: what becomes of each attribute.
        subject: handed to every change.
        write: takes what is to be written, in order. What it took counts for nothing when an error is raised.
        additions: by increasing tag; they stand for the elements of the same tags.
        remembered: changes made for the same subject, between objects of a series.
        observe: see `Observe`.
        pixels: gives the value of Pixel Data; None: it is copied.

    Raises:
        OddError: its structure is outside PS3.5 7.
        TruncatedError: the object ends too early.
        UnreadableError: a limit is exceeded.
    """
    memory = {} if remembered is None else remembered
    return _Rewriter(source, encoding, subject, write, list(additions), memory, observe, limits or Limits(), pixels).run(plan, offset)


class _Rewriter:
    def __init__(
        self,
        source: Source,
        encoding: Encoding,
        subject: Any,
        write: Callable[[bytes], object],
        additions: list[Addition],
        remembered: dict[Any, Any],
        observe: Observe | None,
        limits: Limits,
        pixels: PixelValue | None,
    ) -> None:
        self._pixels = pixels
        self._source, self._encoding, self._subject, self._write = source, encoding, subject, write
        self._additions, self._remembered, self._observe, self._limits = additions, remembered, observe, limits
        self._path: list[int] = []
        self._rewritten = Rewritten()
        if len(remembered) > _MOST_REMEMBERED:
            remembered.clear()

    def run(self, plan: Plan, offset: int) -> Rewritten:
        """Walk the top level."""
        level = _Level(plan, self._encoding, "", 0)
        self._base, self._content = offset, self._source.read_at(offset, _FIRST_READ)
        self._at = self._kept_from = 0  # where the walk is; where the run of kept elements began that is not written yet
        before = 0
        while (header := self._next_header(before)) is not None:
            before = header[0]
            self._add_before(before)
            if before in PIXEL_DATA_TAGS:
                self._copy_pixels(level.plan[before], header)
                break
            self._take(level, header)
        self._flush()
        self._add_before(1 << 32)
        return self._rewritten

    # --- the top level, through a window ------------------------------------------------------------------------------------------

    def _next_header(self, before: int) -> ElementHeader | None:
        """The header of the next element; None where the data set, or what is kept of it, ends."""
        while True:
            try:
                header = self._encoding.read_header(self._content, self._at)
            except struct.error:
                if self._grow():
                    continue
                if self._content[self._at :].strip(b"\0"):
                    raise TruncatedError("The file ends inside an element.") from None
                return None
            except OddError:
                if self._is_padding():
                    return None
                raise
            tag = header[0]
            if tag in _TRAILING_TAGS or (not tag and self._is_padding()):
                return None  # PS3.15 Table E.1-1: Digital Signatures Sequence and Data Set Trailing Padding are removed
            if tag <= before or tag >> 16 == 0xFFFE:
                raise OddError  # PS3.5 7.1: tags increase
            return header

    def _is_padding(self) -> bool:
        """Whether only zeros follow: not PS3.10, but how some systems fill the last block of a file."""
        return not self._content[self._at :].strip(b"\0")

    def _grow(self, wanted: int = 0) -> bool:
        """Bring more of the source into the window, at least `wanted` bytes from the current element on; False at its end."""
        self._flush()
        rest = self._content[self._at :]
        size = max(wanted - len(rest), len(rest), _FIRST_READ)
        if len(rest) + size > self._limits.header_bytes:
            raise UnreadableError("The header is longer than the limit allows.")
        more = self._source.read_at(self._base + len(self._content), size)
        self._base, self._content = self._base + self._at, rest + more
        self._at = self._kept_from = 0
        return bool(more)

    def _flush(self) -> None:
        if self._kept_from < self._at:
            self._write(self._content[self._kept_from : self._at])
        self._kept_from = self._at

    def _add_before(self, tag: int) -> None:
        """Write the additions whose place is before `tag`."""
        while self._additions and self._additions[0].tag <= tag:
            self._flush()
            self._write(self._additions.pop(0).encoded(self._encoding))

    def _take(self, level: _Level, header: ElementHeader) -> None:
        tag, _, length, start = header
        size = start - self._at + length
        if length != UNDEFINED_LENGTH and start + length > len(self._content):
            if self._take_long(level, header):
                return
            if not self._grow(size) or len(self._content) < size:
                raise TruncatedError(truncation(name_of(tag), length, len(self._content) - size + length))
            header = self._encoding.read_header(self._content, 0)
        while True:
            touched = len(self._rewritten.touched)
            try:
                end, new = self._element(self._content, header, level)
                break
            except struct.error:
                if length != UNDEFINED_LENGTH:
                    raise OddError from None
            # A sequence without a length goes on beyond the window: once more, with more of it.
            del self._rewritten.touched[touched:], self._path[:]
            if not self._grow(2 * len(self._content)):
                raise TruncatedError(f"The file ends inside {name_of(tag)}, whose end is missing.")
            header = self._encoding.read_header(self._content, 0)
        if new is not None:
            self._flush()
            self._write(new)
            self._kept_from = end
        self._at = end

    def _take_long(self, level: _Level, header: ElementHeader) -> bool:
        """Pass over, or copy through, a value that is not to be looked at; False where it has to be."""
        tag, vr, length, start = header
        rule = self._rule(self._content[:0], header, level) if tag & 0x10000 else level.plan[tag]
        is_left_out = rule.change is leave_out
        if not is_left_out and (rule.change is not None or rule.below is not None or length <= CHUNK or not fits(vr or rule.vr, rule.vr)):
            return False
        if not is_left_out and most_bytes(tag, vr or rule.vr, rule.vr) is not None:
            return False
        if self._source.size is not None and self._base + start + length > self._source.size:
            raise TruncatedError(truncation(name_of(tag), length, self._source.size - self._base - start))
        self._flush()
        end = self._base + start + length
        if is_left_out:
            self._touch(tag, rule)
        else:
            self._write(self._content[self._at : start])
            self._stream(self._base + start, end)
        self._base, self._content, self._at, self._kept_from = end, b"", 0, 0
        return True

    def _copy_pixels(self, rule: Rule, header: ElementHeader) -> None:
        """Pixel Data as it stands; what comes behind it is not kept."""
        tag, vr, length, start = header
        self._flush()
        if rule.change is leave_out:
            self._touch(tag, rule)
            self._kept_from = self._at
            return
        at = self._base + start
        end = at + length
        pixel_data = PixelDataElement(tag, vr or "OW", at, None if length == UNDEFINED_LENGTH else length)
        if length == UNDEFINED_LENGTH:
            if self._source.size is None:
                raise OddError
            end, trouble = find_end(self._source, pixel_data, self._limits, big_endian=self._encoding.big_endian)
            if trouble is not None:
                raise TruncatedError(trouble)
        self._write(self._content[self._at : start])
        if self._pixels is None:
            self._stream(at, end)
        else:
            for chunk in self._pixels(self._source, pixel_data):
                self._write(chunk)
        self._rewritten.pixel_bytes = end - at
        self._kept_from = self._at

    def _stream(self, at: int, end: int) -> None:
        while at < end:
            there = self._content[at - self._base : end - self._base]  # what the window has of it is not read again
            chunk = there or self._source.read_at(at, min(CHUNK, end - at))
            if not chunk:
                raise TruncatedError(f"The file ends {end - at} bytes too early.")
            self._write(chunk)
            at += len(chunk)
            self._base, self._content = at, b""

    # --- one element, at any depth ------------------------------------------------------------------------------------------------

    def _element(self, content: bytes, header: ElementHeader, level: _Level) -> tuple[int, bytes | None]:
        """Where the element ends, and what is written for it; None: itself, b"": nothing.

        Raises:
            struct.error: the content ends before it.
        """
        tag, vr, length, start = header
        rule = self._rule(content, header, level) if tag & 0x10000 else level.plan[tag]
        if length == UNDEFINED_LENGTH:
            return self._undefined(content, header, rule, level)
        end = start + length
        if end > len(content):
            raise struct.error
        if rule.change is leave_out:
            self._left_out(tag, rule, vr, content[start:end])
            return end, b""
        vr = vr or rule.vr
        if vr != rule.vr:
            vr = fitting(vr, rule.vr, level.encoding)
            if not vr:
                self._left_out(tag, WRONG_VR, header[1], content[start:end])
                return end, b""
        most = most_bytes(tag, vr, rule.vr)
        if most is not None and length > most:
            self._left_out(tag, WRONG_VR, header[1], content[start:end])
            return end, b""
        if rule.below is not None:
            items, _ = self._items(content, start, end, header, rule.below, level)
            return end, self._encoding.element(tag, "SQ", items)
        return end, self._value(header, vr, content[start:end], rule, level)

    def _value(self, header: ElementHeader, vr: str, value: bytes, rule: Rule, level: _Level) -> bytes | None:
        tag = header[0]
        new: bytes | None = value
        if rule.change is not None:
            key = (rule, vr, value, level.character_set)
            try:
                new = self._remembered[key]
            except KeyError:
                new = rule.change(Occurrence(tag, vr, value, level.character_set, level.encoding.big_endian, self._subject))
                if len(value) <= _REMEMBERED_BYTES:
                    self._remembered[key] = new
        if tag == _CHARACTER_SET and new is not None:
            level.character_set = "\\".join(map(str, decode("CS", new)))
        if self._observe is not None:
            self._observe((*self._path, tag), rule, vr, value, new)
        if new is None:
            self._touch(tag, rule)
            return b""
        if new == value:
            if level.encoding is self._encoding and (not header[1] or vr == header[1]):
                return None
            return self._encoding.element(tag, WRITTEN_AS.get(vr, vr), new)
        self._touch(tag, rule)
        return self._encoding.element(tag, WRITTEN_AS.get(vr, vr), new)

    def _left_out(self, tag: int, rule: Rule, vr: str, value: bytes) -> None:
        self._touch(tag, rule)
        if self._observe is not None:
            self._observe((*self._path, tag), rule, vr, value, None)

    def _touch(self, tag: int, rule: Rule) -> None:
        self._rewritten.touched.append(Touched((*self._path, tag), rule))

    def _rule(self, content: bytes, header: ElementHeader, level: _Level) -> Rule:
        """The rule for a private element (PS3.5 7.8.1)."""
        tag, _, length, start = header
        if not level.plan.has_private_rules or length == UNDEFINED_LENGTH:
            return UNSAFE_PRIVATE
        if 0x10 <= tag & 0xFFFF <= 0xFF:
            names = decode("LO", content[start : start + length], level.character_set)
            creator = str(names[0]) if len(names) == 1 else ""  # PS3.5 7.8.1: one value; what else stood there nobody has named
            level.creators[(tag & 0xFFFF0000) | (tag & 0xFF) << 8] = creator
        else:
            creator = level.creators.get(tag & 0xFFFFFF00, "")
        return (level.plan.private_rule(tag, creator) if creator else None) or UNSAFE_PRIVATE

    # --- sequences ----------------------------------------------------------------------------------------------------------------

    def _undefined(self, content: bytes, header: ElementHeader, rule: Rule, level: _Level) -> tuple[int, bytes]:
        tag, vr, _, start = header
        if rule.below is not None and vr in {"SQ", "UN", ""}:
            items, end = self._items(content, start, None, header, rule.below, level)
            return end, self._encoding.element(tag, "SQ", items)
        inside = IMPLICIT if vr == "UN" else level.encoding
        end = inside.skip_undefined(content, start)
        if rule.change is None or rule.vr != "SQ" or rule.change is leave_out:
            self._left_out(tag, rule if rule.change is leave_out else WRONG_VR, vr, b"")
            return end, b""
        return end, self._value(header, "SQ", b"", rule, level) or self._encoding.element(tag, "SQ", b"")

    def _items(self, content: bytes, at: int, end: int | None, header: ElementHeader, plan: Plan, level: _Level) -> tuple[bytes, int]:
        """The items of a sequence, written again, and where it ends."""
        if level.depth >= self._limits.depth:
            raise UnreadableError(f"Sequences are nested deeper than {self._limits.depth} levels.")
        encoding = IMPLICIT if header[1] == "UN" else level.encoding  # PS3.5 6.2.2 note 2
        if encoding is not level.encoding and level.encoding.big_endian:
            raise OddError
        self._path.append(header[0])
        items: list[bytes] = []
        while end is None or at < end:
            tag, _, length, at = encoding.read_header(content, at)
            if tag == SEQUENCE_DELIMITER and end is None:
                break
            if tag != ITEM:
                raise OddError
            stop = None if length == UNDEFINED_LENGTH else at + length
            if stop is not None and stop > (len(content) if end is None else end):
                raise struct.error
            inside = IMPLICIT if length and not encoding.implicit and encoding.looks_implicit(content, at) else encoding
            item, at = self._item(content, at, stop, _Level(plan, inside, level.character_set, level.depth + 1))
            items.append(self._encoding.item(item))
        if end is not None and at != end:
            raise OddError
        self._path.pop()
        return b"".join(items), at

    def _item(self, content: bytes, at: int, end: int | None, level: _Level) -> tuple[bytes, int]:
        out: list[bytes] = []
        kept_from, before = at, 0
        while end is None or at < end:
            header = level.encoding.read_header(content, at)
            if header[0] == ITEM_DELIMITER and end is None:
                out.append(content[kept_from:at])
                return b"".join(out), header[3]
            if header[0] <= before:
                raise OddError
            before = header[0]
            stop, new = self._element(content, header, level)
            if new is not None:
                out += (content[kept_from:at], new)
                kept_from = stop
            at = stop
        if at != end:
            raise OddError
        out.append(content[kept_from:at])
        return b"".join(out), at


_TRAILING_TAGS = frozenset({0xFFFAFFFA, 0xFFFCFFFC})
