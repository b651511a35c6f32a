"""What rules ask of a series beyond its first instance: the values of the other slices, and what of it was never read."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select

from hilum.model.records import Series
from hilum.stores.schema import instances, kept_attributes

CHUNK = 500  # keys a statement


def kept_generations(connection: Connection) -> dict[str, int]:
    """Attribute -> the generation at which it began to be kept."""
    return {row.keyword: row.generation for row in connection.execute(select(kept_attributes))}


def with_unread(found: Sequence[Series], generation_of: Mapping[int, int], kept: Mapping[str, int]) -> list[Series]:
    """The series with the attributes that are kept now and were not when they came.

    Args:
        generation_of: series key -> up to which generation its attributes were read.
        kept: attribute -> generation.
    """
    newest = max(kept.values(), default=0)
    behind: dict[int, frozenset[str]] = {newest: frozenset()}
    for generation in set(generation_of.values()) - {newest}:
        behind[generation] = frozenset(keyword for keyword, since in kept.items() if since > generation)
    return [replace(one, unread=behind[generation_of[one.key]]) if behind[generation_of[one.key]] else one for one in found]


def with_others(connection: Connection, found: Sequence[Series], varying: Collection[str]) -> list[Series]:
    """The series with the values of `varying` in their other instances (`records.Series.others`)."""
    counted: dict[int, Counter[tuple[str, Any]]] = {one.key: Counter() for one in found}
    for keys in chunks([one.key for one in found]):
        rows = connection.execute(select(instances.c.series_key, instances.c.differs).where(instances.c.series_key.in_(keys)))
        for series_key, differs in rows:
            counted[series_key].update(_differing(differs, varying))
    return [replace(one, others=_by_attribute(counted[one.key])) for one in found]


def _differing(differs: Mapping[str, Any] | None, varying: Collection[str]) -> Iterable[tuple[str, Any]]:
    if not differs:
        return ()
    return [(name, tuple(value) if isinstance(value, list) else value) for name in varying if (value := differs.get(name, ...)) is not ...]


def _by_attribute(counted: Mapping[tuple[str, Any], int]) -> dict[str, list[tuple[Any, int]]]:
    others: dict[str, list[tuple[Any, int]]] = {}
    for (name, value), number in counted.items():
        others.setdefault(name, []).append((value, number))
    return others


def chunks(keys: Sequence[int]) -> Iterable[Sequence[int]]:
    """Some keys at a time."""
    return [keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK)]
