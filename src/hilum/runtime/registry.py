"""The parts, found by scanning their packages and the entry points `hilum.checks`, `hilum.operators`, ...

A member is the module itself (checks, operators: it has `kind` and a function), or the one class in it that has `kind` (processors,
destinations).
"""

import importlib
import pkgutil
from collections.abc import Iterator
from importlib.metadata import entry_points
from inspect import isclass
from types import ModuleType
from typing import Any

from hilum.model.errors import HilumError


def find_modules(package: str) -> Iterator[ModuleType]:
    """The member modules of a part package and of third parties. A name that begins with an underscore is no member."""
    path = importlib.import_module(package).__path__
    for found in sorted(pkgutil.iter_modules(path), key=lambda module: module.name):
        if not found.name.startswith("_"):
            yield importlib.import_module(f"{package}.{found.name}")
    for point in entry_points(group=package):
        yield point.load()


def find_members(package: str) -> dict[str, Any]:
    """Members that are modules, by kind."""
    return _by_kind(package, find_modules(package))


def find_classes(package: str) -> dict[str, Any]:
    """Members that are classes, by kind."""
    return _by_kind(package, (_class_of(module) for module in find_modules(package)))


def _class_of(module: ModuleType) -> type:
    found = [
        value
        for value in vars(module).values()
        if isclass(value) and value.__module__ == module.__name__ and isinstance(getattr(value, "kind", None), str)
    ]
    if len(found) != 1:
        raise HilumError(f"{module.__name__} has {len(found)} classes with a kind.", "A member file holds exactly one.")
    return found[0]


def _by_kind(package: str, found: Iterator[Any]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for member in found:
        if member.kind in members:
            raise HilumError(f"{package} has two members of kind {member.kind!r}.", "Rename one of them.")
        members[member.kind] = member
    return members
