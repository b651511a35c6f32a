"""How far an upload is: a table of where its items stand, and what its sender is told."""

from datetime import UTC, datetime, timedelta

import pytest

from hilum.model.lifecycle import Item, Kind, Outcome, Stage, Status, Step
from hilum.model.progress import StudyStanding, answering, progress_of
from hilum.model.records import Intake, Study, Workitem

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
S = Status


def make_item(kind: Kind, stage: Stage, status: Status, why: str = "why") -> Item:
    return Item(f"{kind}-{stage}", kind, "p", stage, status, why, 1, 0, NOW)


def make_intake(*, completed: bool = True, report_type: str = "") -> Intake:
    return Intake("i", "p", "uploads", report_type, "", False, {}, NOW, NOW if completed else None, None, "somebody")


def make_study(status: Status, stage: Stage = Stage.MATCHING, revision: int = 1, name: str = "s") -> Study:
    item = make_item(Kind.STUDY, stage, status, f"the study is {status}")
    return Study(name, "p", "1.2", "id", "name", "acc", "", "", revision, (), 1, 1, NOW, NOW, item)


def make_workitem(
    status: Status,
    stage: Stage = Stage.DELIVERING,
    *,
    name: str = "w",
    template: str = "nifti",
    supersedes: str = "",
    revision: int = 1,
    minute: int = 0,
) -> Workitem:
    item = make_item(Kind.WORKITEM, stage, status, f"{name} is {status}")
    return Workitem(name, "p", "s", revision, template, 1, (), supersedes, {}, {}, NOW + timedelta(minutes=minute), item)


IMPORTED = make_item(Kind.INTAKE, Stage.IMPORTING, S.FINISHED)


@pytest.mark.parametrize(
    ("status", "completed", "step", "outcome"),
    [
        (S.DEFERRED, False, Step.UPLOADING, None),
        (S.READY, True, Step.IMPORTING, None),
        (S.CLAIMED, True, Step.IMPORTING, None),
        (S.CLAIMED, False, Step.IMPORTING, None),  # abandoned, and taken as it was
        (S.DEFERRED, True, Step.IMPORTING, None),  # importing raised and is tried again
        (S.HELD, True, Step.IMPORTING, Outcome.HELD),
        (S.REFUSED, True, Step.FINISHED, Outcome.FAILED),
        (S.FAILED, True, Step.FINISHED, Outcome.FAILED),
        (S.CANCELLED, False, Step.FINISHED, Outcome.FAILED),
    ],
)
def test_before_importing_is_through_the_intake_tells(status, completed, step, outcome):
    found = progress_of(make_intake(completed=completed), make_item(Kind.INTAKE, Stage.IMPORTING, status), [])
    assert (found.step, found.outcome) == (step, outcome)
    assert found.errors == (("why",) if outcome is Outcome.FAILED else ())
    assert [held.sentence for held in found.held] == (["why"] if outcome is Outcome.HELD else [])


STUDIES = [
    # (study, its workitems) ... -> step, outcome
    ([((S.READY, Stage.GATHERING), [])], Step.PROCESSING, None),
    ([((S.DEFERRED, Stage.GATHERING), [])], Step.PROCESSING, None),
    ([((S.HELD, Stage.MATCHING), [])], Step.PROCESSING, Outcome.HELD),
    ([((S.FAILED, Stage.CHECKING), [])], Step.FINISHED, Outcome.FAILED),
    ([((S.FINISHED, Stage.MATCHING), [])], Step.FINISHED, Outcome.SUCCEEDED),
    ([((S.FINISHED, Stage.MATCHING), [(S.CLAIMED, Stage.PROCESSING)])], Step.PROCESSING, None),
    ([((S.FINISHED, Stage.MATCHING), [(S.READY, Stage.DELIVERING)])], Step.QUALITY_CONTROL, None),
    ([((S.FINISHED, Stage.MATCHING), [(S.HELD, Stage.REVIEWING)])], Step.QUALITY_CONTROL, Outcome.HELD),
    ([((S.FINISHED, Stage.MATCHING), [(S.FINISHED, Stage.DELIVERING)])], Step.FINISHED, Outcome.SUCCEEDED),
    ([((S.FINISHED, Stage.MATCHING), [(S.REFUSED, Stage.REVIEWING)])], Step.FINISHED, Outcome.FAILED),
    ([((S.FINISHED, Stage.MATCHING), [(S.FINISHED, Stage.DELIVERING), (S.FAILED, Stage.PROCESSING)])], Step.FINISHED, Outcome.PARTLY),
    # held because of its workitem, which alone tells
    ([((S.HELD, Stage.MATCHING), [(S.HELD, Stage.DEIDENTIFYING)])], Step.PROCESSING, Outcome.HELD),
    ([((S.HELD, Stage.MATCHING), [(S.FAILED, Stage.PROCESSING), (S.HELD, Stage.DEIDENTIFYING)])], Step.PROCESSING, Outcome.HELD),
    # one study is held, the other on its way: no outcome before all is at rest
    ([((S.HELD, Stage.MATCHING), []), ((S.READY, Stage.CHECKING), [])], Step.PROCESSING, None),
    ([((S.HELD, Stage.MATCHING), []), ((S.FINISHED, Stage.MATCHING), [(S.FINISHED, Stage.DELIVERING)])], Step.PROCESSING, Outcome.HELD),
    # the earliest step counts
    (
        [((S.FINISHED, Stage.MATCHING), [(S.READY, Stage.DELIVERING)]), ((S.READY, Stage.CHECKING), [])],
        Step.PROCESSING,
        None,
    ),
]


@pytest.mark.parametrize(("studies", "step", "outcome"), STUDIES)
def test_then_its_studies_and_workitems_tell(studies, step, outcome):
    standings = [
        StudyStanding(make_study(*study), [make_workitem(*one, name=f"w{number}") for number, one in enumerate(workitems)])
        for study, workitems in studies
    ]
    found = progress_of(make_intake(), IMPORTED, standings)
    assert (found.step, found.outcome) == (step, outcome)


def test_what_is_held_is_told_at_once_and_once():
    held = StudyStanding(make_study(S.HELD), [make_workitem(S.HELD, Stage.DEIDENTIFYING)])
    going = StudyStanding(make_study(S.READY, Stage.CHECKING, name="other"), [])
    found = progress_of(make_intake(), IMPORTED, [held, going])
    assert found.outcome is None
    assert [(one.study_id, one.workitem_id, one.sentence) for one in found.held] == [("s", "w", "w is held")]


def test_each_failure_is_told_with_its_reason():
    found = progress_of(
        make_intake(), IMPORTED, [StudyStanding(make_study(S.FINISHED), [make_workitem(S.FAILED), make_workitem(S.FINISHED, name="x")])]
    )
    assert (found.outcome, found.errors) == (Outcome.PARTLY, ("w is failed",))


def test_an_upload_whose_studies_were_deleted_says_so():
    assert progress_of(make_intake(), IMPORTED, []).errors == ("Its studies were deleted.",)


def test_a_request_is_answered_by_the_newest_of_its_report_type():
    old = make_workitem(S.FINISHED, name="old")
    new = make_workitem(S.FINISHED, name="new", supersedes="old", minute=1)
    other = make_workitem(S.FAILED, name="other", template="image_quality", minute=2)
    assert [one.id for one in answering("nifti", [other, new, old])] == ["new"]
    assert [one.id for one in answering("", [other, new, old])] == ["new", "other"]


def test_a_rerun_with_another_template_answers_in_its_place():
    rejected = make_workitem(S.CANCELLED, Stage.REVIEWING, name="first")
    rerun = make_workitem(S.FINISHED, name="rerun", template="image_quality", supersedes="first", minute=1)
    found = progress_of(make_intake(report_type="nifti"), IMPORTED, [StudyStanding(make_study(S.FINISHED), [rejected, rerun])])
    assert (found.outcome, [one.id for one in found.workitems]) == (Outcome.SUCCEEDED, ["rerun"])


def test_what_a_newer_revision_cancelled_does_not_count():
    superseded = make_workitem(S.CANCELLED, Stage.PROCESSING, name="old", revision=1)
    new = make_workitem(S.FINISHED, name="new", revision=2, minute=1)
    found = progress_of(make_intake(), IMPORTED, [StudyStanding(make_study(S.FINISHED, revision=2), [superseded, new])])
    assert found.outcome is Outcome.SUCCEEDED
