"""The attributes that the modules of the image's IOD ask for (PS3.3 Annex A and C): types 1 and 2 (PS3.5 7.4).

Judged are the mandatory modules, and the items of sequences that are there. Whether a condition holds (types 1C and 2C, modules of
usage C) only the prose of PS3.3 says, so nothing is said of these. Real images rarely conform: a finding, never a reason to refuse.
"""

from collections.abc import Iterator, Mapping
from functools import cache

from hilum.checks import Content
from hilum.dicom.attributes import UnknownAttributeError, tag_of
from hilum.dicom.elements import Element, Item
from hilum.dicom.iods import AttributeRule, AttributeType, Usage, attributes_of, attributes_of_items, iod_of, modules_of
from hilum.model.outcomes import Severity

kind = "module-conformance"
severity = Severity.INFO
meaning = "The image lacks attributes that the standard asks of its kind; readers that depend on them fail or guess."
mend = "Nothing is needed as long as the processors take it; else tell the maker, or raise the severity of this check in the template."

DEPTH = 3  # of nested sequences: deeper ones are codes of codes
PIXEL_ATTRIBUTES = frozenset({"PixelData", "FloatPixelData", "DoubleFloatPixelData"})  # the scan keeps them apart


def judge(content: Content) -> Iterator[str]:
    """One trouble an attribute."""
    header = content.header
    if header.trouble or header.read_leniently:
        return
    sop_class = (header.text("SOPClassUID") or "").strip()
    for use in modules_of(sop_class):
        if use.usage is Usage.MANDATORY:
            for trouble in _judge_item(header.item, attributes_of(use.module), "", DEPTH):
                yield f"{trouble} ({iod_of(sop_class)}, module {use.module})"


def _judge_item(item: Item, rules: Mapping[str, AttributeRule], prefix: str, depth: int) -> Iterator[str]:
    for keyword, rule in rules.items():
        if rule.type is AttributeType.REQUIRED or rule.type is AttributeType.EMPTY_IF_UNKNOWN or rule.node is not None:
            element = _element(item, keyword)
            yield from _judge_element(element, rule, f"{prefix}{keyword}", keyword)
            if rule.node is not None and depth and element is not None and isinstance(element[2], list):
                for below in element[2]:
                    yield from _judge_item(below, attributes_of_items(rule.node), f"{prefix}{keyword}.", depth - 1)


def _judge_element(element: Element | None, rule: AttributeRule, path: str, keyword: str) -> Iterator[str]:
    if rule.type not in (AttributeType.REQUIRED, AttributeType.EMPTY_IF_UNKNOWN) or keyword in PIXEL_ATTRIBUTES:
        return
    if element is None:
        yield f"{path} of type {rule.type} is missing"
    elif rule.type is AttributeType.REQUIRED and element[2] is not None and not element[2]:
        yield f"{path} of type 1 is empty"


def _element(item: Item, keyword: str) -> Element | None:
    return item.get(_tag(keyword))


@cache
def _tag(keyword: str) -> int:
    try:
        return tag_of(keyword)
    except UnknownAttributeError:
        return -1  # of a repeating group (60xx): it has no tag of its own
