"""What a person can do about an item that needs one."""

from datetime import UTC, datetime

import pytest

from hilum.model.lifecycle import STAGES, Item, Kind, Stage, Status
from hilum.model.waiting import tell_ways, ways_on


def make_item(kind: Kind, stage: Stage, status: Status = Status.HELD) -> Item:
    return Item(
        id="the-id", kind=kind, project="ward-7", stage=stage, status=status, why="Because.", version=1, attempt=0,
        since_at=datetime(2026, 3, 1, tzinfo=UTC), not_before_at=None, lease_until_at=None, priority=0,
    )  # fmt: skip


def test_a_missing_series_is_sent_and_not_just_tried_again() -> None:
    first, second, _ = ways_on(make_item(Kind.WORKITEM, Stage.DEIDENTIFYING))

    assert first.command == "hilum upload FOLDER --project ward-7"
    assert second.command == 'hilum retry the-id --reason "..."'


def test_a_study_that_matches_nothing_waits_for_a_choice() -> None:
    ways = ways_on(make_item(Kind.STUDY, Stage.MATCHING))

    assert ways[0].command == "hilum assign the-id --template NAME"
    assert not any("retry" in way.command for way in ways)


def test_a_result_before_its_reviewer_is_judged() -> None:
    ways = ways_on(make_item(Kind.WORKITEM, Stage.REVIEWING))

    assert [way.command.split()[2] for way in ways] == ["accept", "reject", "rerun"]


@pytest.mark.parametrize("status", [Status.HELD, Status.FAILED])
def test_there_is_a_way_on_from_everywhere(status: Status) -> None:
    places = [(kind, stage) for kind, stages in STAGES.items() for stage in stages]

    assert all(ways_on(make_item(kind, stage, status)) for kind, stage in places)


def test_what_goes_on_by_itself_needs_nobody() -> None:
    assert ways_on(make_item(Kind.STUDY, Stage.MATCHING, Status.READY)) == ()


def test_the_ways_are_one_sentence() -> None:
    told = tell_ways(make_item(Kind.WORKITEM, Stage.DELIVERING))

    assert told == 'deliver it all the same: `hilum retry the-id --reason "..."`; or stop it for good: `hilum cancel the-id`'
