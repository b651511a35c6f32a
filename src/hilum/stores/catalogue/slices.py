"""What rules ask of a series beyond its first instance: the values of the other slices, and what of it was never read."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import Connection, select

from hilum.model.records import Series
from hilum.stores.schema import instances, kept_attributes

CHUNK = 500  # keys a statement
_Key = TypeVar("_Key", int, str)


def kept_generations(connection: Connection) -> dict[str, int]:
    """Attribute -> the generation at which it began to be kept."""
    return {row.keyword: row.generation for row in connection.execute(select(kept_attributes))}


NEVER = 1 << 62
"""The generation of an attribute that is not kept."""


class Unread:
    """What of a series was never read, by the generation at which it was.

    Args:
        kept: attribute -> the generation at which it began to be kept.
    """

    def __init__(self, kept: Mapping[str, int]) -> None:
        self._kept = kept
        self._by_generation: dict[int, frozenset[str]] = {}

    def at(self, generation: int) -> frozenset[str]:
        """The attributes that began to be kept only after `generation`."""
        known = self._by_generation.get(generation)
        if known is None:
            known = frozenset(keyword for keyword, since in self._kept.items() if since > generation)
            self._by_generation[generation] = known
        return known


def with_others(connection: Connection, found: Sequence[Series], varying: Collection[str]) -> list[Series]:
    """The series with the values of `varying` in their other instances (`records.Series.others`)."""
    others: dict[int, dict[str, dict[Any, int]]] = {one.key: {} for one in found}
    for keys in chunked(list(others), CHUNK):
        rows = connection.execute(select(instances.c.series_key, instances.c.differs).where(instances.c.series_key.in_(keys)))
        for series_key, differs in rows:
            if differs:
                _count(others[series_key], differs, varying)
    return [replace(one, others={name: list(counted.items()) for name, counted in others[one.key].items()}) for one in found]


def _count(others: dict[str, dict[Any, int]], differs: Mapping[str, Any], varying: Collection[str]) -> None:
    """Count what one instance has otherwise than the first."""
    for name in varying:
        if name in differs:
            value = differs[name]
            key = tuple(value) if isinstance(value, list) else value
            counted = others.setdefault(name, {})
            counted[key] = counted.get(key, 0) + 1


def chunked(keys: Sequence[_Key], size: int) -> Iterator[Sequence[_Key]]:
    """Some keys at a time."""
    return (keys[start : start + size] for start in range(0, len(keys), size))
