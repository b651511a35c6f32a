"""A series as the operator of an autosegmentation client knows it: the statuses and states of seed 001, the steps of seed 000.

Words of others are tables: `OF_STUDY` and `OF_WORKITEM` give each stage x status its row, so that nothing an item can be is without
a word. The words are theirs; what they mean here, and what to do, stands beside each (docs/review.md lists them).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hilum.model.lifecycle import STAGES, STEPS, Kind, Stage, Status, Step
from hilum.model.words import count


class SeriesStatus(StrEnum):
    """How far a series is: the `processsing_status_choices` of seed 001."""

    SERIES_SEPARATED = "SERIES_SEPARATED"
    TEMPLATE_NOT_MATCHED = "TEMPLATE_NOT_MATCHED"
    MULTIPLE_TEMPLATES_MATCHED = "MULTIPLE_TEMPLATES_MATCHED"
    MULTIPLE_TEMPLATES_FOUND = "MULTIPLE_TEMPLATES_FOUND"
    NO_TEMPLATE_FOUND = "NO_TEMPLATE_FOUND"
    READY_FOR_DEIDENTIFICATION = "READY_FOR_DEIDENTIFICATION"
    DEIDENTIFIED = "DEIDENTIFIED"
    DEIDENTIFICATION_FAILED = "DEIDENTIFICATION_FAILED"
    RTSTRUCT_EXPORT_FAILED = "RTSTRUCT_EXPORT_FAILED"
    RTSTRUCT_EXPORTED = "RTSTRUCT_EXPORTED"
    ERROR = "ERROR"


class SeriesState(StrEnum):
    """Whether anybody must act on it: the series states of seed 001."""

    PROCESSING = "PROCESSING"
    UNPROCESSED = "UNPROCESSED"
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"


STATUS_MEANINGS: Mapping[SeriesStatus, str] = {
    SeriesStatus.SERIES_SEPARATED: "The series has arrived as part of its study and is being gathered, checked or matched.",
    SeriesStatus.TEMPLATE_NOT_MATCHED: "No template's rules match its study, or it is in none of the matched templates' inputs.",
    SeriesStatus.MULTIPLE_TEMPLATES_MATCHED: "The rules of several templates match; a person chooses one.",
    SeriesStatus.MULTIPLE_TEMPLATES_FOUND: "Several report types were asked for by name, and none of them can go on.",
    SeriesStatus.NO_TEMPLATE_FOUND: "No template could match: none has rules, or the report type that was asked for does not exist.",
    SeriesStatus.READY_FOR_DEIDENTIFICATION: "A template was chosen; de-identification comes next.",
    SeriesStatus.DEIDENTIFIED: "It is de-identified; processing, review and delivery follow.",
    SeriesStatus.DEIDENTIFICATION_FAILED: "De-identification failed; nothing has left. Look at the reason, then retry.",
    SeriesStatus.RTSTRUCT_EXPORT_FAILED: "Results are made but could not be delivered. Look at the reason, then retry.",
    SeriesStatus.RTSTRUCT_EXPORTED: "Results are delivered.",
    SeriesStatus.ERROR: "Something failed, was refused or was cancelled; its log says what.",
}

STATE_MEANINGS: Mapping[SeriesState, str] = {
    SeriesState.PROCESSING: "It goes on by itself, or waits for a reviewer.",
    SeriesState.UNPROCESSED: "It waits for a person: no template goes on with it, or it is held.",
    SeriesState.COMPLETE: "It is through.",
    SeriesState.FAILED: "It will not go on by itself; look at its log.",
}

STEP_MEANINGS: Mapping[Step, str] = {
    Step.UPLOADING: "Files are being sent; the sender has not said that this is all.",
    Step.IMPORTING: "What was sent is read and filed under its patients, studies and series.",
    Step.PROCESSING: "Studies are checked, first for completeness, then for validity; then they are processed for their report type.",
    Step.QUALITY_CONTROL: "Results are made; they are reviewed where the template asks for it, then delivered.",
    Step.FINISHED: "Results can be downloaded, or it ended without any.",
}


@dataclass(frozen=True, slots=True)
class SeriesStanding:
    """A series in the operator's words.

    Args:
        meaning: one line: what it means here, and what to do where a person is awaited.
    """

    status: SeriesStatus
    state: SeriesState
    meaning: str
    step: Step = Step.PROCESSING


@dataclass(frozen=True, slots=True)
class Choice:
    """What matching found for a study: how many templates were asked, how many match, and whether they were asked for by name."""

    asked: int = 0
    matched: int = 0
    by_name: bool = False


_T, _A = SeriesStatus, SeriesState
_Row = tuple[SeriesStatus, SeriesState, str]
_MOVING = (Status.READY, Status.CLAIMED, Status.DEFERRED)


def _moving(status: SeriesStatus, waits: str, works: str) -> dict[Status, _Row]:
    """The three statuses in which an item goes on by itself."""
    return {
        Status.READY: (status, _A.PROCESSING, f"{waits}."),
        Status.CLAIMED: (status, _A.PROCESSING, f"{works}."),
        Status.DEFERRED: (status, _A.PROCESSING, f"{waits}; it is tried again by itself."),
    }


def _ended(what: str) -> dict[Status, _Row]:
    """Refused and cancelled, the same at every stage."""
    return {
        Status.REFUSED: (_T.ERROR, _A.FAILED, f"Refused at {what}; the reason stands in its log."),
        Status.CANCELLED: (_T.ERROR, _A.UNPROCESSED, f"Cancelled at {what}; choose a template to process it again."),
    }


OF_STUDY: Mapping[Stage, Mapping[Status, _Row]] = {
    Stage.GATHERING: {
        **_moving(_T.SERIES_SEPARATED, "Waits until its study is complete", "Looks whether its study is complete"),
        Status.HELD: (_T.SERIES_SEPARATED, _A.UNPROCESSED, "Held while gathering; a person lets it go on."),
        Status.FAILED: (_T.ERROR, _A.FAILED, "Gathering failed; retry it."),
        Status.FINISHED: (_T.SERIES_SEPARATED, _A.PROCESSING, "Gathered."),
        **_ended("gathering"),
    },
    Stage.CHECKING: {
        **_moving(_T.SERIES_SEPARATED, "Waits for its checks", "Is being checked"),
        Status.HELD: (_T.SERIES_SEPARATED, _A.UNPROCESSED, "Held while checking; look at the findings."),
        Status.FAILED: (_T.ERROR, _A.FAILED, "Checking failed; retry it."),
        Status.FINISHED: (_T.SERIES_SEPARATED, _A.PROCESSING, "Checked."),
        **_ended("checking"),
    },
    Stage.MATCHING: {
        **_moving(_T.SERIES_SEPARATED, "Waits to be matched", "Is being matched to templates"),
        Status.HELD: (_T.TEMPLATE_NOT_MATCHED, _A.UNPROCESSED, "No template goes on with it; choose one by hand."),
        Status.FAILED: (_T.ERROR, _A.FAILED, "Matching failed; retry it."),
        Status.FINISHED: (_T.TEMPLATE_NOT_MATCHED, _A.UNPROCESSED, "Its study is through, and no template took this series."),
        **_ended("matching"),
    },
}

OF_WORKITEM: Mapping[Stage, Mapping[Status, _Row]] = {
    Stage.DEIDENTIFYING: {
        **_moving(_T.READY_FOR_DEIDENTIFICATION, "Waits to be de-identified", "Is being de-identified"),
        Status.HELD: (
            _T.READY_FOR_DEIDENTIFICATION,
            _A.UNPROCESSED,
            "Held before de-identification; look at the findings, then retry or cancel.",
        ),
        Status.FAILED: (_T.DEIDENTIFICATION_FAILED, _A.FAILED, "De-identification failed; retry it."),
        Status.FINISHED: (_T.DEIDENTIFIED, _A.PROCESSING, "De-identified."),
        **_ended("de-identification"),
    },
    Stage.PROCESSING: {
        **_moving(_T.DEIDENTIFIED, "Waits to be processed", "Is being processed"),
        Status.HELD: (_T.DEIDENTIFIED, _A.UNPROCESSED, "The processor cannot use it; mend the cause and retry, or cancel."),
        Status.FAILED: (_T.ERROR, _A.FAILED, "Processing failed; retry it."),
        Status.FINISHED: (_T.DEIDENTIFIED, _A.PROCESSING, "Processed."),
        **_ended("processing"),
    },
    Stage.REVIEWING: {
        **_moving(_T.DEIDENTIFIED, "Waits for the review policy", "Its review policy is being asked"),
        Status.HELD: (_T.DEIDENTIFIED, _A.PROCESSING, "Waits for a reviewer; nothing is delivered before the verdict."),
        Status.FAILED: (_T.ERROR, _A.FAILED, "Reviewing failed; retry it."),
        Status.FINISHED: (_T.DEIDENTIFIED, _A.PROCESSING, "Reviewed."),
        Status.REFUSED: (_T.ERROR, _A.FAILED, "A reviewer rejected the results; nothing was delivered."),
        Status.CANCELLED: (_T.ERROR, _A.UNPROCESSED, "Cancelled at review, or run again by another workitem."),
    },
    Stage.DELIVERING: {
        **_moving(_T.DEIDENTIFIED, "Results wait to be delivered", "Results are being delivered"),
        Status.HELD: (
            _T.RTSTRUCT_EXPORT_FAILED,
            _A.UNPROCESSED,
            "Results are held before delivery; a person lets them go or cancels them.",
        ),
        Status.FAILED: (_T.RTSTRUCT_EXPORT_FAILED, _A.FAILED, "Delivery failed; retry it."),
        Status.FINISHED: (_T.RTSTRUCT_EXPORTED, _A.COMPLETE, "Results are delivered."),
        **_ended("delivery"),
    },
}

CHOOSE = "choose one by hand (`hilum assign`, or POST /series/assign)"


def standing_of_series(study: tuple[Stage, Status] | None, workitem: tuple[Stage, Status] | None, choice: Choice) -> SeriesStanding:
    """Projected from the newest workitem that has the series as input, else from its study.

    Args:
        study: where the study stands; None while it is not known yet.
        workitem: where the newest workitem stands; None where no template took the series.
        choice: what matching found.
    """
    if workitem is not None and not _is_left_behind(workitem, study):
        return _standing(OF_WORKITEM, *workitem)
    if study is None:
        return SeriesStanding(_T.SERIES_SEPARATED, _A.PROCESSING, "It has just arrived.")
    if study == (Stage.MATCHING, Status.HELD):
        status, meaning = _why_unmatched(choice)
        return SeriesStanding(status, _A.UNPROCESSED, meaning)
    return _standing(OF_STUDY, *study)


def step_of(kind: Kind, stage: Stage, status: Status) -> Step:
    """The step of seed 000: what is delivered, or will never go on by itself, is finished. A study's work goes on in its workitems."""
    is_through = status is Status.FINISHED and (kind is Kind.WORKITEM and stage is STAGES[kind][-1])
    return Step.FINISHED if is_through or status in (Status.REFUSED, Status.CANCELLED, Status.FAILED) else STEPS[stage]


def _is_left_behind(workitem: tuple[Stage, Status], study: tuple[Stage, Status] | None) -> bool:
    """A workitem that a new revision cancelled says nothing of a study that is on its way again."""
    return workitem[1] is Status.CANCELLED and study not in (None, (Stage.MATCHING, Status.FINISHED))


def _standing(table: Mapping[Stage, Mapping[Status, _Row]], stage: Stage, status: Status) -> SeriesStanding:
    kind = Kind.WORKITEM if table is OF_WORKITEM else Kind.STUDY
    found, state, meaning = table[stage][status]
    return SeriesStanding(found, state, meaning, step_of(kind, stage, status))


def _why_unmatched(choice: Choice) -> tuple[SeriesStatus, str]:
    if choice.asked == 0:
        return _T.NO_TEMPLATE_FOUND, f"There is no template for it; make one, or {CHOOSE}."
    if choice.by_name and choice.asked > 1:
        return _T.MULTIPLE_TEMPLATES_FOUND, f"Several report types were asked for and none can go on; {CHOOSE}."
    if choice.matched == 1:
        return _T.TEMPLATE_NOT_MATCHED, "Its study is held because of a finding, and the template that matches has no use for this series."
    if choice.matched > 1:
        return _T.MULTIPLE_TEMPLATES_MATCHED, f"{choice.matched} templates match; {CHOOSE}."
    return _T.TEMPLATE_NOT_MATCHED, f"No template matches ({count(choice.asked, 'template')} tried); {CHOOSE}."
