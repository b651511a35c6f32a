"""What a new or changed template would have matched, lost and gained, from the headers kept in the catalogue, before it is saved.

Each study that received something within the last days is judged by the template as it is saved and as it is drafted, exactly as
matching would judge it now. Nothing is written.
"""

import time
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal

from hilum.model.choosing import Judged, judge_template
from hilum.model.errors import InvalidError, NotFoundError
from hilum.model.identity import Scope
from hilum.model.judging import Operators
from hilum.model.records import Series
from hilum.model.templates import Template
from hilum.runtime.assembling import Application, operators

MOST_EXAMPLES = 20  # of each change
SERIES_NUMBER = "SeriesNumber"  # of several series that fit a role it decides


@dataclass(slots=True)
class Count:
    """Of studies, or of series."""

    looked_at: int = 0
    matched: int = 0
    lost: int = 0
    gained: int = 0
    not_judged: int = 0


@dataclass(frozen=True, slots=True)
class Example:
    """A study whose verdict changes, and why it is as it would be.

    Args:
        series: those concerned.
        also: other templates that match the study, so that matching would hold it for a person to choose (or let all of them run).
    """

    change: Literal["lost", "gained"]
    study_id: str
    series: tuple[str, ...]
    sentence: str
    also: tuple[str, ...] = ()


@dataclass(slots=True)
class DryRun:
    """The answer.

    Args:
        compared_with: the saved version; None where the template is new.
        never_kept: attributes that the draft asks for and that are not kept of any series yet; once it is saved they are read from
            the packs, series by series.
    """

    days: int
    compared_with: int | None
    never_kept: tuple[str, ...]
    studies: Count = field(default_factory=Count)
    series: Count = field(default_factory=Count)
    examples: list[Example] = field(default_factory=list)
    seconds: float = 0.0


def dry_run(app: Application, scope: Scope, draft: Template, days: int) -> DryRun:
    """Judge what came within the last `days` by the draft, and by the template of its name as it is saved."""
    began = time.perf_counter()
    if not draft.has_rules:
        raise InvalidError(f"{draft.name} has no rules: studies go to it only by its name.", "Give it a rule, or required series.")
    saved, version = _saved(app, scope, draft.name)
    kept, _ = app.templates.kept(scope)
    answer = DryRun(days, version, tuple(sorted(draft.attributes() - kept)))
    judging = _Judging(app, scope, draft, saved)
    asked = draft.asked() | (frozenset() if saved is None else saved.asked())
    if draft.required_series or (saved is not None and saved.required_series):
        asked |= {SERIES_NUMBER}
    for by_study in app.catalogue.recent_series(scope, app.clock() - timedelta(days=days), asked):
        for study_id, before, after in judging.judge(by_study):
            _count(answer, study_id, before, after, judging.explain)
    rivals = [(other, at) for other, at in app.templates.newest(scope) if other.name != draft.name and other.active and other.has_rules]
    answer.examples = [_with_rivals(one, app, scope, rivals, judging.operators) for one in answer.examples]
    answer.seconds = time.perf_counter() - began
    return answer


def _with_rivals(example: Example, app: Application, scope: Scope, rivals: Sequence[tuple[Template, int]], known: Operators) -> Example:
    """The example with the other templates that match a study which is gained."""
    if example.change == "lost":
        return example
    varying = frozenset(attribute for rival, _ in rivals for attribute in rival.varying())
    series = app.catalogue.list_series(scope, example.study_id, varying=varying)
    return replace(example, also=tuple(rival.name for rival, at in rivals if judge_template(rival, at, series, known).fits))


def _saved(app: Application, scope: Scope, name: str) -> tuple[Template | None, int | None]:
    try:
        saved, version = app.templates.find(scope, name)
    except NotFoundError:
        return None, None
    return saved if saved.has_rules else None, version


class _Judging:
    """Judges studies by the draft and by the saved template."""

    def __init__(self, app: Application, scope: Scope, draft: Template, saved: Template | None) -> None:
        self._app = app
        self._scope = scope
        self._draft = draft
        self._saved = saved
        self.operators: Operators = operators(app.clock)
        self._varying = draft.varying() | (saved.varying() if saved is not None else frozenset())

    def judge(self, by_study: dict[str, list[Series]]) -> Iterable[tuple[str, Judged | None, Judged]]:
        """(study id, by the saved one, by the draft). Slices are looked up only for the series that the answer hangs on."""
        judged = {study_id: self._judge(series) for study_id, series in by_study.items()}
        if self._varying:
            undecided = {study_id: unknown for study_id, both in judged.items() if (unknown := _unknown_series(*both))}
            wanted = [one for study_id, unknown in undecided.items() for one in by_study[study_id] if one.id in unknown]
            found = {one.id: one for one in self._app.catalogue.with_slices(self._scope, wanted, self._varying)}
            judged |= {study_id: self._judge([found.get(one.id, one) for one in by_study[study_id]]) for study_id in undecided}
        return ((study_id, before, after) for study_id, (before, after) in judged.items())

    def explain(self, judged: Judged) -> str:
        """The reasons with all slices before it, also where its verdict was plain without them."""
        series = [one.series for one in judged.candidates]
        if self._varying:
            series = self._app.catalogue.with_slices(self._scope, series, self._varying)
        return judge_template(judged.template, judged.version, series, self.operators).why()

    def _judge(self, series: Sequence[Series]) -> tuple[Judged | None, Judged]:
        before = None if self._saved is None else judge_template(self._saved, 0, series, self.operators)
        return before, judge_template(self._draft, 0, series, self.operators)


def _unknown_series(before: Judged | None, after: Judged) -> Set[str]:
    return after.unknown_series if before is None else before.unknown_series | after.unknown_series


def _count(answer: DryRun, study_id: str, before: Judged | None, after: Judged, explain: Callable[[Judged], str]) -> None:
    answer.studies.looked_at += 1
    answer.series.looked_at += len(after.candidates)
    if unknown := _unknown_series(before, after):
        answer.studies.not_judged += 1
        answer.series.not_judged += len(unknown)
        return
    old, new = frozenset() if before is None else before.series_ids, after.series_ids
    _add(answer.studies, {study_id} if old else set(), {study_id} if new else set())
    _add(answer.series, old, new)
    changes: tuple[tuple[Literal["lost", "gained"], Set[str]], ...] = (("lost", old - new), ("gained", new - old))
    for change, changed in changes:
        if changed and sum(one.change == change for one in answer.examples) < MOST_EXAMPLES:
            answer.examples.append(Example(change, study_id, tuple(sorted(changed)), explain(after)))


def _add(count: Count, old: Set[str], new: Set[str]) -> None:
    count.matched += len(new)
    count.lost += len(old - new)
    count.gained += len(new - old)
