"""What a person decides: verdicts, letting held ones through, choosing by hand."""

import threading

import pytest
from sqlalchemy import select, text

from hilum.model.assigning import Choice
from hilum.model.errors import ConflictError, InvalidError, NotFoundError
from hilum.model.identity import SYSTEM, Role, Scope
from hilum.model.lifecycle import Kind, Stage, Status
from hilum.model.outcomes import Done, Hold, Matched, NewWorkitem, SeriesInput
from hilum.stores.schema import projects
from hilum.stores.scoping import lock_project
from hilum.stores.verdicts import Verdict

NINA = Scope("nina", {"admin": Role.ADMIN}, may_see_identity=True)
WAITING = text("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")


@pytest.fixture
def reviewed(site, image):
    """A workitem that waits for a reviewer."""
    site.save_template("t", priority=3)
    site.deliver(image("1.2.1.1.1"))
    workitem = site.match("t")
    for answer in (Done("Kept."), Done("Made."), Hold("Every result waits for a reviewer.")):
        site.ledger.finish(SYSTEM, site.claim(Kind.WORKITEM), answer)
    return site.catalogue.find_workitem(SYSTEM, workitem.id)


def _place(item):
    return item.stage, item.status


def test_an_accepted_result_goes_on_to_delivering(site, reviewed):
    moved = site.decisions.review(NINA, reviewed.id, Verdict("accept", "Looks well.", ratings={"noise": 2}))
    assert (_place(moved), moved.why) == ((Stage.DELIVERING, Status.READY), "Accepted by nina: Looks well.")
    (review,) = site.catalogue.reviews(SYSTEM, reviewed.id)
    assert (review.verdict, review.who, review.ratings) == ("accept", "nina", {"noise": 2})


def test_a_rejected_result_goes_nowhere_and_a_rejection_needs_a_reason(site, reviewed):
    with pytest.raises(InvalidError, match="A rejection needs a reason"):
        site.decisions.review(NINA, reviewed.id, Verdict("reject"))
    moved = site.decisions.review(NINA, reviewed.id, Verdict("reject", "Motion."))
    assert (_place(moved), moved.why) == ((Stage.REVIEWING, Status.REFUSED), "Rejected by nina: Motion.")


def test_a_rerun_cancels_the_result_and_makes_one_that_supersedes_it(site, reviewed):
    site.clock.advance(seconds=1)
    assert site.decisions.review(NINA, reviewed.id, Verdict("rerun")).status is Status.CANCELLED
    newest = site.catalogue.list_workitems(SYSTEM, study_id=reviewed.study_id)[-1]
    assert (newest.supersedes, newest.inputs, newest.template) == (reviewed.id, reviewed.inputs, "t")
    assert (_place(newest.item), newest.item.priority) == ((Stage.DEIDENTIFYING, Status.READY), 3)


@pytest.mark.parametrize("verdict", [Verdict("perhaps"), Verdict("rerun", template="unknown")])
def test_a_verdict_that_cannot_be_followed_leaves_nothing(site, reviewed, verdict):
    with pytest.raises((InvalidError, NotFoundError)):
        site.decisions.review(NINA, reviewed.id, verdict)
    assert site.catalogue.reviews(SYSTEM, reviewed.id) == []
    assert site.catalogue.find_workitem(SYSTEM, reviewed.id) == reviewed


def test_a_verdict_needs_a_workitem_that_waits_for_it(site, reviewed):
    site.decisions.review(NINA, reviewed.id, Verdict("accept"))
    with pytest.raises(ConflictError, match="stands at delivering / ready, not before a reviewer"):
        site.decisions.review(NINA, reviewed.id, Verdict("accept"))


def test_retry_is_no_verdict(site, reviewed):
    with pytest.raises(ConflictError, match="waits for a reviewer's verdict"):
        site.decisions.retry(NINA, reviewed.id)


def test_of_two_reviewers_one_decides(site, reviewed):
    together, answers = threading.Barrier(2), []

    def decide(verdict):
        together.wait()
        try:
            site.decisions.review(NINA, reviewed.id, verdict)
            answers.append("followed")
        except ConflictError:
            answers.append("too late")

    threads = [threading.Thread(target=decide, args=(verdict,)) for verdict in (Verdict("accept"), Verdict("reject", "Motion."))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["followed", "too late"]
    assert len(site.catalogue.reviews(SYSTEM, reviewed.id)) == 1


def test_of_two_who_delete_a_study_one_hears_that_it_is_gone(site, image):
    site.deliver(image("1.2.1.1.1"))
    study, answers, started = site.study(), [], threading.Barrier(3)

    def delete():
        started.wait()
        try:
            site.eraser.delete_study(SYSTEM, study.id, "A wish of the patient.")
            answers.append("deleted")
        except NotFoundError:
            answers.append("gone")
        except Exception as trouble:  # noqa: BLE001 - whatever it is, the test shows it
            answers.append(type(trouble).__name__)

    threads = [threading.Thread(target=delete) for _ in range(2)]
    for thread in threads:
        thread.start()
    with site.database.writing() as connection:
        lock_project(connection, connection.scalar(select(projects.c.id).where(projects.c.name == "admin")))
        started.wait()
        while not site.database.is_sqlite and connection.scalar(WAITING) < 2:
            threading.Event().wait(0.01)
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["deleted", "gone"]


# --- held ones -----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def held(site, image):
    """A study that is held because its only workitem is."""
    site.save_template("t")
    site.deliver(image("1.2.1.1.1"))
    site.advance_study("matching")
    study, (series,) = site.study(), site.catalogue.list_series(SYSTEM, site.study().id)
    new = NewWorkitem("t", 1, (SeriesInput(series.id, ""),), "Slice 17 is missing.")
    site.ledger.finish(SYSTEM, site.claim(), Hold("Slice 17 is missing.", (Matched(study.id, 1, (), (new,), ()),)))
    return site.catalogue.list_workitems(SYSTEM, study_id=study.id)[0]


def test_letting_a_held_workitem_through_releases_its_study(site, held):
    site.decisions.retry(NINA, held.id, "It is good enough.")
    assert _place(site.ledger.find(SYSTEM, held.id)) == (Stage.DEIDENTIFYING, Status.READY)
    study = site.study().item
    assert (_place(study), study.why) == ((Stage.MATCHING, Status.FINISHED), "It is good enough.")


def test_a_person_and_late_instances_at_the_same_time_do_not_wait_for_each_other_for_ever(site, held, image):
    """A retry goes from the workitem to its study, late instances from the study to its workitems."""
    from hilum.model.outcomes import StudiesTouched

    intake = site.start()
    site.put(intake, image("1.2.1.1.2"))
    site.intakes.complete(SYSTEM, intake.id)
    site.register(intake)
    item, troubles, together = site.claim(Kind.INTAKE), [], threading.Barrier(2)

    def at_once(act):
        together.wait()
        try:
            act()
        except ConflictError:
            pass  # the workitem was superseded first
        except Exception as trouble:  # noqa: BLE001 - whatever it is, the test shows it
            troubles.append(trouble)

    acts = (
        lambda: site.decisions.retry(NINA, held.id),
        lambda: site.ledger.finish(SYSTEM, item, Done("Imported.", (StudiesTouched(intake.id),))),
    )
    threads = [threading.Thread(target=at_once, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []
    assert site.study().revision == 2
    assert site.ledger.find(SYSTEM, held.id).status is Status.CANCELLED


def test_what_was_cancelled_is_not_retried_nor_sent_back(site, held):
    site.decisions.cancel(NINA, held.id)
    for decide in (lambda: site.decisions.retry(NINA, held.id), lambda: site.decisions.send_back(NINA, held.id, Stage.DEIDENTIFYING)):
        with pytest.raises(ConflictError, match="stands at deidentifying / cancelled"):
            decide()


# --- by hand -------------------------------------------------------------------------------------------------------------------------


def chosen(series_ids, template):
    return Choice(template, dict.fromkeys(series_ids, ""))


@pytest.fixture
def unmatched(site, image):
    """Two series of one study, which no template matched."""
    site.save_template("whole", priority=2)
    site.save_template("single", unit="series")
    site.deliver(image("1.2.1.1.1"), image("1.2.1.2.1", series="1.2.1.2"))
    site.advance_study("matching")
    study = site.study()
    site.ledger.finish(SYSTEM, site.claim(), Hold("No template matches.", (Matched(study.id, 1, (), (), ()),)))
    return [series.id for series in site.catalogue.list_series(SYSTEM, study.id)]


@pytest.mark.parametrize(("template", "number"), [("whole", 1), ("single", 2)])
def test_chosen_series_are_sent_by_study_or_by_series_as_the_template_says(site, unmatched, template, number):
    answers = site.decisions.assign(NINA, chosen(unmatched, template))
    assert [one.series_id for one in answers] == unmatched
    assert len({one.workitem_id for one in answers}) == number
    assert answers[0].sentence == f"Sent to {template}, version 1."
    assert _place(site.study().item) == (Stage.MATCHING, Status.FINISHED)


def test_a_series_that_is_being_processed_is_not_sent_again(site, unmatched):
    site.decisions.assign(NINA, chosen(unmatched[:1], "single"))
    with pytest.raises(ConflictError, match="is being processed by workitem"):
        site.decisions.assign(NINA, chosen(unmatched, "whole"))
    first, second = site.decisions.assign(NINA, chosen(unmatched, "single"))
    assert (first.workitem_id, bool(second.workitem_id)) == ("", True)
    assert f"Series {unmatched[0]} is being processed by workitem" in first.sentence
    assert len(site.catalogue.list_workitems(SYSTEM, study_id=site.study().id)) == 2


def test_a_series_whose_files_are_missing_is_refused_and_takes_its_companions_with_it_where_the_study_is_the_unit(site, unmatched):
    with pytest.raises(ConflictError, match=r"A file is gone\. Series .* would go with one that cannot be sent\."):
        site.decisions.assign(NINA, Choice("whole", dict.fromkeys(unmatched, ""), refused={unmatched[0]: "A file is gone."}))
    answers = site.decisions.assign(NINA, Choice("single", dict.fromkeys(unmatched, ""), refused={unmatched[0]: "A file is gone."}))
    assert [bool(one.workitem_id) for one in answers] == [False, True]


def test_what_was_done_with_a_template_is_sent_there_again_only_where_that_is_asked_for(site, unmatched):
    (first, *_) = site.decisions.assign(NINA, chosen(unmatched, "whole"))
    for _ in range(4):
        site.ledger.finish(SYSTEM, site.claim(Kind.WORKITEM), Done("Nothing to say."))
    assert site.ledger.find(SYSTEM, first.workitem_id).status is Status.FINISHED
    with pytest.raises(ConflictError, match="was done with whole already"):
        site.decisions.assign(NINA, chosen(unmatched, "whole"))
    site.decisions.assign(NINA, chosen(unmatched[:1], "single"))
    (again,) = site.decisions.assign(NINA, Choice("whole", {unmatched[1]: ""}, again=True))
    assert again.workitem_id != first.workitem_id


def test_a_workitem_that_matching_held_gives_way_to_a_person_s_choice(site, image):
    site.save_template("t")
    site.save_template("other")
    site.deliver(image("1.2.1.1.1"))
    held = site.match("t", held="Slice 2 is missing.")
    (answer,) = site.decisions.assign(NINA, chosen([given.series_id for given in held.inputs], "other"))
    assert site.ledger.find(SYSTEM, held.id).status is Status.CANCELLED
    assert site.ledger.find(SYSTEM, answer.workitem_id).status is Status.READY


def test_of_two_who_choose_for_the_same_series_one_is_told_that_it_is_taken(site, unmatched):
    together, answers = threading.Barrier(2), []

    def choose():
        together.wait()
        try:
            answers.append(len(site.decisions.assign(NINA, chosen(unmatched, "whole"))))
        except ConflictError:
            answers.append(0)

    threads = [threading.Thread(target=choose) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [0, 2]


def test_an_unknown_series_or_template_sends_nothing(site, unmatched):
    for series, template in (([*unmatched, "nobody"], "whole"), (unmatched, "nothing")):
        with pytest.raises(NotFoundError):
            site.decisions.assign(NINA, chosen(series, template))
    assert site.catalogue.list_workitems(SYSTEM, study_id=site.study().id) == []


def test_an_upload_is_neither_cancelled_nor_sent_to_a_stage_that_nobody_runs(site, image):
    intake = site.deliver(image("1.2.1.1.1"))
    with pytest.raises(ConflictError, match="cannot be cancelled"):
        site.decisions.cancel(SYSTEM, intake.id)
    with pytest.raises(ConflictError, match="has no stage retrieving"):
        site.decisions.send_back(SYSTEM, intake.id, Stage.RETRIEVING)


def test_a_study_held_because_of_its_workitem_goes_on_with_it(site, image):
    site.save_template("t")
    site.deliver(image("1.2.1.1.1"), report_type="t")
    site.advance_study("matching")
    study = site.study()
    change = Matched(study.id, study.revision, (), (NewWorkitem("t", 1, (), "Slice 2 is missing."),), ())
    site.ledger.finish(SYSTEM, site.claim(Kind.STUDY), Hold("Slice 2 is missing.", (change,)))
    (workitem,) = site.catalogue.list_workitems(SYSTEM, study_id=study.id)
    site.decisions.retry(SYSTEM, site.study().id, "It is enough.")
    assert site.ledger.find(SYSTEM, workitem.id).status is Status.READY
    assert site.study().item.status is Status.FINISHED


def test_with_four_eyes_a_second_person_decides(site, image):
    site.save_template("strict", review={"policy": "always", "four_eyes": True})
    site.deliver(image("1.2.1.1.1"))
    workitem = site.match("strict")
    for answer in (Done("Kept."), Done("Made."), Hold("Two people must accept it.")):
        site.ledger.finish(SYSTEM, site.claim(Kind.WORKITEM), answer)
    assert _place(site.decisions.review(NINA, workitem.id, Verdict("accept"))) == (Stage.REVIEWING, Status.HELD)
    with pytest.raises(ConflictError, match="nina has accepted it already"):
        site.decisions.review(NINA, workitem.id, Verdict("accept"))
    other = Scope("otto", {"admin": Role.REVIEWER})
    assert _place(site.decisions.review(other, workitem.id, Verdict("accept"))) == (Stage.DELIVERING, Status.READY)
