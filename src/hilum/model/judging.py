"""Judging rules: compiled once, then asked of series by the thousand.

`verdict` answers quickly, `distance` says how many conditions stand in the way, `explain` tells which and why; all three agree.

Three answers: True, False, and None where the verdict hangs on an attribute that was not kept when the series came and is not read
yet. A missing attribute is an outcome, never an exception. Operators are handed in: this module knows none.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any, Protocol

from hilum.dicom.attributes import parse_path, vr_of
from hilum.dicom.comparing import Kind, comparable, form_of
from hilum.model.explaining import Explanation, Leaf, Reason, Sight
from hilum.model.records import Series
from hilum.model.rules import NUMBER_OF_INSTANCES, AllOf, AnyOf, Condition, NoneOf, Rule, Takes

MOST_REMEMBERED = 4096  # compiled rules, and verdicts of one condition
MOST_SETTLED = 256  # series whose slices one condition was asked of


class Operator(Protocol):
    """A member of `operators/`; its `__init__.py` is the contract."""

    kind: str
    vrs: frozenset[str]
    reads_text: bool
    takes: Takes
    judge: Callable[..., bool]


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

    def compile(self, rule: Rule) -> Compiled:
        """The rule ready to be asked; the same rule is compiled once. Conditions that rules share are shared."""
        known = self._rules.get(id(rule))
        if known is not None:
            return known[1]
        compiled = self._compile(rule)
        self._rules[id(rule)] = (rule, compiled)  # with the rule, so that its id stays its own
        while len(self._rules) > MOST_REMEMBERED:
            self._rules.popitem(last=False)
        return compiled

    def _compile(self, rule: Rule) -> Compiled:
        match rule:
            case Condition():
                if len(self._conditions) > MOST_REMEMBERED:
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
        judge, most = operator.judge, MOST_REMEMBERED
        if getattr(operator, "needs_today", False):
            judge, most = self._with_today(operator.judge), 0
        asks_presence = getattr(operator, "asks_presence", False)
        quantified = _QUANTIFIED[condition.quantifier]
        return quantified(
            condition, condition.attribute, kind_of(condition, operator), judge, prepare(condition, operator), asks_presence, most
        )

    def _with_today(self, judge: Callable[..., bool]) -> Callable[..., bool]:
        return lambda actual, wanted: judge(actual, wanted, self._today())


# --- the wanted value ----------------------------------------------------------------------------------------------------------


def vr_at(path: str, named: str = "") -> str:
    """The VR of an attribute: by the dictionary, else as the site has named it."""
    last = parse_path(path)[-1]
    vr = vr_of(last.tag, last.creator)
    return named or vr if vr == "UN" else vr


def kind_of(condition: Condition, operator: Operator) -> Kind:
    """As what the values are compared."""
    return Kind.TEXT if operator.reads_text else form_of(vr_at(condition.attribute, condition.vr)).kind


def prepare(condition: Condition, operator: Operator) -> Any:
    """The wanted value as it is compared.

    Raises:
        ValueError: it is none that the operator takes; the message is a sentence.
    """
    wanted = _WANTED[operator.takes](condition.value, kind_of(condition, operator))
    make_ready = getattr(operator, "prepare", None)
    return wanted if make_ready is None else make_ready(wanted)


def _one(value: Any, kind: Kind) -> Any:
    found = None if value is None or isinstance(value, tuple) else comparable(kind, value)
    if found is None:
        raise ValueError(f"{_as_said(value)} is not {kind}." if value is not None else f"It needs {kind} as its value.")
    return found


def _as_said(value: Any) -> str:
    return f"A list of {len(value)} values" if isinstance(value, tuple) else repr(value)


def _two(value: Any, kind: Kind) -> Any:
    if not isinstance(value, tuple) or len(value) != 2:
        raise ValueError("It needs two values, the lower first.")
    return _one(value[0], kind), _one(value[1], kind)


def _several(value: Any, kind: Kind) -> Any:
    if not isinstance(value, tuple) or not value:
        raise ValueError("It needs a list of values.")
    return tuple(_one(one, kind) for one in value)


def _pattern(value: Any, kind: Kind) -> Any:  # noqa: ARG001 - every form is asked alike
    if not isinstance(value, str) or not value:
        raise ValueError("It needs a regular expression.")
    return value


def _days(value: Any, kind: Kind) -> Any:  # noqa: ARG001 - every form is asked alike
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 100_000:
        raise ValueError("It needs a number of days, zero or more.")
    return value


def _nothing(value: Any, kind: Kind) -> Any:  # noqa: ARG001 - every form is asked alike
    if value is not None:
        raise ValueError("It takes no value.")


_WANTED: dict[Takes, Callable[[Any, Kind], Any]] = {
    Takes.ONE: _one,
    Takes.TWO: _two,
    Takes.SEVERAL: _several,
    Takes.PATTERN: _pattern,
    Takes.DAYS: _days,
    Takes.NOTHING: _nothing,
}


# --- a condition ---------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Test:
    """A compiled condition that asks the first slice.

    Args:
        judge: the operator's, of the values of one slice and the wanted one.
        most_remembered: of verdicts by value, since series say most things alike; 0 where a verdict hangs on the day.
    """

    condition: Condition
    path: str
    kind: Kind
    judge: Callable[..., bool]
    wanted: Any
    asks_presence: bool
    most_remembered: int
    remembered: dict[Any, bool] = field(default_factory=dict)

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
        key = tuple(value) if type(value) is list else value
        known = self.remembered.get(key)
        if known is None:
            known = self._judge(value)
            if len(self.remembered) < self.most_remembered:
                self.remembered[key] = known
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


@dataclass(slots=True)
class _Slices(_Test):
    """A compiled condition over all slices; a subclass says what their verdicts make.

    Args:
        settled: the verdict on the series asked last, by its id: templates share conditions, and a series may have thousands of values.
    """

    settled: dict[int, tuple[Series, bool | None]] = field(default_factory=dict)

    def settle(self, verdicts: Iterable[bool]) -> bool:
        raise NotImplementedError

    def verdict(self, series: Series) -> bool | None:
        known = self.settled.get(id(series))
        if known is None:
            known = (series, self._settle(series))  # with the series, so that its id stays its own
            if len(self.settled) >= MOST_SETTLED:
                self.settled.clear()
            if self.most_remembered:
                self.settled[id(series)] = known
        return known[1]

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
