"""Which series of a study takes which role of a template, and why the others did not."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from hilum.model.distinct import Contest, share_out
from hilum.model.explaining import NOTHING_ASKED, Explanation
from hilum.model.judging import Compiled, Operators
from hilum.model.records import Series
from hilum.model.templates import RequiredSeries, Template
from hilum.model.words import joined


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
        chosen: the series that takes the role, the first of the fitting that no other role needs more; None when there is none.
        shortage: the sentence of why none is chosen although some fit; else empty.
    """

    required: RequiredSeries
    fitting: tuple[Candidate, ...]
    others: tuple[Candidate, ...]
    chosen: Series | None
    shortage: str

    @cached_property
    def refused(self) -> tuple[Candidate, ...]:
        """Those that do not fit, nearest (fewest failing conditions) first."""
        return tuple(sorted(self.others, key=lambda one: one.distance))


def find_roles(required: Sequence[RequiredSeries], series: Sequence[Series], operators: Operators) -> list[RoleSearch]:
    """Search the required series of a template among `series`. A series takes one role only; as many roles as can be are filled."""
    judged = [_judge(series, operators.compile(one.rule)) for one in required]
    fitting = [sorted((one for one in candidates if one.holds), key=_preference) for candidates in judged]
    takes, contests = share_out([[one.series.id for one in candidates] for candidates in fitting])
    known = {one.id: one for one in series}
    return [
        RoleSearch(
            required[place],
            tuple(fitting[place]),
            tuple(one for one in judged[place] if not one.holds),
            known[takes[place]] if place in takes else None,
            _shortage(contests[place], required, known) if place in contests else "",
        )
        for place in range(len(required))
    ]


def can_all_be_filled(searches: Sequence[RoleSearch]) -> bool:
    """Whether every role may still find a series of its own, once what is not known yet is known."""
    open_to = [[one.series.id for one in (*search.fitting, *search.others) if one.verdict is not False] for search in searches]
    return len(share_out(open_to)[0]) == len(searches)


def _shortage(contest: Contest, required: Sequence[RequiredSeries], known: Mapping[str, Series]) -> str:
    names = joined([required[place].name for place in contest.askers])
    return f"{names} would have to share {joined([called(known[one]) for one in contest.things])}: a series takes one role only."


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


def _preference(one: Candidate) -> tuple[int, float, int]:
    number = one.series.attributes.get("SeriesNumber")
    return -one.series.number_of_instances, number if isinstance(number, (int, float)) else math.inf, one.series.key
