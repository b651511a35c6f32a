"""A template before the series of a study: whether it matches, what its workitems would take in, and what stands in the way.

Matching, dry-runs and explanations all ask here, so that they never disagree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hilum.model.judging import Operators
from hilum.model.outcomes import SeriesInput, TemplateVerdict
from hilum.model.records import Series
from hilum.model.roles import Candidate, RoleSearch, called, can_all_be_filled, find_roles, judge_series
from hilum.model.templates import Template

MOST_REASONS = 3  # conditions that one sentence names


@dataclass(frozen=True)
class Judged:
    """A template before a study.

    Args:
        searches: for its required series.
        candidates: the series before its own rule.
    """

    template: Template
    version: int
    searches: tuple[RoleSearch, ...]
    candidates: tuple[Candidate, ...]

    @cached_property
    def fits(self) -> bool:
        """Whether the study has what the template needs: a series in every role, or one that its rule fits."""
        if any(search.chosen is None for search in self.searches):
            return False
        return (bool(self.searches) and self.template.rule is None) or any(one.holds for one in self.candidates)

    @cached_property
    def unknown_series(self) -> frozenset[str]:
        """The series on which the answer hangs, and whose verdict is not known yet; none where it stands whatever they say."""
        groups = [(*search.fitting, *search.others) for search in self.searches]
        if self.template.rule is not None or not groups:
            groups.append(self.candidates)
        unknown = frozenset(one.series.id for group in groups for one in group if one.verdict is None)
        if not unknown or not (
            can_all_be_filled(self.searches) and all(any(one.verdict is not False for one in group) for group in groups)
        ):
            return frozenset()  # nothing is unknown, or it cannot fit whatever that says
        return unknown

    @cached_property
    def inputs(self) -> tuple[tuple[SeriesInput, ...], ...]:
        """What its workitems take in, one entry a workitem."""
        if self.searches:
            return (tuple(SeriesInput(search.chosen.id, search.required.role) for search in self.searches if search.chosen is not None),)
        fitting = [SeriesInput(one.series.id, "") for one in self.candidates if one.holds]
        if self.template.unit == "series":
            return tuple((one,) for one in fitting)
        return (tuple(fitting),) if fitting else ()

    @property
    def series_ids(self) -> frozenset[str]:
        """The series that would be processed; none where the template does not fit."""
        return frozenset(given.series_id for inputs in self.inputs for given in inputs) if self.fits else frozenset()

    @cached_property
    def nearest(self) -> tuple[tuple[RoleSearch | None, Candidate], ...]:
        """What stands in the way: for every role that no series fits, and for the own rule where it fits none, its nearest candidate."""
        found: list[tuple[RoleSearch | None, Candidate]] = [
            (search, search.refused[0]) for search in self.searches if not search.fitting and search.refused
        ]
        if self.template.rule is not None and self.candidates and not any(one.holds for one in self.candidates):
            found.append((None, min(self.candidates, key=lambda one: one.distance)))
        return tuple(found)

    @cached_property
    def shortages(self) -> tuple[str, ...]:
        """For roles that other roles leave no series: why."""
        return tuple(search.shortage for search in self.searches if search.shortage)

    @property
    def distance(self) -> int:
        """How many conditions stand in the way, and series that are missing though some fit; 0 where it fits."""
        return sum(one.distance for _, one in self.nearest) + len(self.shortages)

    def why(self) -> str:
        """One sentence, or a few."""
        if not self.fits:
            reasons = (*(_reason(search, one) for search, one in self.nearest), *dict.fromkeys(self.shortages))
            return " ".join(reasons) or "The study has no series."
        if self.searches:
            return f"Found {', '.join(search.required.name for search in self.searches)}."
        fitting = sum(one.holds for one in self.candidates)
        return f"{fitting} of {len(self.candidates)} series fit."

    def verdict(self, *, explained: bool) -> TemplateVerdict:
        """As it is kept; the trees only where they are wanted, since two hundred of them would outweigh the study."""
        return TemplateVerdict(self.template.name, self.version, self.fits, self.why(), self._explanation() if explained else {})

    def _explanation(self) -> dict[str, Any]:
        roles = [
            {
                "role": search.required.role,
                "chosen": search.chosen.id if search.chosen else None,
                "series": [_explained(one) for one in (*search.fitting, *search.refused)],
            }
            for search in self.searches
        ]
        return {"roles": roles, "rule": [_explained(one) for one in self.candidates] if self.template.rule is not None else []}


def judge_template(template: Template, version: int, series: Sequence[Series], operators: Operators) -> Judged:
    """The template's rules before the series of one study."""
    return Judged(
        template, version, tuple(find_roles(template.required_series, series, operators)), tuple(judge_series(template, series, operators))
    )


def nearest_of(judged: Sequence[Judged]) -> Judged | None:
    """The template with the fewest failing conditions; None where there is none, or where one fits."""
    return min(judged, key=lambda one: one.distance, default=None)


def _explained(one: Candidate) -> dict[str, Any]:
    return {"series": one.series.id, **one.explanation.as_dict()}


def _reason(search: RoleSearch | None, one: Candidate) -> str:
    failing = one.explanation.failing()
    reasons = " ".join(dict.fromkeys(part.sentence for part in failing[:MOST_REASONS]))
    more = f" And {len(failing) - MOST_REASONS} more." if len(failing) > MOST_REASONS else ""
    what = "No series fits" if search is None else f"No series is {search.required.name}"
    return f"{what}; nearest is {called(one.series)}: {reasons}{more}"
