"""Judging rules: compiled once, then asked of series by the thousand.

`verdict` answers quickly, `distance` says how many conditions stand in the way, `explain` tells which and why; all three agree.

Three answers: True, False, and None where the verdict hangs on an attribute that was not kept when the series came and is not read
yet. A missing attribute is an outcome, never an exception. Operators are handed in: this module knows none.
"""

import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Protocol

from hilum.dicom.comparing import Kind, comparable
from hilum.model.explaining import Explanation, Leaf, Reason, Sight
from hilum.model.records import Series
from hilum.model.remembering import Memory
from hilum.model.rules import NUMBER_OF_INSTANCES, AllOf, AnyOf, Condition, NoneOf, Operator, Rule
from hilum.model.wanted_values import kind_of, prepare

MOST_COMPILED = 4096  # rules, and conditions


class Compiled(Protocol):
    """A rule, or a part of one, ready to be asked."""

    def verdict(self, series: Series) -> bool | None:
        """Whether it holds; None: not known yet."""

    def distance(self, series: Series, wanted: bool = True) -> int:
        """How many conditions stand in the way of the wanted verdict; of alternatives, those of the nearest one."""

    def explain(self, series: Series, wanted: bool = True) -> Explanation:
        """The verdict with its reasons; as many conditions fail as `distance` says."""


class Operators:
    """The operators by kind, and the rules that were compiled with them.

    Args:
        today: for operators that count days back.
    """

    def __init__(self, members: Mapping[str, Operator], today: Callable[[], date]) -> None:
        self.members = members
        self._today = today
        self._conditions: dict[Condition, _Test] = {}
        self._rules: OrderedDict[int, tuple[Rule, Compiled]] = OrderedDict()
        self._numbers = itertools.count()
        self._memory = Memory()

    def compile(self, rule: Rule) -> Compiled:
        """The rule ready to be asked; the same rule is compiled once. Conditions that rules share are shared."""
        known = self._rules.get(id(rule))
        if known is not None:
            return known[1]
        compiled = self._compile(rule)
        self._rules[id(rule)] = (rule, compiled)  # with the rule, so that its id stays its own
        while len(self._rules) > MOST_COMPILED:
            self._rules.popitem(last=False)
        return compiled

    def _compile(self, rule: Rule) -> Compiled:
        match rule:
            case Condition():
                if len(self._conditions) > MOST_COMPILED:
                    self._conditions.clear()
                return self._conditions.get(rule) or self._conditions.setdefault(rule, self._test(rule))
            case AllOf(all=parts):
                return _All(tuple(map(self._compile, parts)))
            case AnyOf(any=parts):
                return _Any(tuple(map(self._compile, parts)))
            case NoneOf(none=parts):
                return _None(tuple(map(self._compile, parts)))

    def _test(self, condition: Condition) -> "_Test":
        operator = self.members[condition.operator]
        hangs_on_day = getattr(operator, "needs_today", False)
        return _QUANTIFIED[condition.quantifier](
            number=next(self._numbers),
            condition=condition,
            path=condition.attribute,
            kind=kind_of(condition, operator),
            judge=self._with_today(operator.judge) if hangs_on_day else operator.judge,
            wanted=prepare(condition, operator),
            asks_presence=getattr(operator, "asks_presence", False),
            memory=None if hangs_on_day else self._memory,
        )

    def _with_today(self, judge: Callable[..., bool]) -> Callable[..., bool]:
        return lambda actual, wanted: judge(actual, wanted, self._today())


# --- a condition ---------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Test:
    """A compiled condition that asks the first slice.

    Args:
        number: no other condition has it.
        judge: the operator's, of the values of one slice and the wanted one.
        memory: of what was found before, since series say most things alike; None where a verdict hangs on the day.
    """

    number: int
    condition: Condition
    path: str
    kind: Kind
    judge: Callable[..., bool]
    wanted: Any
    asks_presence: bool
    memory: Memory | None

    def verdict(self, series: Series) -> bool | None:
        value = series.attributes.get(self.path)
        if value is None:
            value = _first(series, self.path)
            if value is None and self.path in series.unread:
                return None
        return self.of(value)

    def distance(self, series: Series, wanted: bool = True) -> int:
        return 0 if self.verdict(series) is wanted else 1

    def explain(self, series: Series, wanted: bool = True) -> Explanation:
        return Explanation(self.verdict(series), "condition", (), Leaf(self.condition, partial(self.look, series)), wanted)

    def look(self, series: Series) -> Sight:
        """What it sees of a series."""
        value = _first(series, self.path)
        return Sight(self.reason_of(series, value), (value,))

    def of(self, value: Any) -> bool:
        """The verdict on what one slice has."""
        if self.memory is None:
            return self._judge(value)
        key = self.number, tuple(value) if type(value) is list else value
        known = self.memory.verdicts.get(key)
        if known is None:
            known = self._judge(value)
            self.memory.keep_verdict(key, known)
        return known

    def _judge(self, value: Any) -> bool:
        if self.asks_presence:
            return self.judge(None if value is None else self._values(value), self.wanted)
        values = self._values(value)
        if not values:
            return self.condition.missing == "holds" and value in (None, "")
        return self.judge(values, self.wanted)

    def _values(self, value: Any) -> list[Any]:
        """The values that are what their VR says."""
        if value in (None, ""):
            return []
        several = value if isinstance(value, (list, tuple)) else (value,)
        return [found for one in several if (found := comparable(self.kind, one)) is not None]

    def reason_of(self, series: Series, value: Any) -> Reason:
        """Why it came to its verdict on the value."""
        if value is None:
            return "not-read" if self.condition.attribute in series.unread else "missing"
        if value == "":
            return "empty"
        return "value" if self.asks_presence or self._values(value) else "unreadable"


class _Slices(_Test):
    """A compiled condition over all slices; a subclass says what their verdicts make."""

    __slots__ = ()

    def settle(self, verdicts: Iterable[bool]) -> bool:
        raise NotImplementedError

    def verdict(self, series: Series) -> bool | None:
        if self.memory is None:
            return self._settle(series)
        # Templates share conditions, and a series may have thousands of values.
        known = self.memory.answers_of(series)
        if self.number not in known:
            known[self.number] = self._settle(series)
        return known[self.number]

    def _settle(self, series: Series) -> bool | None:
        first = _Test.verdict(self, series)
        if first is None:
            return None
        others = self._others(series)
        if others is None:
            # The other slices are not loaded; the first may settle it alone.
            return first if self.settle((first, not first)) is first else None
        return self.settle((first, *(self.of(value) for value, _ in others)))

    def look(self, series: Series) -> Sight:
        first, others = _first(series, self.path), self._others(series)
        if others is None or self.verdict(series) is None:
            return Sight("not-read", (first,))
        values = tuple(dict.fromkeys(_hashable(value) for value in (first, *(value for value, _ in others))))
        alike = series.number_of_instances - sum(number for _, number in others)
        so = sum(number for value, number in others if self.of(value)) + (alike if self.of(first) else 0)
        telling = next((value for value in values if value not in (None, "")), first)
        return Sight(self.reason_of(series, telling), values, (so, series.number_of_instances))

    def _others(self, series: Series) -> Sequence[tuple[Any, int]] | None:
        """The values of other slices that differ from the first's, each with the number of slices; None: not loaded."""
        if series.others is None:
            return () if series.number_of_instances <= 1 else None
        return series.others.get(self.condition.attribute, ())


class _AnySlice(_Slices):
    __slots__ = ()

    def settle(self, verdicts: Iterable[bool]) -> bool:
        return any(verdicts)


class _EverySlice(_Slices):
    __slots__ = ()

    def settle(self, verdicts: Iterable[bool]) -> bool:
        return all(verdicts)


_QUANTIFIED: dict[str, type[_Test]] = {"first": _Test, "any": _AnySlice, "all": _EverySlice}


def _first(series: Series, path: str) -> Any:
    return series.number_of_instances if path == NUMBER_OF_INSTANCES else series.attributes.get(path)


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


# --- groups --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _All:
    parts: tuple[Compiled, ...]

    def verdict(self, series: Series) -> bool | None:
        known: bool | None = True
        for part in self.parts:
            verdict = part.verdict(series)
            if verdict is False:
                return False
            known = verdict and known
        return known

    def distance(self, series: Series, wanted: bool = True) -> int:
        distances = [part.distance(series, wanted) for part in self.parts]
        return sum(distances) if wanted else min(distances)

    def explain(self, series: Series, wanted: bool = True) -> Explanation:
        parts = tuple(part.explain(series, wanted) for part in self.parts)
        verdicts = [part.holds for part in parts]
        holds = False if False in verdicts else None if None in verdicts else True
        return Explanation(holds, "all", parts, None, wanted)


@dataclass(frozen=True, slots=True)
class _Any:
    parts: tuple[Compiled, ...]

    def verdict(self, series: Series) -> bool | None:
        known: bool | None = False
        for part in self.parts:
            verdict = part.verdict(series)
            if verdict:
                return True
            if verdict is None:
                known = None
        return known

    def distance(self, series: Series, wanted: bool = True) -> int:
        distances = [part.distance(series, wanted) for part in self.parts]
        return min(distances) if wanted else sum(distances)

    def explain(self, series: Series, wanted: bool = True) -> Explanation:
        parts = tuple(part.explain(series, wanted) for part in self.parts)
        verdicts = [part.holds for part in parts]
        holds = True if True in verdicts else None if None in verdicts else False
        return Explanation(holds, "any", parts, None, wanted)


@dataclass(frozen=True, slots=True)
class _None(_Any):
    """What ANY is not."""

    def verdict(self, series: Series) -> bool | None:
        verdict = _Any.verdict(self, series)
        return None if verdict is None else not verdict

    def distance(self, series: Series, wanted: bool = True) -> int:
        return _Any.distance(self, series, not wanted)

    def explain(self, series: Series, wanted: bool = True) -> Explanation:
        found = _Any.explain(self, series, not wanted)
        return Explanation(None if found.holds is None else not found.holds, "none", found.parts, None, wanted)
