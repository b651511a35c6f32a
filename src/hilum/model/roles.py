"""Which series of a study takes which role of a template, and why the others did not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hilum.model.records import Series
from hilum.model.rules import Explanation, Judge, explain
from hilum.model.templates import RequiredSeries, Template


@dataclass(frozen=True, slots=True)
class Candidate:
    """A series before a role's rule."""

    series: Series
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class RoleSearch:
    """What a search for one role found.

    Args:
        chosen: the series that takes the role; None when no series fits.
        fitting: all that fit; of several, the one with most instances is chosen, then the lowest SeriesNumber.
        refused: those that do not fit, nearest (fewest failing conditions) first.
    """

    required: RequiredSeries
    chosen: Series | None
    fitting: tuple[Candidate, ...]
    refused: tuple[Candidate, ...]


def find_roles(template: Template, series: Sequence[Series], operators: Mapping[str, Judge]) -> list[RoleSearch]:
    """Search every required series of `template` among `series`."""
    return [_find_role(required, series, operators) for required in template.required_series]


def _find_role(required: RequiredSeries, series: Sequence[Series], operators: Mapping[str, Judge]) -> RoleSearch:
    judged = [Candidate(one, explain(required.rule, one.attributes, operators)) for one in series]
    fitting = sorted(
        (one for one in judged if one.explanation.holds), key=lambda one: (-one.series.number_of_instances, _number(one.series))
    )
    refused = sorted((one for one in judged if not one.explanation.holds), key=lambda one: len(one.explanation.failing()))
    return RoleSearch(required, fitting[0].series if fitting else None, tuple(fitting), tuple(refused))


def fitting_series(template: Template, series: Sequence[Series], operators: Mapping[str, Judge]) -> list[tuple[Series, Explanation]]:
    """The template's own rule before each series; without a rule every series fits."""
    if template.rule is None:
        return [(one, Explanation(True, "The template asks for nothing.", "all")) for one in series]
    return [(one, explain(template.rule, one.attributes, operators)) for one in series]


def called(series: Series) -> str:
    """A series as a person calls it: series 3 "FLAIR"."""
    number = series.attributes.get("SeriesNumber")
    return f'series {number} "{series.description}"' if number not in (None, "") else f'series "{series.description}"'


def _number(series: Series) -> int:
    number = series.attributes.get("SeriesNumber")
    return int(number) if isinstance(number, (int, float)) else 1 << 30
