"""Where a study stands, in sentences."""

from datetime import timedelta

import pytest
from tests.model.test_progress import NOW, make_study, make_workitem

from hilum.model.lifecycle import Stage, Status
from hilum.model.why import WAITS_FOR, explain_standing


@pytest.mark.parametrize("status", list(Status))
def test_every_status_says_where_since_when_why_and_for_what(status):
    why = explain_standing(make_study(status), [], [])
    assert why.sentences[0].startswith("The study, revision 1, is ")
    assert "since 2026-03-01 12:00:00 UTC: the study is" in why.sentences[0]
    assert len(why.sentences) == (2 if WAITS_FOR[status] else 1)


def test_a_deferred_item_names_its_time():
    study = make_study(Status.DEFERRED, Stage.GATHERING)
    from dataclasses import replace

    study = replace(study, item=replace(study.item, not_before_at=NOW + timedelta(seconds=5)))
    assert explain_standing(study, [], []).sentences[1] == "It waits for the time 2026-03-01 12:00:05 UTC, when it is tried again."


def test_a_study_that_its_workitem_holds_sends_nobody_to_choose_a_template():
    why = explain_standing(make_study(Status.HELD), [make_workitem(Status.HELD, Stage.DEIDENTIFYING)], [])
    assert why.sentences[1] == "It waits for its workitems, which are held: it goes on when one of them does."
    assert "send the images that the reason asks for" in why.sentences[3]
    assert not any("assign" in sentence for sentence in why.sentences)


def test_a_study_that_only_an_older_workitem_held_waits_for_a_choice():
    why = explain_standing(make_study(Status.HELD, revision=2), [make_workitem(Status.HELD, Stage.DEIDENTIFYING)], [])
    assert "hilum assign" in why.sentences[1]


def test_a_reviewer_is_told_how_to_judge():
    why = explain_standing(make_study(Status.FINISHED), [make_workitem(Status.HELD, Stage.REVIEWING)], [])
    assert "is held at reviewing" in why.sentences[1]
    assert why.sentences[2].startswith("It waits for a reviewer, who can deliver the result: `hilum review accept ")


def test_every_workitem_is_told_but_those_that_were_cancelled():
    done = [make_workitem(Status.FINISHED, name=name, template=name) for name in ("first", "second")]
    cancelled = make_workitem(Status.CANCELLED, Stage.DEIDENTIFYING, template="third")
    why = explain_standing(make_study(Status.FINISHED), [*done, cancelled], [])
    assert [sentence.partition(" since")[0] for sentence in why.sentences] == [
        "The study, revision 1, is through",
        "Its workitem first (version 1) is delivered",
        "Its workitem second (version 1) is delivered",
    ]
    assert "third" in explain_standing(make_study(Status.FINISHED), [cancelled], []).sentences[1]
