"""Where the attributes of Table E.1-1 stand in the IODs of PS3.3, and what the table asks for there: read straight from the two tables."""

from collections import deque
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from hilum.dicom import iods
from hilum.dicom.attributes import keyword_of, tag_of, vr_of
from hilum.dicom.confidentiality import Demand, Need, Option, Row, code_of, resolve, row_of, table

MR = "1.2.840.10008.5.1.4.1.1.4"
DEEP = ("IssuerOfPatientIDQualifiersSequence", "AssigningJurisdictionCodeSequence", "EquivalentCodeSequence")
"""Three sequences within one another that no profile takes away."""

_CLASSES = """
1.2.840.10008.5.1.4.1.1.4 1.2.840.10008.5.1.4.1.1.2.1 1.2.840.10008.5.1.4.1.1.4.1 1.2.840.10008.5.1.4.1.1.1.1
1.2.840.10008.5.1.4.1.1.20 1.2.840.10008.5.1.4.1.1.128 1.2.840.10008.5.1.4.1.1.130 1.2.840.10008.5.1.4.1.1.30
1.2.840.10008.5.1.4.1.1.88.22 1.2.840.10008.5.1.4.1.1.88.33 1.2.840.10008.5.1.4.1.1.88.59 1.2.840.10008.5.1.4.1.1.66.4
1.2.840.10008.5.1.4.1.1.11.6 1.2.840.10008.5.1.4.1.1.11.1 1.2.840.10008.5.1.4.1.1.12.1.1 1.2.840.10008.5.1.4.1.1.9.1.1
1.2.840.10008.5.1.4.1.1.481.2 1.2.840.10008.5.1.4.1.1.481.3 1.2.840.10008.5.1.4.1.1.481.4 1.2.840.10008.5.1.4.1.1.481.5
1.2.840.10008.5.1.4.1.1.481.8 1.2.840.10008.5.1.4.1.1.481.10 1.2.840.10008.5.1.4.1.1.481.13 1.2.840.10008.5.1.4.1.1.481.22
1.2.840.10008.5.1.4.44.1 1.2.840.10008.5.1.4.38.1 1.2.840.10008.5.1.4.1.1.77.1.6 1.2.840.10008.5.1.4.1.1.77.1.7
1.2.840.10008.5.1.4.1.1.200.1 1.2.840.10008.5.1.4.1.1.201.1 1.2.840.10008.5.1.4.34.10
"""
CLASSES = tuple(_CLASSES.split())
"""Those that have between them what the table names, and whose pixels the engine does not hold."""


class Place(NamedTuple):
    """An attribute at a place: the sequences around it from the outside in."""

    row: Row
    tag: int
    sop_class_uid: str
    path: tuple[str, ...]


def tags_of(row: Row) -> list[int]:
    """Of a row that is a pattern several: PS3.5 7.6 has sixteen groups."""
    if row.tag == "private":
        return [0x00291001, 0x00E11042]
    if row.tag == "50xxxxxx":
        return [0x50000005, 0x50003000, 0x50042500, 0x501E0022]
    if "x" in row.tag:
        return [int(row.tag.replace("xx", group), 16) for group in ("00", "02", "1e")]
    return [int(row.tag, 16)]


def rows_of_data_sets() -> Iterator[tuple[Row, int]]:
    """Every row with its tags, but for groups 0000 and 0002, which PS3.7 and PS3.10 keep out of data sets."""
    for row in table().rows:
        yield from ((row, tag) for tag in tags_of(row) if tag >> 16 > 2)


@cache
def places() -> tuple[Place, ...]:
    """For every tag: the shortest place where an IOD has it at the top, the shortest within a sequence, and three sequences deep."""
    found: list[Place] = []
    for row, tag in rows_of_data_sets():
        keyword = keyword_of(tag)
        at_top = next((sop for sop in CLASSES if keyword and () in _paths(sop).get(keyword, ())), MR)
        found.append(Place(row, tag, at_top, ()))
        within = [(path, sop) for sop in CLASSES for path in _paths(sop).get(keyword, ()) if path]
        if keyword and within:
            path, sop = min(within, key=lambda one: (not _survives(one[1], one[0]), len(one[0])))
            found.append(Place(row, tag, sop, path))
        if vr_of(tag) != "SQ" or keyword not in DEEP:
            found.append(Place(row, tag, MR, DEEP))
    return tuple(found)


def _survives(sop_class_uid: str, path: tuple[str, ...]) -> bool:
    return fate(sop_class_uid, path[:-1], tag_of(path[-1]), frozenset()) in {Demand.KEEP, Demand.REPLACE_UID}


@cache
def _paths(sop_class_uid: str) -> dict[str, list[tuple[str, ...]]]:
    """Where a SOP class has each keyword: its shortest paths, one at the top level and one below."""
    found: dict[str, list[tuple[str, ...]]] = {}
    todo = deque((iods.attributes_of(use.module), ()) for use in iods.modules_of(sop_class_uid))
    seen: set[int] = set()
    while todo:
        attributes, path = todo.popleft()
        for keyword, rule in attributes.items():
            known = found.setdefault(keyword, [])
            if (not path and () not in known) or (path and not any(known)):
                known.append(path)
            if rule.node is not None and rule.node not in seen and len(path) < 4:
                seen.add(rule.node)
                todo.append((iods.attributes_of_items(rule.node), (*path, keyword)))
    return found


def need_at(sop_class_uid: str, path: tuple[str, ...], tag: int) -> Need | None:
    """What the IOD needs of an attribute at a place; None where it does not have it there."""
    type_ = iods.type_of(sop_class_uid, *path, keyword_of(tag)) if keyword_of(tag) else None
    return None if type_ is None else Need.of_type(type_ or "3")


def fate(sop_class_uid: str, path: tuple[str, ...], tag: int, options: frozenset[Option]) -> Demand:
    """What the table asks for: its code, by what the IOD needs, within what becomes of the sequences around it."""
    is_dummy = False
    for depth, keyword in enumerate(path):
        around = _alone(sop_class_uid, path[:depth], tag_of(keyword), options)
        if around in {Demand.REMOVE, Demand.EMPTY}:
            return Demand.REMOVE
        is_dummy = is_dummy or around is Demand.DUMMY
    own = _alone(sop_class_uid, path, tag, options)
    keeps = own in {Demand.KEEP, Demand.CLEAN} and vr_of(tag) not in {"DA", "DT", "TM"}
    return Demand.DUMMY if is_dummy and keeps else own


def _alone(sop_class_uid: str, path: tuple[str, ...], tag: int, options: frozenset[Option]) -> Demand:
    row, need = row_of(tag), need_at(sop_class_uid, path, tag)
    if row is None:
        return Demand.REMOVE if need is None else Demand.KEEP
    code = code_of(row, options)
    if need is None and row.basic.startswith("X") and code not in {"X", "K"}:
        code = "X"  # what an IOD does not have needs no cleaning: it goes
    return resolve(code, need or Need.NOTHING)
