"""reviewing: who waits for a person, and what the history says of it."""

import json

import pytest
from counting import Counting
from line import Line

from hilum.model.errors import ConflictError
from hilum.model.identity import SYSTEM, Role, Scope
from hilum.model.lifecycle import Stage, Status
from hilum.runtime.choosing import read_sampling_key
from hilum.stores.verdicts import Verdict
from images import series_of

ADA, BOB = (Scope(name, {"admin": Role.REVIEWER}) for name in ("ada", "bob"))


def _reviewed(line: Line, review: object) -> object:
    line.save_template("reviewed", review=review)
    (workitem,) = line.workitems(line.study(line.send(series_of([1, 2, 3]), report_type="reviewed")))
    return workitem


def _history(line: Line, workitem: object) -> list[str]:
    return [move.why for move in line.app.ledger.history(SYSTEM, [workitem.id]) if move.from_stage is Stage.REVIEWING]


def test_a_sample_of_all_waits_and_the_draw_is_in_the_history(line):
    workitem = _reviewed(line, {"policy": "sample", "percent": 100})
    assert (workitem.item.stage, workitem.item.status) == (Stage.REVIEWING, Status.HELD)
    assert "within the sample of 100 %" in workitem.item.why


def test_what_is_not_drawn_goes_on_and_says_so(line):
    workitem = _reviewed(line, {"policy": "sample", "percent": 0.000001})
    assert workitem.item.status is Status.FINISHED
    assert any("outside the sample of 1e-06 %" in why for why in _history(line, workitem))


def test_a_sample_is_not_drawn_again_for_the_same_study(line):
    first = _reviewed(line, {"policy": "sample", "percent": 50})
    place = next(why for why in _history(line, first) if "its place" in why).split("place ")[1].split(" ")[0]
    study = line.app.catalogue.find_study(SYSTEM, first.study_id)
    line.send(series_of([1, 2, 3]), report_type="reviewed", force_reprocessing=True)
    again = [one for one in line.workitems(study) if one.id != first.id]
    assert all(any(f"its place {place} " in why for why in _history(line, one)) for one in again)
    assert again


def test_the_key_of_samples_is_made_once(tmp_path):
    key = read_sampling_key(tmp_path)
    assert len(key) == 32
    assert read_sampling_key(tmp_path) == key
    assert [path.name for path in tmp_path.iterdir()] == ["sampling.key"]
    assert (tmp_path / "sampling.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (json.dumps({"series": [{"snr": 40}]}), ""),
        (json.dumps({"series": [{"snr": 4}]}), "series[*].snr of count.txt is 4, less than 20."),
        ("no JSON", "count.txt is no JSON."),
        ("[" * 100_000, "count.txt is no JSON."),
    ],
)
def test_figures_of_the_results_decide_whether_a_person_looks(line, counting: Counting, text, why):
    counting.text = text
    workitem = _reviewed(line, {"policy": "on-quality", "quality": [{"file": "count.txt", "value": "series[*].snr", "at_least": 20}]})
    assert (workitem.item.status is Status.HELD) == bool(why)
    assert why in workitem.item.why


def test_a_result_that_is_not_there_cannot_be_good(line):
    workitem = _reviewed(line, {"policy": "on-quality", "quality": [{"value": "series[*].signal_to_noise", "at_least": 20}]})
    assert "There is no result image_quality.json." in workitem.item.why
    assert workitem.item.status is Status.HELD


# --- four eyes ---------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def four_eyes(line):
    return _reviewed(line, {"policy": "always", "four_eyes": True})


def test_two_different_people_must_accept(line, four_eyes):
    moved = line.app.decisions.review(ADA, four_eyes.id, Verdict("accept", "Fine."))
    assert (moved.stage, moved.status) == (Stage.REVIEWING, Status.HELD)
    assert moved.why == "Accepted by ada: Fine. A second person must accept it, too."
    with pytest.raises(ConflictError, match="ada has accepted it already"):
        line.app.decisions.review(ADA, four_eyes.id, Verdict("accept"))
    line.run()
    assert line.app.catalogue.receipts(SYSTEM, four_eyes.id) == {}
    assert line.app.decisions.review(BOB, four_eyes.id, Verdict("accept")).stage is Stage.DELIVERING
    line.run()
    assert line.workitems(line.app.catalogue.find_study(SYSTEM, four_eyes.study_id))[0].item.status is Status.FINISHED
    assert [(review.who, review.verdict) for review in line.app.catalogue.reviews(SYSTEM, four_eyes.id)] == [
        ("ada", "accept"),
        ("bob", "accept"),
    ]


def test_one_person_alone_may_reject(line, four_eyes):
    line.app.decisions.review(ADA, four_eyes.id, Verdict("accept"))
    assert line.app.decisions.review(BOB, four_eyes.id, Verdict("reject", "Motion.")).status is Status.REFUSED


def test_results_that_are_made_again_need_both_again(line, four_eyes):
    line.app.decisions.review(ADA, four_eyes.id, Verdict("accept"))
    line.app.decisions.send_back(SYSTEM, four_eyes.id, Stage.PROCESSING)
    line.run()
    assert line.app.decisions.review(BOB, four_eyes.id, Verdict("accept")).stage is Stage.REVIEWING
    assert line.app.decisions.review(ADA, four_eyes.id, Verdict("accept")).stage is Stage.DELIVERING
