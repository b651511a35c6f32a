"""How far an upload is, in the words of its sender: its step, its outcome, what holds it, and what went wrong.

Projected from where its intake, its studies and their workitems stand. An upload is at rest when none of them moves by itself any more;
only then it has an outcome, so that nobody who waits for it hears "held" while the rest is still on its way.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hilum.model.lifecycle import ENDED, STEPS, Item, Outcome, Status, Step
from hilum.model.records import Intake, Study, Workitem

_STEP_ORDER = tuple(Step)


@dataclass(frozen=True, slots=True)
class StudyStanding:
    """A study that the upload touched, and all of its workitems."""

    study: Study
    workitems: Sequence[Workitem]


@dataclass(frozen=True, slots=True)
class HeldBy:
    """What a person must look at; `workitem_id` is empty where the study itself is held."""

    study_id: str
    workitem_id: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How an upload stands.

    Args:
        step: a held upload keeps the step it is held at.
        outcome: None while something of it moves by itself.
        held: what a person must look at, told as soon as it is known.
        errors: why it failed, or parts of it.
        workitems: those that answer this upload, those of earlier uploads included.
    """

    step: Step
    outcome: Outcome | None
    held: tuple[HeldBy, ...]
    errors: tuple[str, ...]
    workitems: tuple[Workitem, ...]


def progress_of(intake: Intake, item: Item, standings: Sequence[StudyStanding]) -> Progress:
    """Project an upload.

    Args:
        item: the intake's own.
        standings: the studies that the intake touched, as far as they still exist.
    """
    if item.status is not Status.FINISHED:
        return _before_studies(intake, item)
    if not standings:
        return Progress(Step.FINISHED, Outcome.FAILED, (), ("Its studies were deleted.",), ())
    answers = [(standing.study, answering(intake.report_type, _still_meant(standing))) for standing in standings]
    items = [one for study, workitems in answers for one in _deciding(study, workitems)]
    moving = [one for one in items if one.status not in ENDED and one.status is not Status.HELD]
    waiting = moving or [one for one in items if one.status is Status.HELD]
    return Progress(
        step=min((STEPS[one.stage] for one in waiting), key=_STEP_ORDER.index, default=Step.FINISHED),
        outcome=None if moving else _outcome(items),
        held=tuple(held for study, workitems in answers for held in _held(study, workitems)),
        errors=tuple(dict.fromkeys(one.why for one in items if one.status in ENDED - {Status.FINISHED})),
        workitems=tuple(workitem for _, workitems in answers for workitem in workitems),
    )


def answering(report_type: str, workitems: Iterable[Workitem]) -> list[Workitem]:
    """The workitems that answer a request: of its report type where it names one, each only in its newest form.

    A workitem that supersedes another answers in its place, whatever template a person chose for it.
    """
    chosen: dict[str, Workitem] = {}
    for workitem in sorted(workitems, key=lambda one: (one.created_at, one.id)):
        takes_over = chosen.pop(workitem.supersedes, None) is not None
        if takes_over or report_type in ("", workitem.template):
            chosen[workitem.id] = workitem
    return list(chosen.values())


def _still_meant(standing: StudyStanding) -> Iterator[Workitem]:
    """Without those that a newer revision cancelled: what they were made for is asked of the new revision."""
    for workitem in standing.workitems:
        if workitem.item.status is not Status.CANCELLED or workitem.revision == standing.study.revision:
            yield workitem


def _before_studies(intake: Intake, item: Item) -> Progress:
    """Importing is not through, or there is nothing to go on with."""
    if item.status in ENDED:
        return Progress(Step.FINISHED, Outcome.FAILED, (), (item.why,), ())
    if item.status is Status.HELD:
        return Progress(STEPS[item.stage], Outcome.HELD, (HeldBy("", "", item.why),), (), ())
    is_open = intake.completed_at is None and item.status is Status.DEFERRED
    return Progress(Step.UPLOADING if is_open else STEPS[item.stage], None, (), (), ())


def _deciding(study: Study, workitems: Sequence[Workitem]) -> Iterator[Item]:
    """The items whose states decide how the upload stands: the workitems once the study is through, or is held because of them."""
    is_through = study.item.status is Status.FINISHED
    is_held_by_them = study.item.status is Status.HELD and any(one.item.status is Status.HELD for one in workitems)
    if not workitems or not (is_through or is_held_by_them):
        yield study.item
    yield from (workitem.item for workitem in workitems)


def _held(study: Study, workitems: Sequence[Workitem]) -> Iterator[HeldBy]:
    held = [workitem for workitem in workitems if workitem.item.status is Status.HELD]
    for workitem in held:
        yield HeldBy(study.id, workitem.id, workitem.item.why)
    if study.item.status is Status.HELD and not held:
        yield HeldBy(study.id, "", study.item.why)


def _outcome(items: Sequence[Item]) -> Outcome:
    """Of an upload at rest."""
    if any(one.status is Status.HELD for one in items):
        return Outcome.HELD
    good = sum(one.status is Status.FINISHED for one in items)
    if good == len(items):
        return Outcome.SUCCEEDED
    return Outcome.PARTLY if good else Outcome.FAILED
