"""/studies/{id}: the timeline from door to delivery, findings, series, what matched, results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from hilum.model.identity import Scope
from hilum.model.lifecycle import Status
from hilum.model.outcomes import Finding
from hilum.model.records import Artifact, Move, Series, Study, Workitem
from hilum.model.series_status import SeriesStanding, SeriesState
from hilum.model.words import count
from hilum.runtime.assembling import Application
from hilum.web.rendering import render
from hilum.web.standing import BADGES, Badge, badge_of, mends_of, standing_of
from hilum.web.timeline import Entry, EntryKind, Shares, share_out, tell, told_below

ENTRY_ICONS: Mapping[EntryKind, str] = {
    EntryKind.ARRIVED: "finished",
    EntryKind.RECEIVED: "finished",
    EntryKind.DONE: "finished",
    EntryKind.WORKING: "working",
    EntryKind.WAITED: "deferred",
    EntryKind.PERSON: "held",
    EntryKind.DECIDED: "person",
    EntryKind.FAILED: "failed",
    EntryKind.REFUSED: "skipped",
}
SERIES_BADGES: Mapping[SeriesState, Badge] = {
    SeriesState.PROCESSING: Badge("Processing", "working"),
    SeriesState.UNPROCESSED: Badge("Unprocessed", "skipped"),
    SeriesState.COMPLETE: Badge("Complete", "finished", "good"),
    SeriesState.FAILED: BADGES[Status.FAILED],
}
LABEL_FROM = 0.11  # a piece of the bar that is smaller has no room for its name


@dataclass(frozen=True, slots=True)
class Line:
    """One workitem's branch of the fork."""

    workitem: Workitem
    badge: Badge
    entries: Sequence[Entry]
    artifacts: Sequence[Artifact]
    receipts: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Results:
    """The files of one workitem; `is_superseded` where a newer one was delivered in its place."""

    line: Line
    is_superseded: bool


@dataclass(frozen=True, slots=True)
class SeriesFigure:
    """One series of the strip."""

    series: Series
    number: str
    standing: SeriesStanding
    badge: Badge
    workitems: int


@dataclass(frozen=True, slots=True)
class Told:
    """The moves of a study, told."""

    trunk: Sequence[Entry]
    lines: Sequence[Line]
    shares: Shares
    number_of_moves: int


def show_study(app: Application, scope: Scope, request: Request) -> Response:
    """The page."""
    study = app.catalogue.find_study(scope, request.path_params["study"])
    workitems = app.catalogue.list_workitems(scope, study_id=study.id)
    series = app.catalogue.list_series(scope, study.id)
    now = app.clock()
    standing = standing_of(study, workitems)
    told = _tell(app, scope, study, workitems, now)
    return render(
        "study.html",
        here="studies",
        text="",
        now=now,
        study=study,
        title=_title(scope, study, series),
        sees_identity=scope.may_see_identity,
        standing=standing,
        mends=mends_of(study, workitems),
        counted=_counted(workitems),
        told=told,
        results=_results(told.lines),
        icons=ENTRY_ICONS,
        label_from=LABEL_FROM,
        series=_figures(app, scope, series, workitems),
        findings=_findings(app, scope, study, series),
        verdicts=app.catalogue.verdicts(scope, study),
    )


def _title(scope: Scope, study: Study, series: Sequence[Series]) -> str:
    who = study.patient_id if scope.may_see_identity else ""
    modalities = sorted({one.modality for one in series if one.modality})
    is_said = study.description.split(" ")[0] in modalities  # "MR BRAIN" needs no second MR
    what = study.description if is_said else " ".join(part for part in (", ".join(modalities), study.description) if part)
    return ", ".join(part for part in (who, what) if part) or "Study"


def _counted(workitems: Sequence[Workitem]) -> str:
    """1 of 2 workitems is delivered; those that were cancelled count no more."""
    wanted = [workitem for workitem in workitems if workitem.item.status is not Status.CANCELLED]
    if not wanted:
        return ""
    done = sum(workitem.item.status is Status.FINISHED for workitem in wanted)
    return f"{done} of {count(len(wanted), 'workitem')} {'is' if done == 1 else 'are'} delivered."


def _tell(app: Application, scope: Scope, study: Study, workitems: Sequence[Workitem], now: datetime) -> Told:
    intake_ids = app.catalogue.intakes_of_study(scope, study.id)
    moves = app.ledger.history(scope, [*intake_ids, study.id, *(workitem.id for workitem in workitems)])
    of_item: dict[str, list[Move]] = {}
    for move in moves:
        of_item.setdefault(move.item_id, []).append(move)
    # That the study came into being is what the uploads' importing tells already.
    own = [move for move in moves if move.item_id in intake_ids or (move.item_id == study.id and move.verb != "create")]
    lines = [_line(app, scope, workitem, tell(of_item.get(workitem.id, []), now)) for workitem in workitems]
    first = _first_delivered(of_item, [workitem.id for workitem in workitems])
    shares = share_out([own, *(of_item.get(workitem_id, []) for workitem_id in first)], now)
    trunk = told_below(tell(own, now), [line.entries for line in lines])
    return Told(trunk, lines, shares, len(moves))


def _line(app: Application, scope: Scope, workitem: Workitem, entries: Sequence[Entry]) -> Line:
    artifacts = app.catalogue.artifacts(scope, workitem.id)
    return Line(workitem, badge_of(workitem.item), entries, artifacts, app.catalogue.receipts(scope, workitem.id))


def _results(lines: Sequence[Line]) -> list[Results]:
    """Those that made files: what counts today first, then by revision, the newest first."""
    superseded = {line.workitem.supersedes for line in lines if line.workitem.item.status is Status.FINISHED}
    made = [Results(line, line.workitem.id in superseded) for line in lines if line.artifacts]
    return sorted(made, key=lambda one: (one.is_superseded, -one.line.workitem.revision))


def _first_delivered(of_item: Mapping[str, Sequence[Move]], workitem_ids: Sequence[str]) -> list[str]:
    """The workitem whose way the bar shows: the first that came to its end, else the first."""
    ends = {one: of_item[one][-1].at for one in workitem_ids if of_item.get(one) and of_item[one][-1].to_status is Status.FINISHED}
    return [min(ends, key=lambda one: ends[one])] if ends else list(workitem_ids[:1])


def _figures(app: Application, scope: Scope, series: Sequence[Series], workitems: Sequence[Workitem]) -> list[SeriesFigure]:
    standings = app.catalogue.series_statuses(scope, list(series))
    used = [given.series_id for workitem in workitems for given in workitem.inputs]
    figures = [
        SeriesFigure(
            one,
            str(one.attributes.get("SeriesNumber", "")),
            standings[one.id],
            SERIES_BADGES[standings[one.id].state],
            used.count(one.id),
        )
        for one in series
    ]
    return sorted(figures, key=lambda figure: (len(figure.number), figure.number))


def _findings(app: Application, scope: Scope, study: Study, series: Sequence[Series]) -> list[tuple[Finding, str]]:
    """Findings with the number of the series that each is about."""
    numbers = {one.id: str(one.attributes.get("SeriesNumber", "")) for one in series}
    return [(finding, numbers.get(finding.series_id, "")) for finding in app.catalogue.findings(scope, study)]
