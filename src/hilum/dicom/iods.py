"""PS3.3 Annex A and C: which modules an IOD has, which attributes a module has, and of what type each is (PS3.5 7.4).

The tables are `iods.json.gz`, made by `tables/convert_iods.py` from the JSON that highdicom (MIT licence, copyright 2020 MGH
Computational Pathology) ships; its fields `source` and `edition` say which. They are read on the first question.

    >>> type_of("1.2.840.10008.5.1.4.1.1.4", "PatientName")
    <AttributeType.EMPTY_IF_UNKNOWN: '2'>
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any


class AttributeType(StrEnum):
    """PS3.5 7.4; `UNTYPED` where PS3.3 gives none. The members stand in the order of strictness."""

    REQUIRED = "1"
    CONDITIONALLY_REQUIRED = "1C"
    EMPTY_IF_UNKNOWN = "2"
    CONDITIONALLY_EMPTY_IF_UNKNOWN = "2C"
    OPTIONAL = "3"
    UNTYPED = ""


_STRICTNESS = {kind: place for place, kind in enumerate(AttributeType)}


class Usage(StrEnum):
    """PS3.3 A.1.3: how a module is used by an IOD."""

    MANDATORY = "M"
    CONDITIONAL = "C"
    OPTIONAL = "U"


@dataclass(frozen=True, slots=True)
class ModuleUse:
    """A module in an IOD.

    Args:
        module: its name in the address of PS3.3, as `general-image`.
        information_entity: `Patient`, `Study`, `Series`, `Frame of Reference`, `Equipment`, `Image`, ...
    """

    module: str
    usage: Usage
    information_entity: str


@dataclass(frozen=True, slots=True)
class AttributeRule:
    """An attribute in a module.

    Args:
        type: of the attribute.
        node: number of the table with its items' attributes (`attributes_of_items`); None where it is no sequence, or of any items.
    """

    type: AttributeType
    node: int | None = None


def iod_of(sop_class_uid: str) -> str | None:
    """The name of the SOP class's IOD in the address of PS3.3, as `mr-image`; None for a class the tables do not know."""
    iod = _tables()["sop_classes"].get(sop_class_uid)
    return None if iod is None else str(iod)


@lru_cache(maxsize=256)
def modules_of(sop_class_uid: str) -> tuple[ModuleUse, ...]:
    """The modules of the SOP class's IOD, in PS3.3's order; empty for a class the tables do not know."""
    uses = _tables()["iods"].get(iod_of(sop_class_uid), ())
    return tuple(ModuleUse(module, Usage(usage), entity) for module, usage, entity in uses)


@lru_cache(maxsize=512)
def attributes_of(module: str) -> Mapping[str, AttributeRule]:
    """The attributes of a module outside its sequences, by keyword; empty for a module whose attributes the tables do not list."""
    node = _tables()["modules"].get(module)
    return {} if node is None else attributes_of_items(node)


@lru_cache(maxsize=2048)
def attributes_of_items(node: int) -> Mapping[str, AttributeRule]:
    """The attributes of a sequence's items, by keyword; `node` is that of the sequence's rule."""
    return {keyword: _rule(entry) for keyword, entry in _tables()["nodes"][node].items()}


def _rule(entry: str | Sequence[Any]) -> AttributeRule:
    return AttributeRule(AttributeType(entry)) if isinstance(entry, str) else AttributeRule(AttributeType(entry[0]), int(entry[1]))


@lru_cache(maxsize=16_384)
def type_of(sop_class_uid: str, *path: str) -> AttributeType | None:
    """The type of an attribute in the IOD of a SOP class, the strictest where several of its modules have it.

    Args:
        path: the keywords of the sequences that hold it, from the outside in, then its own.

    Returns:
        None where the IOD has no such attribute (PS3.4 B.4: a Standard Extended SOP Class may hold it all the same), or is unknown.
    """
    rules = [rule for use in modules_of(sop_class_uid) if (rule := _rule_at(use.module, path)) is not None]
    return min((rule.type for rule in rules), key=_STRICTNESS.__getitem__, default=None)


def _rule_at(module: str, path: Sequence[str]) -> AttributeRule | None:
    attributes = attributes_of(module)
    rule: AttributeRule | None = None
    for keyword in path:
        rule = attributes.get(keyword)
        if rule is None:
            return None
        attributes = {} if rule.node is None else attributes_of_items(rule.node)
    return rule


@lru_cache(maxsize=1)
def _tables() -> Any:
    import gzip
    import json
    from importlib.resources import files

    return json.loads(gzip.decompress((files("hilum.dicom") / "iods.json.gz").read_bytes()))
