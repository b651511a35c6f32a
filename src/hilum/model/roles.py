"""Which series of a study takes which role of a template, and why the others did not."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from hilum.model.explaining import NOTHING_ASKED, Explanation
from hilum.model.judging import Compiled, Operators
from hilum.model.records import Series
from hilum.model.templates import RequiredSeries, Template


class Candidate(NamedTuple):
    """A series before a role's rule, or a template's own; it is explained when somebody asks.

    Args:
        rule: None: there is none, and every series fits.
        verdict: whether it fits; None: not known yet.
    """

    series: Series
    rule: Compiled | None
    verdict: bool | None

    @property
    def holds(self) -> bool:
        """Whether it fits; what is not known yet does not."""
        return self.verdict is True

    @property
    def explanation(self) -> Explanation:
        return NOTHING_ASKED if self.rule is None else self.rule.explain(self.series)

    @property
    def distance(self) -> int:
        """How many conditions stand in the way."""
        return 0 if self.rule is None else self.rule.distance(self.series)


@dataclass(frozen=True)
class RoleSearch:
    """What a search for one role found.

    Args:
        fitting: all that fit; of several, the one with most instances is first, then the lowest SeriesNumber.
        others: those that do not fit.
    """

    required: RequiredSeries
    fitting: tuple[Candidate, ...]
    others: tuple[Candidate, ...]

    @property
    def chosen(self) -> Series | None:
        """The series that takes the role; None when no series fits."""
        return self.fitting[0].series if self.fitting else None

    @cached_property
    def refused(self) -> tuple[Candidate, ...]:
        """Those that do not fit, nearest (fewest failing conditions) first."""
        return tuple(sorted(self.others, key=lambda one: one.distance))


def find_roles(template: Template, series: Sequence[Series], operators: Operators) -> list[RoleSearch]:
    """Search every required series of `template` among `series`."""
    return [_find_role(required, series, operators.compile(required.rule)) for required in template.required_series]


def _find_role(required: RequiredSeries, series: Sequence[Series], rule: Compiled) -> RoleSearch:
    judged = _judge(series, rule)
    fitting = sorted((one for one in judged if one.holds), key=lambda one: (-one.series.number_of_instances, _number(one.series)))
    return RoleSearch(required, tuple(fitting), tuple(one for one in judged if not one.holds))


def _judge(series: Sequence[Series], rule: Compiled | None) -> list[Candidate]:
    return [Candidate(one, rule, True if rule is None else rule.verdict(one)) for one in series]


def judge_series(template: Template, series: Sequence[Series], operators: Operators) -> list[Candidate]:
    """The template's own rule before each series; without a rule every series fits."""
    rule = None if template.rule is None else operators.compile(template.rule)
    return _judge(series, rule)


def called(series: Series) -> str:
    """A series as a person calls it: series 3 "FLAIR"."""
    number = series.attributes.get("SeriesNumber")
    return f'series {number} "{series.description}"' if number not in (None, "") else f'series "{series.description}"'


def _number(series: Series) -> int:
    number = series.attributes.get("SeriesNumber")
    return int(number) if isinstance(number, (int, float)) else 1 << 30
