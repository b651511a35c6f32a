"""The fast header scan: the wanted attributes of an object, or all of its header, with one read and without its pixels.

    WANTED = Wanted("StudyInstanceUID", "PatientName", "SharedFunctionalGroupsSequence.PixelMeasuresSequence.PixelSpacing")
    header = scan(Source(lambda offset, size: os.pread(file, size, offset), size), WANTED)
    header.text("StudyInstanceUID"), header.trouble

Native encodings are read here: two tight loops walk the top level in little endian, `elements.Walker` the rest. What has a structure
outside PS3.5 is given to pydicom (`lenient`), and what is deflated is inflated first; both within limits.
"""

import struct
from collections.abc import Sequence

from hilum.dicom.attributes import Step, name_of, parse_path, vr_of
from hilum.dicom.elements import (
    NOTHING,
    PIXEL_DATA_TAGS,
    SPECIFIC_CHARACTER_SET,
    WINDOW_SIZE,
    Limits,
    MoreNeededError,
    OddError,
    Source,
    Tree,
    TruncatedError,
    Walker,
    Window,
    find_end,
    truncation,
)
from hilum.dicom.headers import PIXEL_REPRESENTATION, Header
from hilum.dicom.inflating import inflate
from hilum.dicom.lenient import read_leniently
from hilum.dicom.part10 import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    LONG_VRS,
    SHORT_VRS,
    UNDEFINED_LENGTH,
    Recognition,
    UnreadableError,
    recognise,
)

__all__ = ["Header", "Limits", "Source", "UnreadableError", "Wanted", "scan", "scan_all", "scan_prefix"]

_LIMITS = Limits()
DEFLATED = {DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"}  # PS3.5 A.5, A.7, A.8
# What the loops never take for an ordinary element: where the scan ends, items, delimiters.
_SPECIAL_TAGS = PIXEL_DATA_TAGS | {0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD}
_TRAILING_TAGS = {0xFFFAFFFA, 0xFFFCFFFC}  # Digital Signatures Sequence, Data Set Trailing Padding


class Wanted:
    """The attributes a scan takes; made once, used for every object.

    Args:
        paths: as `attributes.parse_path` reads them. Indices are for asking the header: the scan takes all items.

    Raises:
        UnknownAttributeError: a path is none.
    """

    __slots__ = ("keys", "last", "paths", "tree", "vrs")

    def __init__(self, *paths: str) -> None:
        self.paths = paths
        self.tree: dict[int, Tree] = {}
        steps = [parse_path(path) for path in paths]
        for path in steps:
            _plant(self.tree, path)
        self.last = max(self.tree if _needs_sign(steps) else (tag for first, *_ in steps for tag in _tags_of(first)))
        self.vrs = {tag: vr_of(tag) for tag in self.tree if tag not in _SPECIAL_TAGS}
        self.vrs |= {tag: vr_of(tag, first.creator) for first, *_ in steps for tag in _tags_of(first)}
        # A tag as its four bytes read in one go: group and element are little endian each.
        self.keys = {(tag & 0xFFFF) << 16 | tag >> 16: tag for tag in (*self.tree, *_SPECIAL_TAGS)}


def _needs_sign(steps: Sequence[tuple[Step, ...]]) -> bool:
    """Whether Pixel Representation tells how a value is read (PS3.5 6.2: US or SS); of what is nested it is not asked."""
    return any(len(path) > 1 or path[0].creator or "SS" in vr_of(path[0].tag) for path in steps)


def _plant(tree: dict[int, Tree], steps: tuple[Step, ...]) -> None:
    """Note one path. Each level also takes what its values depend on: character set, sign of pixels, private creators."""
    for tag in (SPECIFIC_CHARACTER_SET, PIXEL_REPRESENTATION):
        tree.setdefault(tag, {})
    for tag in _tags_of(steps[0]):
        below = tree.setdefault(tag, {})
        if len(steps) > 1 and below is not None:
            _plant(below, steps[1:])


def _tags_of(step: Step) -> list[int]:
    """The tags a step may mean. PS3.5 7.8.1: a creator may have reserved any block from 10 to FF."""
    if not step.creator:
        return [step.tag]
    group, low = step.tag & 0xFFFF0000, step.tag & 0xFF
    return [group | block for block in range(0x10, 0x100)] + [group | block << 8 | low for block in range(0x10, 0x100)]


def scan(
    source: Source, wanted: Wanted, recognition: Recognition | None = None, limits: Limits = _LIMITS, *, to_the_end: bool = True
) -> Header:
    """The wanted attributes of one object.

    Args:
        recognition: what is known of an object without File Meta, such as a data set in a negotiated context; else its first bytes say.
        to_the_end: also judge whether the object is whole. Otherwise the scan stops behind the last wanted tag, trusting that tags
            increase (PS3.5 7.1).

    Returns:
        What was found. A damaged object gives what stands before the damage and `trouble`.

    Raises:
        UnreadableError: it is no DICOM object, or exceeds a limit.
    """
    return _Scan(source, recognition, wanted, limits, to_the_end=to_the_end).run()


def scan_all(source: Source, recognition: Recognition | None = None, limits: Limits = _LIMITS) -> Header:
    """The whole header without bulk values (over 1 KiB, or OB OD OF OL OV OW), for `Header.as_json`; otherwise like `scan`."""
    return _Scan(source, recognition, None, limits, to_the_end=True).run()


def scan_prefix(
    prefix: bytes | bytearray | memoryview, wanted: Wanted, recognition: Recognition | None = None, limits: Limits = _LIMITS
) -> Header | None:
    """The wanted attributes of an object that still arrives; None where these first bytes do not hold all of them yet.

    Raises:
        UnreadableError: as for `scan`; that the start cannot be recognised counts only once 64 KiB are there.
    """
    try:
        return _Scan(Source.of_bytes(prefix, is_whole=False), recognition, wanted, limits, to_the_end=False).run()
    except MoreNeededError:
        return None


class _Scan:
    """One scan of one object."""

    def __init__(self, source: Source, recognition: Recognition | None, wanted: Wanted | None, limits: Limits, *, to_the_end: bool) -> None:
        self._head = source.read_at(0, WINDOW_SIZE)
        found = recognition or recognise(self._head)
        if found is None:
            if source.size is None and len(self._head) < WINDOW_SIZE:
                raise MoreNeededError
            raise UnreadableError("This is not DICOM: neither a File Meta group nor a data set begins here.")
        self._source, self._wanted, self._limits, self._to_the_end = source, wanted, limits, to_the_end
        self._tree = wanted.tree if wanted else None
        self._header = Header(found)

    def run(self) -> Header:
        """Scan, whatever comes, and judge."""
        header = self._header
        if header.recognition.transfer_syntax_uid in DEFLATED:
            return self._run_inflated()
        offset = header.recognition.data_set_offset
        if self._source.size is not None and offset >= self._source.size:
            header.trouble = "The file ends before its data set begins."
            return header
        return self._run_native(Window(self._source, self._head, self._limits), offset)

    def _run_inflated(self) -> Header:
        inflated = inflate(self._source, self._header.recognition.data_set_offset, self._limits.header_bytes)
        is_arriving = self._source.size is None
        self._source = inflated.source
        try:
            header = self._run_native(Window(inflated.source, b"", self._limits), 0)
        except MoreNeededError:
            if is_arriving:
                raise
            raise UnreadableError("The header inflates to more than the limit allows.") from None
        header.trouble = inflated.trouble or header.trouble
        return header

    def _run_native(self, window: Window, offset: int) -> Header:
        header = self._header
        walker = self._walker(window, offset)
        try:
            self._walk(walker)
        except TruncatedError as truncated:
            header.trouble = str(truncated)
        except OddError:
            self._read_leniently(walker, offset)
        header.pixel_data = walker.pixel_data
        if walker.depth_exceeded:
            header.trouble = header.trouble or f"Sequences are nested deeper than {self._limits.depth} levels."
        if self._to_the_end and header.trouble is None and header.pixel_data and self._source.size is not None:
            self._judge_end(walker)
        return header

    def _walker(self, window: Window, offset: int) -> Walker:
        """A walker in the encoding that the data set has. Its first element tells better than the declared transfer syntax."""
        syntax = self._header.recognition.transfer_syntax_uid
        self._header.big_endian = syntax == EXPLICIT_VR_BIG_ENDIAN
        self._implicit = syntax == IMPLICIT_VR_LITTLE_ENDIAN
        walker = Walker(window, offset, self._limits, implicit=self._implicit, big_endian=self._header.big_endian)
        if window.holds(offset, 6) and walker.looks_implicit(offset) != self._implicit:
            self._implicit = not self._implicit
            walker = Walker(window, offset, self._limits, implicit=self._implicit, big_endian=self._header.big_endian)
        return walker

    def _walk(self, walker: Walker) -> None:
        if self._wanted is None or self._header.big_endian:
            while walker.step(self._header.item, self._tree):
                pass
        elif self._implicit:
            self._walk_implicit(walker, self._wanted)
        else:
            self._walk_explicit(walker, self._wanted)

    def _walk_explicit(self, walker: Walker, wanted: Wanted) -> None:
        """PS3.5 7.1.2 at the top level, little endian: the loop that importing lives by."""
        window, item, keys = walker.window, self._header.item, wanted.keys
        unpack, unpack_length, short_vrs, long_vrs = _EXPLICIT.unpack_from, _LENGTH.unpack_from, SHORT_VRS, LONG_VRS
        key = length = 0
        while True:
            content, base, at = window.content, window.base, walker.position - window.base
            try:
                while True:
                    key, code, length = unpack(content, at)
                    if code in short_vrs:
                        end = at + 8 + length
                        if key in keys:
                            if end > len(content) or keys[key] in _SPECIAL_TAGS:
                                break
                            item[keys[key]] = (short_vrs[code], length, content[at + 8 : end])
                        at = end
                        continue
                    if key in keys or code not in long_vrs:
                        break
                    (length,) = unpack_length(content, at + 8)
                    end = at + 12 + length if length != UNDEFINED_LENGTH else _skip_sequence(content, at + 12)
                    if not end:
                        break
                    at = end
            except struct.error:
                walker.position = base + at
                if not self._move_on(walker, key, length):
                    return
                continue
            walker.position = base + at
            if not self._step(walker, key):
                return

    def _walk_implicit(self, walker: Walker, wanted: Wanted) -> None:
        """PS3.5 7.1.3 at the top level, little endian."""
        window, item, vrs = walker.window, self._header.item, wanted.vrs
        unpack, keys = _IMPLICIT.unpack_from, wanted.keys
        key = length = 0
        while True:
            content, base, at = window.content, window.base, walker.position - window.base
            try:
                while True:
                    key, length = unpack(content, at)
                    end = at + 8 + length
                    if key in keys or length == UNDEFINED_LENGTH:
                        tag = keys.get(key, 0)
                        vr = vrs.get(tag, "SQ")
                        if vr == "SQ" or length == UNDEFINED_LENGTH or end > len(content):
                            break
                        item[tag] = (vr, length, content[at + 8 : end])
                    at = end
            except struct.error:
                walker.position = base + at
                if not self._move_on(walker, key, length):
                    return
                continue
            walker.position = base + at
            if not self._step(walker, key):
                return

    def _step(self, walker: Walker, key: int) -> bool:
        """One element that the loops leave to the walker: long, nested, special or across the window's end."""
        if not self._to_the_end and self._is_past(key):
            return False
        return walker.step(self._header.item, self._tree)

    def _move_on(self, walker: Walker, key: int, length: int) -> bool:
        """The window is used up: move it, or find that the data set ends here or should not have."""
        size = self._source.size
        if size is not None and walker.position > size:
            raise TruncatedError(truncation(name_of(_tag_of_key(key)), length, size - walker.position + length))
        if not self._to_the_end and self._is_past(key):
            return False
        return walker.window.holds(walker.position, 12) or walker.step(self._header.item, self._tree)

    def _is_past(self, key: int) -> bool:
        return self._wanted is not None and _tag_of_key(key) > self._wanted.last

    def _read_leniently(self, walker: Walker, offset: int) -> None:
        if self._source.size is None:
            raise MoreNeededError
        header = self._header
        try:
            header.item, walker.position = read_leniently(
                self._source, offset, self._tree, self._limits, implicit=self._implicit, big_endian=header.big_endian
            )
            header.read_leniently = True
            walker.step({}, NOTHING)
        except UnreadableError as error:
            header.trouble = str(error)
        except (TruncatedError, OddError):
            pass  # pydicom stopped where no element is: there is no Pixel Data to place

    def _judge_end(self, walker: Walker) -> None:
        """Look at the end of Pixel Data, and at what the standard puts behind it (PS3.3 C.12, Data Set Trailing Padding)."""
        header, pixel_data = self._header, walker.pixel_data
        if pixel_data is None:
            return
        end, header.trouble = find_end(self._source, pixel_data, self._limits, big_endian=header.big_endian)
        head = self._source.read_at(end, 12) if header.trouble is None else b""
        if self._implicit or header.big_endian or len(head) < 12:
            return
        key, code, _ = _EXPLICIT.unpack_from(head)
        (length,) = _LENGTH.unpack_from(head, 8)
        there = (self._source.size or 0) - end - 12
        # Anything else behind the pixels may be rubbish that never was an element.
        if _tag_of_key(key) in _TRAILING_TAGS and code in LONG_VRS and length != UNDEFINED_LENGTH and length > there:
            header.trouble = truncation(name_of(_tag_of_key(key)), length, there)


_EXPLICIT = struct.Struct("<I2sH")
_IMPLICIT = struct.Struct("<II")
_LENGTH = struct.Struct("<I")


_ITEM_KEY, _ITEM_DELIMITER_KEY, _SEQUENCE_DELIMITER_KEY = 0xE000FFFE, 0xE00DFFFE, 0xE0DDFFFE
_PLAIN_DEPTH = 32  # what is nested deeper is left to the walker, which keeps to the limit


def _skip_sequence(content: bytes, at: int) -> int:
    """Where an unwanted sequence of undefined length ends, in explicit VR little endian; 0 where that is not plain to see.

    Sequences and items alternate, so that the depth alone tells which is open: odd, a sequence; even, an item.
    """
    depth = 1
    try:
        while 0 < depth < _PLAIN_DEPTH:
            key, code, short_length = _EXPLICIT.unpack_from(content, at)
            if depth % 2 == 0 and code in SHORT_VRS:
                at += 8 + short_length
            elif depth % 2 == 0 and code in LONG_VRS:
                (length,) = _LENGTH.unpack_from(content, at + 8)
                depth, at = (depth + 1, at + 12) if length == UNDEFINED_LENGTH else (depth, at + 12 + length)
            elif depth % 2 and key == _ITEM_KEY:
                (length,) = _LENGTH.unpack_from(content, at + 4)
                depth, at = (depth + 1, at + 8) if length == UNDEFINED_LENGTH else (depth, at + 8 + length)
            elif key == (_SEQUENCE_DELIMITER_KEY if depth % 2 else _ITEM_DELIMITER_KEY):
                depth, at = depth - 1, at + 8
            else:
                return 0
    except struct.error:
        return 0
    return 0 if depth else at


def _tag_of_key(key: int) -> int:
    return (key & 0xFFFF) << 16 | key >> 16
