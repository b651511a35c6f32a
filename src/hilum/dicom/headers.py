"""What a scan found: values by path, or the whole header as a JSON document (PS3.18 F)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any

from hilum.dicom.attributes import (
    BULK_VRS,
    Step,
    Value,
    as_date,
    as_number,
    as_numbers,
    as_text,
    as_time,
    decode,
    keyword_of,
    parse_path,
)
from hilum.dicom.elements import SPECIFIC_CHARACTER_SET, Element, Item, PixelDataElement, creator_of
from hilum.dicom.part10 import UNDEFINED_LENGTH, Recognition

PIXEL_REPRESENTATION = 0x00280103


@dataclass(frozen=True, slots=True)
class Leaf:
    """An element that is no sequence, wherever it stands.

    Args:
        path: the keywords of the sequences around it and its own, joined by dots; `GGGGEEEE` where PS3.6 has no keyword.
        vr: settled where PS3.6 leaves a choice.
        content: its bytes; None where they were left out, being bulk.
        character_set: Specific Character Set in force (PS3.3 C.12.1.1.2), "" for none.
    """

    path: str
    tag: int
    vr: str
    content: bytes | None
    character_set: str


@dataclass(slots=True)
class Header:
    """The scanned header of one object.

    Attributes:
        recognition: what the first bytes said; the *declared* transfer syntax.
        item: the found elements, undecoded.
        pixel_data: where the pixels stand, None where the scan met none. In a deflated object the offset is in the inflated data set.
        trouble: why the object is not whole, as one sentence without patient data; None where nothing is wrong that a scan sees.
        read_leniently: its structure is outside PS3.5 and pydicom read it.

    Every question about values takes a path as `hilum.dicom.attributes.parse_path` reads it. A missing attribute, also one that the
    scan was not asked for, gives None; an empty one gives `()` or "".
    """

    recognition: Recognition
    item: Item = field(default_factory=dict)
    big_endian: bool = False
    pixel_data: PixelDataElement | None = None
    trouble: str | None = None
    read_leniently: bool = False
    _character_set: str | None = field(default=None, repr=False)

    def values(self, path: str) -> tuple[Value, ...] | None:
        """All values of the first element the path leads to; None if there is none."""
        steps = parse_path(path)
        if len(steps) == 1 and not steps[0].creator:
            element = self.item.get(steps[0].tag)
            return None if element is None else self._decode(element)
        return next((values for values in self._each(path) if values is not None), None)

    def each(self, path: str) -> list[tuple[Value, ...] | None]:
        """The values in every item the path leads to, in order; None for an item without the attribute."""
        return list(self._each(path))

    def text(self, path: str) -> str | None:
        """The values as they are stored, joined by backslashes; None if missing, "" if empty."""
        return as_text(self.values(path))

    def number(self, path: str) -> int | float | None:
        """The first value as a number; None if missing, empty or no number."""
        return as_number(self.values(path))

    def numbers(self, path: str) -> tuple[int | float, ...] | None:
        """All values as numbers; None if missing, empty or one is no number."""
        return as_numbers(self.values(path))

    def date(self, path: str) -> date | None:
        """The first value as a date; None if it names no day."""
        return as_date(self.values(path))

    def time(self, path: str) -> time | None:
        """The first value as a time of day; None if it names none."""
        return as_time(self.values(path))

    def holds(self, path: str) -> bool:
        """Whether the attribute, or the sequence, is there at all."""
        return any(element is not None for element, *_ in self._elements(path))

    def count_items(self, path: str) -> int:
        """How many items the sequence at the path has; 0 if it is missing."""
        return sum(len(element[2]) for element, *_ in self._elements(path) if element is not None and isinstance(element[2], list))

    def values_as(self, path: str, vr: str) -> tuple[Value, ...]:
        """The values of the first element at the path, read as of another VR where it is of unknown form (UN, PS3.5 6.2.2)."""
        for element, character_set, _ in self._elements(path):
            if element is not None and element[0] == "UN" and isinstance(element[2], bytes):
                return decode(vr, element[2], character_set, big_endian=self.big_endian)
        return ()

    def has_content(self, path: str) -> bool:
        """Whether a sequence at the path has an item, or another element a byte."""
        return any(element is not None and (element[2] if element[2] is not None else element[1]) for element, *_ in self._elements(path))

    def as_json(self) -> dict[str, Any]:
        """The header as PS3.18 F.2 has it, except that members are named by keyword where PS3.6 has one.

        What is bulk is listed as `{"vr": "OW", "length": 524288}` without a value; an undefined length is None. Numbers that JSON does
        not have (NaN, infinities) are strings, PS3.18 F.2.7. DS and IS that are no numbers are strings too.
        """
        return _json_of(self.item, "", 0, self.big_endian)

    def leaves_of(self, tag: int) -> Iterator[Leaf]:
        """The element of this tag, or, if it is a sequence, every element below it that is none."""
        return _leaves({tag: self.item[tag]}, "", _character_set_of(self.item, ""), _signed(self.item, 0))

    def leaves(self) -> Iterator[Leaf]:
        """Every element that is no sequence, in the order of tags, those within sequences too."""
        return _leaves(self.item, "", "", 0)

    def _decode(self, element: Element) -> tuple[Value, ...]:
        """The values of an element of the data set itself."""
        vr, _, content = element
        if not isinstance(content, bytes):
            return ()
        if self._character_set is None:
            self._character_set = _character_set_of(self.item, "")
        if len(vr) > 2:
            vr = _settle_vr(vr, _signed(self.item, 0))
        return decode(vr, content, self._character_set, big_endian=self.big_endian)

    def _each(self, path: str) -> Iterator[tuple[Value, ...] | None]:
        for element, character_set, signed in self._elements(path):
            yield None if element is None else _values_of(element, character_set, signed, self.big_endian)

    def _elements(self, path: str) -> Iterator[tuple[Element | None, str, int]]:
        *sequences, last = parse_path(path)
        items = [(self.item, _character_set_of(self.item, ""), _signed(self.item, 0))]
        for step in sequences:
            items = [
                (below, _character_set_of(below, character_set), _signed(below, signed))
                for item, character_set, signed in items
                for below in _items_of(item, step)
            ]
        for item, character_set, signed in items:
            yield item.get(_tag_in(item, last), None), character_set, signed


def _tag_in(item: Item, step: Step) -> int:
    """The tag a step means in this item: that of the block its private creator has reserved here, or -1 if it has none."""
    if not step.creator:
        return step.tag
    group = step.tag & 0xFFFF0000
    for block in range(0x10, 0x100):
        if group | block in item and creator_of(group | block << 8, item) == step.creator:
            return group | block << 8 | step.tag & 0xFF
    return -1


def _items_of(item: Item, step: Step) -> list[Item]:
    element = item.get(_tag_in(item, step))
    if element is None or not isinstance(element[2], list):
        return []
    return element[2] if step.index is None else element[2][step.index : step.index + 1]


def _character_set_of(item: Item, inherited: str) -> str:
    """PS3.3 C.12.1.1.2: an item without its own character set has that of the data set around it."""
    element = item.get(SPECIFIC_CHARACTER_SET)
    if element is None or not isinstance(element[2], bytes):
        return inherited
    return as_text(decode("CS", element[2])) or ""


def _signed(item: Item, inherited: int) -> int:
    element = item.get(PIXEL_REPRESENTATION)
    if element is None or not isinstance(element[2], bytes) or len(element[2]) != 2:
        return inherited
    return int(any(element[2]))


def _leaves(item: Item, prefix: str, character_set: str, signed: int) -> Iterator[Leaf]:
    """Sequences are no deeper than the scan's limit, so that the recursion is safe."""
    character_set, signed = _character_set_of(item, character_set), _signed(item, signed)
    for tag in sorted(item):
        vr, _, content = item[tag]
        path = prefix + (keyword_of(tag) or f"{tag:08X}")
        if isinstance(content, list):
            for below in content:
                yield from _leaves(below, f"{path}.", character_set, signed)
        else:
            yield Leaf(path, tag, _settle_vr(vr, signed), content, character_set)


def _settle_vr(vr: str, signed: int) -> str:
    """PS3.5 A.1: in implicit VR, `US or SS` follows Pixel Representation; the words of a lookup table and of pixels are OW."""
    if vr == "US or SS":
        return "SS" if signed else "US"
    return "OW" if " or " in vr else vr


def _values_of(element: Element, character_set: str, signed: int, big_endian: bool) -> tuple[Value, ...]:
    vr, _, content = element
    if not isinstance(content, bytes):
        return ()
    return decode(_settle_vr(vr, signed), content, character_set, big_endian=big_endian)


# --- PS3.18 F -------------------------------------------------------------------------------------------------------------------


def _json_of(item: Item, character_set: str, signed: int, big_endian: bool) -> dict[str, Any]:
    """One item; sequences are no deeper than the scan's limit, so that the recursion here and in `json` is safe."""
    character_set, signed = _character_set_of(item, character_set), _signed(item, signed)
    members = {}
    for tag in sorted(item):
        members[keyword_of(tag) or f"{tag:08X}"] = _json_element(item[tag], character_set, signed, big_endian)
    return members


def _json_element(element: Element, character_set: str, signed: int, big_endian: bool) -> dict[str, Any]:
    vr, length, content = element
    vr = _settle_vr(vr, signed)
    if isinstance(content, list):
        return {"vr": vr, "Value": [_json_of(item, character_set, signed, big_endian) for item in content]}
    if content is None or (content and vr in BULK_VRS):
        return {"vr": vr, "length": None if length == UNDEFINED_LENGTH else length}
    values = decode(vr, content, character_set, big_endian=big_endian)
    if not values:
        return {"vr": vr}
    return {"vr": vr, "Value": [_json_value(vr, value) for value in values]}


_PERSON_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def _json_value(vr: str, value: Value) -> Any:
    if value == "":
        return None  # PS3.18 F.2.5: an empty value among several
    if vr == "PN" and isinstance(value, str):
        return {name: group for name, group in zip(_PERSON_NAME_GROUPS, value.split("="), strict=False) if group}
    if isinstance(value, float) and not math.isfinite(value):
        return {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), "NaN")
    return value
