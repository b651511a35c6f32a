"""A series in the operator's words: nothing an item can be is without one."""

import pytest

from hilum.model.lifecycle import STAGES, Kind, Stage, Status, Step
from hilum.model.series_status import (
    OF_STUDY,
    OF_WORKITEM,
    STATE_MEANINGS,
    STATUS_MEANINGS,
    STEP_MEANINGS,
    Choice,
    SeriesState,
    SeriesStatus,
    standing_of_series,
    step_of,
)

HELD = (Stage.MATCHING, Status.HELD)
THROUGH = (Stage.MATCHING, Status.FINISHED)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("stage", STAGES[Kind.STUDY])
def test_every_stage_and_status_of_a_study_has_a_word_and_a_line(stage: Stage, status: Status) -> None:
    told = standing_of_series((stage, status), None, Choice())
    assert told.status in SeriesStatus and told.state in SeriesState
    assert told.meaning.endswith(".") and "\n" not in told.meaning


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("stage", STAGES[Kind.WORKITEM])
def test_every_stage_and_status_of_a_workitem_has_a_word_and_a_line(stage: Stage, status: Status) -> None:
    told = standing_of_series(THROUGH, (stage, status), Choice())
    assert told.meaning.endswith(".") and "\n" not in told.meaning
    assert (told.state is SeriesState.COMPLETE) == ((stage, status) == (Stage.DELIVERING, Status.FINISHED))


def test_the_tables_name_the_stages_of_their_kind_and_every_status() -> None:
    for kind, table in ((Kind.STUDY, OF_STUDY), (Kind.WORKITEM, OF_WORKITEM)):
        assert tuple(table) == STAGES[kind]
        assert all(set(row) == set(Status) for row in table.values())


def test_every_word_of_an_operator_has_its_meaning() -> None:
    assert set(STATUS_MEANINGS) == set(SeriesStatus)
    assert set(STATE_MEANINGS) == set(SeriesState)
    assert set(STEP_MEANINGS) == set(Step)


def test_every_status_of_the_operator_can_come_about() -> None:
    choices = (Choice(), Choice(2), Choice(2, 2), Choice(2, 0, by_name=True))
    told = {standing_of_series(HELD, None, choice).status for choice in choices}
    told |= {row[0] for table in (OF_STUDY, OF_WORKITEM) for rows in table.values() for row in rows.values()}
    assert told == set(SeriesStatus)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(), SeriesStatus.NO_TEMPLATE_FOUND),
        (Choice(asked=3), SeriesStatus.TEMPLATE_NOT_MATCHED),
        (Choice(asked=3, matched=2), SeriesStatus.MULTIPLE_TEMPLATES_MATCHED),
        (Choice(asked=2, matched=0, by_name=True), SeriesStatus.MULTIPLE_TEMPLATES_FOUND),
        (Choice(asked=1, matched=0, by_name=True), SeriesStatus.TEMPLATE_NOT_MATCHED),
    ],
)
def test_a_study_held_at_matching_says_why_no_template_went_on(choice: Choice, expected: SeriesStatus) -> None:
    told = standing_of_series(HELD, None, choice)
    assert (told.status, told.state) == (expected, SeriesState.UNPROCESSED)


def test_a_cancelled_workitem_does_not_speak_for_a_study_that_is_on_its_way_again() -> None:
    told = standing_of_series((Stage.CHECKING, Status.READY), (Stage.PROCESSING, Status.CANCELLED), Choice())
    assert told.status is SeriesStatus.SERIES_SEPARATED


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize(("kind", "stage"), [(kind, stage) for kind, stages in STAGES.items() for stage in stages])
def test_every_stage_and_status_has_its_step(kind: Kind, stage: Stage, status: Status) -> None:
    ended = status in (Status.FAILED, Status.REFUSED, Status.CANCELLED)
    delivered = (stage, status) == (Stage.DELIVERING, Status.FINISHED)
    assert (step_of(kind, stage, status) is Step.FINISHED) == (ended or delivered)
