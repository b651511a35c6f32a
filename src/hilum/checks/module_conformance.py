"""The attributes that the modules of the image's IOD ask for (PS3.3 Annex A and C): types 1 and 2 (PS3.5 7.4).

Judged are the mandatory modules, those of usage C of which the image has an attribute that is in no other module of its IOD, and the
items of sequences that are there. Whether a condition holds only the prose of PS3.3 says: attributes of types 1C and 2C are judged where
`dicom/conditions.py` has theirs, and one of type 1C that is there must not be empty (PS3.5 7.4.2). Real images rarely conform: a finding,
never a reason to refuse.
"""

from collections.abc import Iterator, Mapping
from functools import cache

from hilum.checks import Content
from hilum.dicom.attributes import UnknownAttributeError, tag_of
from hilum.dicom.conditions import CONDITIONS
from hilum.dicom.elements import Element, Item
from hilum.dicom.headers import Header
from hilum.dicom.iods import AttributeRule, AttributeType, ModuleUse, Usage, attributes_of, attributes_of_items, iod_of, modules_of
from hilum.model.outcomes import Severity

kind = "module-conformance"
severity = Severity.INFO
meaning = "The image lacks attributes that the standard asks of its kind; readers that depend on them fail or guess."
mend = "Nothing is needed as long as the processors take it; else tell the maker, or raise the severity of this check in the template."

_MUST_BE_THERE = frozenset({AttributeType.REQUIRED, AttributeType.EMPTY_IF_UNKNOWN})
_MUST_HAVE_VALUE = frozenset({AttributeType.REQUIRED, AttributeType.CONDITIONALLY_REQUIRED})
_JUDGED = _MUST_BE_THERE | _MUST_HAVE_VALUE
DEPTH = 3  # of nested sequences: deeper ones are codes of codes
PIXEL_ATTRIBUTES = frozenset({"PixelData", "FloatPixelData", "DoubleFloatPixelData"})  # the scan keeps them apart


def judge(content: Content) -> Iterator[str]:
    """One trouble an attribute."""
    header = content.header
    if header.trouble or header.read_leniently:
        return
    sop_class = (header.text("SOPClassUID") or "").strip()
    for use in modules_of(sop_class):
        if _is_used(use, sop_class, header.item):
            troubles = _judge_item(header.item, attributes_of(use.module), "", DEPTH)
            for trouble in (*troubles, *_judge_conditions(header, use.module)):
                yield f"{trouble} ({iod_of(sop_class)}, module {use.module})"


def _is_used(use: ModuleUse, sop_class: str, item: Item) -> bool:
    """PS3.3 A.1.3: mandatory, or conditional and evidently there."""
    if use.usage is Usage.CONDITIONAL:
        return any(_tag(keyword) in item for keyword in _own_attributes(sop_class, use.module))
    return use.usage is Usage.MANDATORY or use.module in CONDITIONS


@cache
def _own_attributes(sop_class: str, module: str) -> tuple[str, ...]:
    """The attributes of a module that no other module of the IOD has."""
    others = {keyword for use in modules_of(sop_class) if use.module != module for keyword in attributes_of(use.module)}
    return tuple(keyword for keyword in attributes_of(module) if keyword not in others)


def _judge_conditions(header: Header, module: str) -> Iterator[str]:
    rules = attributes_of(module)
    for when in CONDITIONS.get(module, ()):
        values = {str(value).strip() for value in header.values(when.asked) or ()} - {""}
        is_due = bool(values & when.values) if when.values else bool(values)
        if is_due and not header.holds(when.keyword) and not (when.unless and header.holds(when.unless)):
            yield f"{when.keyword} of type {rules[when.keyword].type} is missing, which {when.asked} asks for"


def _judge_item(item: Item, rules: Mapping[str, AttributeRule], prefix: str, depth: int) -> Iterator[str]:
    for keyword, rule in rules.items():
        if rule.type in _JUDGED or rule.node is not None:
            element = _element(item, keyword)
            yield from _judge_element(element, rule, f"{prefix}{keyword}", keyword)
            if rule.node is not None and depth and element is not None and isinstance(element[2], list):
                for below in element[2]:
                    yield from _judge_item(below, attributes_of_items(rule.node), f"{prefix}{keyword}.", depth - 1)


def _judge_element(element: Element | None, rule: AttributeRule, path: str, keyword: str) -> Iterator[str]:
    if rule.type not in _JUDGED or keyword in PIXEL_ATTRIBUTES:
        return
    if element is None:
        if rule.type in _MUST_BE_THERE:
            yield f"{path} of type {rule.type} is missing"
    elif rule.type in _MUST_HAVE_VALUE and element[2] is not None and not element[2]:
        yield f"{path} of type {rule.type} is empty"


def _element(item: Item, keyword: str) -> Element | None:
    return item.get(_tag(keyword))


@cache
def _tag(keyword: str) -> int:
    try:
        return tag_of(keyword)
    except UnknownAttributeError:
        return -1  # of a repeating group (60xx): it has no tag of its own
